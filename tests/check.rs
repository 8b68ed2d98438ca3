//! `mayfly check` on folders that are sound, torn and damaged.

use std::fs;
use std::path::Path;

use mayfly_persistence::{Folder, Journal, LogOptions, LogWriter, RealDisk, SnapshotWriter};
use tempfile::TempDir;

use crate::harness::{Finished, Launch, while_nothing_starts};

const PART: &str = "snapshot-00000001-000.mayfly";
const LOG: &str = "log-00000001.mayfly";

/// A folder with a snapshot of one key, and three records behind it.
fn data() -> TempDir {
    while_nothing_starts(write_data)
}

fn write_data() -> TempDir {
    let folder = TempDir::new().expect("a folder can be made");
    let disk = RealDisk::open(folder.path()).expect("it is a folder");
    let mut data = Folder::open(disk.clone()).expect("nobody else has it");
    let mut log = LogWriter::new(disk.clone(), 0, 1, LogOptions::default());
    let mut journal = Journal::new();
    let mut body = |value: &[u8]| {
        journal.begin(1_000);
        journal.key(0, b"session");
        journal.set(b"user", value);
        journal.deadline(Some(9_000));
        journal.finish().to_vec()
    };
    let start = log.rotate().expect("the disk is well");
    let generation = data.next_generation();
    let mut part = SnapshotWriter::begin(disk, generation, 0).expect("the disk is well");
    part.append(&body(b"ada")).expect("the disk is well");
    let part = part.finish().expect("the disk is well");
    data.commit(generation, vec![part], start, &mut log).expect("the disk is well");
    for value in [b"bob", b"eve", b"joe"] {
        log.append(&body(value)).expect("there is room");
        log.sync().expect("the disk is well");
    }
    folder
}

fn check(path: &Path, flags: &[&str]) -> Finished {
    Launch::bare().flags(["check"]).flags([path]).flags(flags).run()
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("the file is there");
    change(&mut bytes);
    fs::write(path, bytes).expect("the file can be written");
}

#[test]
fn a_sound_folder_is_told_file_by_file() {
    let folder = data();
    let expected = format!("{PART}      1 record  ok\n{LOG}              3 records  ok\n");
    for flags in [&[][..], &["--repair"]] {
        let finished = check(folder.path(), flags);
        let told = (finished.code, finished.stdout.as_str(), finished.stderr.as_str());
        assert_eq!(told, (0, expected.as_str(), ""));
    }
    let finished = check(&folder.path().join(LOG), &[]);
    assert_eq!((finished.code, finished.stdout), (0, format!("{LOG}     3 records  ok\n")));
}

#[test]
fn a_torn_tail_is_no_damage() {
    let folder = data();
    change(&folder.path().join(LOG), |bytes| bytes.truncate(bytes.len() - 1));
    let finished = check(folder.path(), &[]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert!(finished.stdout.contains("2 records  ok, but for a torn tail of "), "{}", finished.stdout);
}

#[test]
fn damage_is_told_with_its_place_and_repaired_on_demand() {
    let folder = data();
    // In the first of three records; those behind it testify that it was on the disk.
    change(&folder.path().join(LOG), |bytes| bytes[60] ^= 1);
    let finished = check(folder.path(), &[]);
    assert_eq!(finished.code, 1);
    let place = "0 records  damaged at byte 32: the checksum of a record is wrong\n";
    assert!(finished.stdout.contains(place), "{}", finished.stdout);
    assert!(finished.stderr.contains("--repair"), "{}", finished.stderr);

    let finished = check(folder.path(), &["--repair"]);
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""));
    let aside = format!("{LOG}.damaged");
    assert!(finished.stdout.contains(&format!("moved aside: {aside}\n")), "{}", finished.stdout);
    assert!(folder.path().join(aside).exists());
    let finished = check(folder.path(), &[]);
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""));
}

#[test]
fn a_damaged_file_by_itself_and_a_damaged_manifest_are_told() {
    let folder = data();
    let part = folder.path().join(PART);
    change(&part, |bytes| bytes[40] ^= 1);
    let finished = check(&part, &[]);
    assert_eq!(finished.code, 1);
    assert!(finished.stdout.contains("damaged at byte 32: "), "{}", finished.stdout);

    change(&folder.path().join("manifest"), |bytes| bytes[0] ^= 1);
    let finished = check(folder.path(), &[]);
    let line = format!(
        "mayfly: {}: manifest: damaged at byte 0: its checksum is wrong; with --repair, it is restored from its copy\n",
        folder.path().display()
    );
    assert_eq!((finished.code, finished.stderr), (1, line));
    let finished = check(folder.path(), &["--repair"]);
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""));
    assert!(finished.stdout.starts_with("manifest restored from its copy\n"), "{}", finished.stdout);
    assert_eq!(check(folder.path(), &[]).code, 0);
}

#[test]
fn what_cannot_be_checked_is_refused_in_one_line_and_left_alone() {
    let folder = TempDir::new().expect("a folder can be made");
    let cases = [
        (folder.path().to_owned(), &[][..], "there is no data of Mayfly in this folder"),
        (folder.path().join("missing"), &[], "No such file or directory"),
        (data().keep().join(LOG), &["--repair"], "--repair takes the folder"),
    ];
    for (path, flags, hint) in cases {
        let finished = check(&path, flags);
        assert_eq!((finished.code, finished.stdout.as_str()), (2, ""), "{}", finished.stderr);
        assert!(
            finished.stderr.contains(hint) && finished.stderr.lines().count() == 1,
            "{}",
            finished.stderr
        );
        if path.file_name().is_some_and(|name| name == LOG) {
            fs::remove_dir_all(path.parent().expect("it is in a folder")).expect("it can be removed");
        }
    }
    assert_eq!(fs::read_dir(folder.path()).expect("it is a folder").count(), 0);
}

#[test]
fn a_folder_in_use_is_left_alone() {
    let folder = data();
    let disk = RealDisk::open(folder.path()).expect("it is a folder");
    let _in_use = Folder::open(disk).expect("nobody else has it");
    let finished = check(folder.path(), &["--repair"]);
    assert_eq!(finished.code, 1);
    assert!(finished.stderr.contains("another process uses this folder"), "{}", finished.stderr);
}
