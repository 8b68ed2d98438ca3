//! Damage is found wherever it is, told apart from a torn tail, and repaired without deleting anything.

use super::Seed;
use crate::check::{Finding, Report, check, check_file, repair};
use crate::disk::memory::MemoryDisk;
use crate::disk::{Disk, DiskFile};
use crate::{
    AppendError, Damage, Folder, Health, Journal, LoadError, LogOptions, LogStart, LogWriter, RealDisk,
    SnapshotWriter,
};

fn body(value: u8) -> Vec<u8> {
    let mut journal = Journal::new();
    journal.begin(1_000);
    journal.key(0, b"key");
    journal.set(b"field", &[value; 40]);
    journal.deadline(None);
    journal.finish().to_vec()
}

/// A writer for a folder that is new.
fn new_log(disk: &MemoryDisk) -> LogWriter<MemoryDisk> {
    LogWriter::new(disk.clone(), 0, 1, LogOptions::default())
}

/// A folder with a snapshot of two records in segment 2's place, and records 3 to 6 in segments 2 and 3.
fn folder_with_snapshot() -> MemoryDisk {
    let disk = MemoryDisk::new();
    let mut folder = Folder::open(disk.clone()).unwrap();
    let mut log = new_log(&disk);
    for value in 1..3 {
        log.append(&body(value)).unwrap();
    }
    let start = log.rotate().unwrap();
    let generation = folder.next_generation();
    let mut part = SnapshotWriter::begin(disk.clone(), generation, 0).unwrap();
    for value in 1..3 {
        part.append(&body(value)).unwrap();
    }
    let part = part.finish().unwrap();
    folder.commit(generation, vec![part], start, &mut log).unwrap();
    for value in 3..5 {
        log.append(&body(value)).unwrap();
    }
    log.rotate().unwrap();
    for value in 5..7 {
        log.append(&body(value)).unwrap();
        log.sync().unwrap();
    }
    assert_eq!(folder.strays().unwrap(), [""; 0]);
    disk
}

const PART: &str = "snapshot-00000001-000.mayfly";
const FIRST: &str = "log-00000002.mayfly";
const SECOND: &str = "log-00000003.mayfly";

/// The values in a folder, of the snapshot and of the log.
fn load(disk: &MemoryDisk) -> Result<Vec<u8>, LoadError> {
    let folder = Folder::open(disk.clone())?;
    let mut values = Vec::new();
    // The last byte of a body is that of `deadline`, before it lies the value.
    let mut take = |body: &[u8]| values.push(body[body.len() - 2]);
    for part in &folder.manifest().snapshot {
        let mut reader = folder.read_snapshot(*part)?;
        while let Some(body) = reader.read()? {
            take(body);
        }
    }
    let mut reader = folder.read_log()?;
    while let Some(entry) = reader.read()? {
        take(entry.body);
    }
    Ok(values)
}

fn check_it(disk: &MemoryDisk) -> Report {
    check(&Folder::open(disk.clone()).unwrap()).unwrap()
}

fn change(disk: &MemoryDisk, file: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = disk.read(file).unwrap();
    change(&mut bytes);
    disk.put(file, &bytes);
}

#[test]
fn a_sound_folder_is_loaded_and_checked() {
    let disk = folder_with_snapshot();
    assert_eq!(load(&disk), Ok(vec![1, 2, 3, 4, 5, 6]));
    let report = check_it(&disk);
    let files: Vec<_> = report.files.iter().map(|checked| (checked.file.as_str(), checked.records)).collect();
    assert_eq!(files, [(PART, 2), (FIRST, 2), (SECOND, 2)]);
    assert!(report.files.iter().all(|checked| checked.finding == Finding::Sound));
    for file in [PART, FIRST, SECOND] {
        let checked = check_file(&disk, file).unwrap();
        assert_eq!((checked.records, checked.finding), (2, Finding::Sound), "{file}");
    }
}

