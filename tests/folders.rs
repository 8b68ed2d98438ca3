//! `mayfly import --to-folder` and `mayfly export --from-folder`: data folders without a server.

use std::fs;
use std::path::Path;

use rustix::process::Signal;

use crate::harness::{Finished, Launch, Server};
use crate::transfer::{assert_same, file, fill, succeeded, temporary};

#[test]
fn what_is_imported_into_a_folder_is_served_from_it_and_exported_again() {
    let directory = temporary();
    let folder = directory.path().join("new/data");
    let report = succeeded(import(&file("redis-8.2"), &folder, &[]));
    assert!(report.contains("6 hashes with"), "{report}");
    let mut server = start(&folder, 2);
    server.connect().replay(&[
        ("DBSIZE", "(integer) 5"),
        ("HMGET hash name visits negative", "1) \"Ada\"\n2) \"1\"\n3) \"-70000\""),
        ("HLEN table", "(integer) 20"),
        ("PEXPIRETIME table", "(integer) -1"),
        ("PEXPIRETIME expiring", "(integer) 4102444800000"),
        // What the export has to get out of the log.
        ("HDEL hash visits", "(integer) 1"),
        ("DEL table", "(integer) 1"),
        ("HSETEX new f v 1000000", "(integer) 1"),
    ]);
    fill(&mut server.connect());
    server.connect().run("BGSAVE");
    server.connect().run("HSETEX late f v 1000000");
    stop(&mut server);

    let exported = directory.path().join("export.rdb");
    let report = succeeded(export(&exported, &folder, &[]));
    assert!(report.contains("609 hashes with"), "{report}");
    let second = directory.path().join("second");
    succeeded(import(&exported, &second, &[]));
    let (first, second) = (start(&folder, 1), start(&second, 3));
    assert_same(&first, &second);
    second.connect().replay(&[
        ("HMGET hash name visits", "1) \"Ada\"\n2) (nil)"),
        ("EXISTS table late", "(integer) 2"),
        ("HLEN table", "(integer) 300"),
    ]);
}

#[test]
fn a_hash_of_more_fields_than_a_record_takes_goes_through_folders_whole() {
    let directory = temporary();
    let folder = directory.path().join("data");
    let mut server = start(&folder, 2);
    let mut client = server.connect();
    for start in (0..25_000).step_by(1_000) {
        let fields = (start..start + 1_000).map(|field| format!(" f{field} value-of-{field}"));
        client.run(&format!("HSET large{}", fields.collect::<String>()));
    }
    client.run("PEXPIREAT large 4102444800000");
    stop(&mut server);
    let exported = directory.path().join("export.rdb");
    let report = succeeded(export(&exported, &folder, &["--match", "l*"]));
    assert!(report.contains("1 hashes with 25000 fields"), "{report}");
    let second = directory.path().join("second");
    succeeded(import(&exported, &second, &[]));
    assert_same(&start(&folder, 1), &start(&second, 1));
}

#[test]
fn a_running_server_is_copied_into_a_folder() {
    let source = Server::start(2);
    fill(&mut source.connect());
    let directory = temporary();
    let folder = directory.path().join("data");
    succeeded(import(Path::new(&format!("redis://{}", source.address)), &folder, &[]));
    assert_same(&source, &start(&folder, 2));
}

#[test]
fn an_export_takes_what_a_start_would_load_and_changes_nothing() {
    let directory = temporary();
    let folder = directory.path().join("data");
    let mut server = start(&folder, 1);
    server.connect().replay(&[("HSET kept f v", "(integer) 1"), ("HSETEX gone f v 1", "(integer) 1")]);
    server.connect().run("PEXPIRE gone 1");
    stop(&mut server);
    // The end of a record that was being written.
    let log = folder.join("log-00000001.mayfly");
    let mut bytes = fs::read(&log).expect("there is a log");
    bytes.extend([7; 11]);
    fs::write(&log, &bytes).expect("it can be written");
    let exported = directory.path().join("export.rdb");
    let finished = export(&exported, &folder, &[]);
    assert!(finished.stderr.contains("it is left out"), "{}", finished.stderr);
    let report = succeeded(finished);
    assert!(report.contains("1 hashes with 1 fields"), "{report}");
    assert!(report.contains("1 hashes past their deadline"), "{report}");
    assert_eq!(fs::read(&log).expect("it is there"), bytes);
    start(&folder, 1).connect().replay(&[("DBSIZE", "(integer) 1")]);
}

#[test]
fn folders_that_are_in_use_have_data_or_have_none_are_refused() {
    let directory = temporary();
    let [used, data, new] = ["used", "data", "new"].map(|name| directory.path().join(name));
    let exported = directory.path().join("export.rdb");
    fs::write(&exported, "before").expect("it can be written");
    succeeded(import(&file("redis-7.0"), &data, &[]));
    let server = start(&used, 1);
    server.connect().run(&format!("HSET wide f {}", "w".repeat(2_000)));
    let (to, wide) = (server.address.to_string(), directory.path().join("wide.rdb"));
    succeeded(Launch::bare().flags(["export", &path(&wide), "--from", &to]).run());
    fs::create_dir(&new).expect("it can be made");
    let torn = directory.path().join("torn.rdb");
    let whole = fs::read(file("redis-8.2")).expect("it is there");
    fs::write(&torn, &whole[..whole.len() - 20]).expect("it can be written");
    let rdb = file("redis-8.2");
    for (finished, code, said) in [
        (import(&rdb, &used, &[]), 1, "used: another process uses this folder"),
        (export(&exported, &used, &[]), 1, "used: another process uses this folder"),
        (import(&rdb, &data, &[]), 1, "data: there are files of a Mayfly in this folder"),
        (export(&exported, &new, &[]), 1, "new: there is no data of Mayfly in this folder"),
        (export(&exported, &directory.path().join("nowhere"), &[]), 1, "nowhere: No such file"),
        (import(&torn, &new, &[]), 1, "torn.rdb: at byte"),
        (import(&rdb, &new, &["--to", &to]), 2, "cannot be used with"),
        (import(&rdb, &new, &["--replace"]), 2, "cannot be used with"),
        (import(&rdb, &new, &["--state", "x"]), 2, "cannot be used with"),
        (export(&exported, &data, &["--from", &to]), 2, "cannot be used with"),
        (
            set(&["import", &path(&rdb), "--to-folder", &path(&new)], "server.databases", 2),
            1,
            "of database 3",
        ),
        (
            set(&["import", &path(&wide), "--to-folder", &path(&new)], "limits.bulk_bytes_max", 1_024),
            1,
            "the key wide: 2000 bytes are more than limits.bulk_bytes_max, 1024",
        ),
        (
            set(&["export", &path(&exported), "--from-folder", &path(&data)], "server.databases", 2),
            1,
            "damaged",
        ),
    ] {
        assert_eq!((finished.code, finished.stdout.as_str()), (code, ""), "{said}: {}", finished.stderr);
        assert!(finished.stderr.contains(said), "{said} in {}", finished.stderr);
    }
    assert_eq!(fs::read_to_string(&exported).expect("it is there"), "before");
    // What has stopped left no data, so that it can be tried again.
    succeeded(import(&rdb, &new, &[]));
    assert_eq!(start(&new, 1).connect().integer("DBSIZE"), 5);
}

fn start(folder: &Path, shards: usize) -> Server {
    Launch::with_shards(shards).set("persistence.fsync", "always").flags(["--dir", &path(folder)]).start()
}

/// Ends it as an operator does.
fn stop(server: &mut Server) {
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), 0, "{}", server.log());
}

fn import(source: &Path, folder: &Path, flags: &[&str]) -> Finished {
    Launch::bare().flags(["import", &path(source), "--to-folder", &path(folder)]).flags(flags).run()
}

fn export(file: &Path, folder: &Path, flags: &[&str]) -> Finished {
    Launch::bare().flags(["export", &path(file), "--from-folder", &path(folder)]).flags(flags).run()
}

fn set(words: &[&str], key: &str, value: usize) -> Finished {
    Launch::bare().set(key, value).flags(words).run()
}

fn path(path: &Path) -> String {
    path.display().to_string()
}