#[test]
fn a_byte_changed_anywhere_is_noticed_and_a_repair_keeps_what_lies_before() {
    for file in [PART, FIRST, SECOND] {
        let length = folder_with_snapshot().read(file).unwrap().len();
        for at in 0..length {
            let disk = folder_with_snapshot();
            change(&disk, file, |bytes| bytes[at] ^= 0x10);
            // The last record of all may as well be torn: nothing behind it testifies that it was there.
            let records = check_file(&disk, file).unwrap();
            let Finding::Damaged(Damage { offset, .. }) = records.finding else {
                panic!("{file}: byte {at} was changed");
            };
            assert!(offset as usize <= at, "{file}: byte {at} was changed, found at {offset}");
            let is_last = file == SECOND && records.records == 1;
            match load(&disk) {
                Ok(values) => assert!(is_last && values == [1, 2, 3, 4, 5], "{file}: byte {at}: {values:?}"),
                Err(LoadError::Damage(damage)) => {
                    assert!(
                        !is_last && damage.file == file && damage.offset == offset,
                        "{damage}, byte {at}"
                    );
                }
                Err(error) => panic!("{file}: byte {at}: {error}"),
            }
            let before = disk.list().unwrap();
            let repaired = repair(&mut Folder::open(disk.clone()).unwrap()).unwrap();
            assert!(repaired.report.is_loadable());
            let kept = match file {
                PART => [vec![1, 2][..records.records as usize].to_vec(), vec![3, 4, 5, 6]].concat(),
                FIRST => vec![1, 2, 3, 4][..2 + records.records as usize].to_vec(),
                _ => vec![1, 2, 3, 4, 5, 6][..4 + records.records as usize].to_vec(),
            };
            assert_eq!(load(&disk), Ok(kept), "{file}: byte {at}");
            assert_eq!(repaired.aside.is_empty(), is_last, "{file}: byte {at}: {:?}", repaired.aside);
            assert!(disk.list().unwrap().len() >= before.len());
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_torn_only_at_the_end_of_the_log() {
    for file in [PART, FIRST, SECOND] {
        let length = folder_with_snapshot().read(file).unwrap().len();
        for at in 0..length {
            let disk = folder_with_snapshot();
            change(&disk, file, |bytes| bytes.truncate(at));
            match load(&disk) {
                Ok(values) => {
                    let whole = [4, 5, 6].into_iter().find(|count| values == [1, 2, 3, 4, 5, 6][..*count]);
                    assert!(file == SECOND && whole.is_some(), "{file}: cut at {at}: {values:?}");
                }
                Err(LoadError::Damage(damage)) => {
                    assert!(file != SECOND && damage.file == file, "{file}: cut at {at}: {damage}");
                }
                Err(error) => panic!("{file}: cut at {at}: {error}"),
            }
        }
    }
}

#[test]
fn a_torn_tail_says_how_much_and_is_cut() {
    let disk = folder_with_snapshot();
    change(&disk, SECOND, |bytes| bytes.extend([7; 13]));
    let length = disk.read(SECOND).unwrap().len() as u64;
    let folder = Folder::open(disk.clone()).unwrap();
    let mut reader = folder.read_log().unwrap();
    while reader.read().unwrap().is_some() {}
    let end = reader.end();
    assert_eq!((end.next_sequence, end.last_segment), (7, 3));
    let [torn] = end.torn.as_slice() else { panic!("one file is torn: {:?}", end.torn) };
    assert_eq!((torn.file.as_str(), torn.offset, torn.bytes), (SECOND, length - 13, 13));
    torn.cut(&disk).unwrap();
    assert_eq!(disk.read(SECOND).unwrap().len() as u64, length - 13);
}

#[test]
fn a_file_that_is_missing_is_named_and_a_repair_goes_on_without_it() {
    for (file, kept) in [(PART, vec![3, 4, 5, 6]), (FIRST, vec![1, 2])] {
        let disk = folder_with_snapshot();
        disk.remove(file).unwrap();
        assert_eq!(load(&disk), Err(LoadError::Missing(file.to_owned())));
        assert!(!check_it(&disk).is_loadable());
        let repaired = repair(&mut Folder::open(disk.clone()).unwrap()).unwrap();
        assert!(repaired.report.is_loadable());
        assert_eq!(load(&disk), Ok(kept));
    }
}

#[test]
fn a_manifest_that_is_lost_or_damaged_is_noticed_and_restored_from_its_copy() {
    let lose: fn(&MemoryDisk) = |disk| disk.remove("manifest").unwrap();
    let damage: fn(&MemoryDisk) = |disk| change(disk, "manifest", |bytes| bytes[50] ^= 1);
    for spoil in [lose, damage] {
        let disk = folder_with_snapshot();
        spoil(&disk);
        let refused = load(&disk).unwrap_err();
        assert!(refused.to_string().starts_with("manifest: "), "{refused}");
        let (folder, is_restored) = Folder::open_for_repair(disk.clone()).unwrap();
        assert!(is_restored);
        drop(folder);
        assert_eq!(load(&disk), Ok(vec![1, 2, 3, 4, 5, 6]));
        assert!(!Folder::open_for_repair(disk.clone()).unwrap().1);

        // A copy that names what is not there is an old one: the files that are there count, but not by it.
        for missing in ["manifest.copy", PART, FIRST] {
            let disk = folder_with_snapshot();
            spoil(&disk);
            disk.remove(missing).unwrap();
            let names = disk.list().unwrap();
            let refused = Folder::open_for_repair(disk.clone()).unwrap_err();
            assert!(refused.to_string().starts_with("manifest: "), "{refused}");
            assert_eq!(disk.list().unwrap(), names);
        }
    }
}

#[test]
fn a_record_of_another_version_is_damage_where_it_lies() {
    let disk = MemoryDisk::new();
    let mut log = new_log(&disk);
    log.append(&body(1)).unwrap();
    log.append(&[77]).unwrap();
    log.append(&body(3)).unwrap();
    log.sync().unwrap();
    let report = check_it(&disk);
    let Finding::Damaged(damage) = &report.files[0].finding else { panic!("{report:?}") };
    assert!(damage.what.contains("kind 77"), "{damage}");
    let repaired = repair(&mut Folder::open(disk.clone()).unwrap()).unwrap();
    assert_eq!(repaired.aside, ["log-00000001.mayfly.damaged"]);
    assert_eq!(load(&disk), Ok(vec![1]));
}

#[test]
fn a_folder_is_used_by_one_at_a_time() {
    let disk = MemoryDisk::new();
    let folder = Folder::open(disk.clone()).unwrap();
    assert_eq!(Folder::open(disk.clone()).unwrap_err(), LoadError::InUse);
    drop(folder);
    assert!(Folder::open(disk).is_ok());
}

#[test]
fn a_commit_that_fails_at_any_call_leaves_the_old_or_the_new_snapshot_whole() {
    let seed = Seed::of_this_run();
    for call in 0.. {
        let disk = folder_with_snapshot();
        let mut folder = Folder::open(disk.clone()).unwrap();
        let mut log = LogWriter::new(disk.clone(), 3, 7, LogOptions::default());
        let start = log.rotate().unwrap();
        let generation = folder.next_generation();
        let mut part = SnapshotWriter::begin(disk.clone(), generation, 0).unwrap();
        part.append(&body(9)).unwrap();
        let part = part.finish().unwrap();
        disk.fail(disk.calls() + call..disk.calls() + call + 1);
        let result = folder.commit(generation, vec![part], start, &mut log);
        // What counts for certain may go also now.
        assert!(folder.remove_strays().is_ok());
        drop(folder);
        let (old, new) = (Ok(vec![1, 2, 3, 4, 5, 6]), Ok(vec![9]));
        for run in 0..20 {
            let mut rng = seed.rng(run);
            let found = disk.crash(&mut |below| rng.usize(..below));
            let loaded = load(&found);
            assert!(loaded == new || result.is_err() && loaded == old, "call {call}: {loaded:?}");
        }
        // Once nothing fails any more, or only the removal of what was replaced, the last call was seen.
        if result.is_ok() {
            assert!(call > 4, "a commit makes more than {call} calls");
            return;
        }
    }
}

#[test]
fn a_folder_of_the_operating_system_holds_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let disk = RealDisk::create(&folder.path().join("data")).unwrap();
    let mut folder = Folder::open(disk.clone()).unwrap();
    assert_eq!(Folder::open(disk.clone()).unwrap_err(), LoadError::InUse);
    let mut log = LogWriter::new(disk.clone(), 0, 1, LogOptions::default());
    let long = vec![b'x'; 3 << 20];
    for round in 0..3_u8 {
        let start = log.rotate().unwrap();
        let generation = folder.next_generation();
        let mut part = SnapshotWriter::begin(disk.clone(), generation, 0).unwrap();
        for piece in long.chunks(1 << 20) {
            part.append(&[&body(round)[..], piece].concat()).unwrap();
        }
        let part = part.finish().unwrap();
        log.append(&body(round)).unwrap();
        folder.commit(generation, vec![part], start, &mut log).unwrap();
        log.append(&[&body(round)[..], &long].concat()).unwrap();
        log.sync().unwrap();
    }
    drop(folder);
    let folder = Folder::open(disk).unwrap();
    assert_eq!(folder.strays().unwrap(), [""; 0]);
    let [part] = folder.manifest().snapshot[..] else { panic!("there is one part") };
    let mut reader = folder.read_snapshot(part).unwrap();
    let mut pieces = 0;
    while let Some(read) = reader.read().unwrap() {
        assert_eq!(read, [&body(2)[..], &long[..1 << 20]].concat());
        pieces += 1;
    }
    assert_eq!(pieces, 3);
    let mut reader = folder.read_log().unwrap();
    assert_eq!(reader.read().unwrap().unwrap().body, body(2));
    assert_eq!(reader.read().unwrap().unwrap().body.len(), body(2).len() + long.len());
    assert!(reader.read().unwrap().is_none());
    assert_eq!(reader.end().next_sequence, 7);
}

#[test]
fn a_full_log_takes_no_more_until_it_is_synced_and_loses_nothing() {
    let disk = MemoryDisk::new();
    let options = LogOptions { unsynced_bytes_max: 200 };
    let mut log = LogWriter::new(disk.clone(), 0, 1, options);
    let mut taken = 0;
    while log.append(&body(taken + 1)).is_ok() {
        taken += 1;
    }
    assert!(log.wants_sync());
    assert_eq!(log.append(&body(99)), Err(AppendError::Full));
    assert_eq!(log.sync(), Ok(u64::from(taken)));
    assert_eq!(log.append(&body(taken + 1)), Ok(u64::from(taken) + 1));
    log.sync().unwrap();
    assert_eq!(load(&disk), Ok((1..=taken + 1).collect()));
}

#[test]
fn a_sick_disk_is_said_so_until_it_is_well_again_and_nothing_is_lost() {
    let disk = MemoryDisk::new();
    let mut log = new_log(&disk);
    log.append(&body(1)).unwrap();
    log.sync().unwrap();
    for (value, calls) in (2..).zip(1..30) {
        disk.fail(disk.calls()..disk.calls() + calls);
        log.append(&body(value)).unwrap();
        let mut attempts = 0;
        while let Err(trouble) = log.sync() {
            assert_eq!(log.health(), &Health::Sick(trouble));
            attempts += 1;
        }
        assert!(attempts > 0);
        assert_eq!(log.health(), &Health::Well);
    }
    assert_eq!(load(&disk), Ok((1..=30).collect()));
}

#[test]
fn a_rotation_that_fails_is_noticed_also_where_nothing_is_to_be_written() {
    let disk = MemoryDisk::new();
    let mut log = new_log(&disk);
    log.append(&body(1)).unwrap();
    log.sync().unwrap();
    disk.fail(disk.calls()..disk.calls() + 2);
    log.rotate().unwrap_err();
    log.write_out().unwrap_err();
    log.write_out().unwrap();
    assert_eq!(log.health(), &Health::Well);
    assert_eq!(log.rotate(), Ok(LogStart { segment: 2, sequence: 2 }));
    assert_eq!(load(&disk), Ok(vec![1]));
}

#[test]
fn a_segment_whose_sync_failed_is_cut_where_its_last_good_sync_was() {
    let disk = MemoryDisk::new();
    let mut log = new_log(&disk);
    log.append(&body(1)).unwrap();
    log.sync().unwrap();
    let length = disk.read("log-00000001.mayfly").unwrap().len();
    log.append(&body(2)).unwrap();
    log.write_out().unwrap();
    disk.fail(disk.calls()..disk.calls() + 1);
    log.sync().unwrap_err();
    assert!(disk.read("log-00000001.mayfly").unwrap().len() > length);
    log.sync().unwrap();
    assert_eq!(disk.read("log-00000001.mayfly").unwrap().len(), length);
    assert!(disk.open("log-00000002.mayfly").unwrap().length().unwrap() > 32);
    assert_eq!(load(&disk), Ok(vec![1, 2]));
}
