//! Snapshots as who asks for them sees them: `SAVE`, `SHUTDOWN SAVE`, `BGSAVE SCHEDULE`, `BGREWRITEAOF`.

use std::fs;

use rustix::process::Signal;

use crate::harness::{Client, Folder, Launch, Server, encode_line, eventually};

/// A server on which a snapshot takes many seconds, until [`hurry`] is called.
fn slow(folder: &Folder, shards: usize, fsync: &str) -> Server {
    let launch = folder.launch(shards, fsync).set("persistence.snapshot_slice_bytes_max", "4KiB");
    let server = launch.set("persistence.snapshot_rest_ms", 1_000).start();
    let mut client = server.connect();
    let value = "v".repeat(1_000);
    for number in 0..200 {
        client.send(&encode_line(&format!("HSET key:{number} f {value}")));
    }
    (0..200).for_each(|_| drop(client.receive()));
    server
}

fn hurry(client: &mut Client) {
    client.replay(&[("CONFIG SET persistence.snapshot_rest_ms 0", "OK")]);
}

fn info(client: &mut Client) -> String {
    client.run("INFO persistence").to_string()
}

fn await_info(client: &mut Client, field: &str) {
    eventually(field, || info(client).contains(field).then_some(()));
}

/// Whether there is a file of a snapshot that is finished.
fn has_snapshot(folder: &Folder) -> bool {
    let manifest = fs::read_to_string(folder.0.join("manifest")).unwrap_or_default();
    manifest.contains("[[snapshot]]")
}

#[test]
fn save_lets_its_client_wait_and_nobody_else() {
    for (fsync, shards) in [("always", 1), ("everysec", 3)] {
        let folder = Folder::new();
        let server = slow(&folder, shards, fsync);
        let (mut waiting, mut other) = (server.connect(), server.connect());
        waiting.send(&[encode_line("SAVE"), encode_line("HSET behind f v")].concat());
        await_info(&mut other, "rdb_bgsave_in_progress:1");
        let active = "(error) ERR Background save already in progress";
        other.replay(&[
            ("SAVE", active),
            ("BGSAVE", active),
            ("BGSAVE SCHEDULE", active),
            ("HSET meanwhile f v", "(integer) 1"),
            ("EXISTS behind", "(integer) 0"),
        ]);
        assert!(!has_snapshot(&folder));
        hurry(&mut other);
        assert_eq!(waiting.receive().to_string(), "OK");
        assert!(has_snapshot(&folder));
        assert_eq!(waiting.receive().to_string(), "(integer) 1");
        await_info(&mut other, "rdb_bgsave_in_progress:0");
        other.replay(&[("SAVE", "OK"), ("SAVE", "OK")]);
    }
}

#[test]
fn snapshots_are_refused_in_transactions_and_scheduled_as_in_redis() {
    let folder = Folder::new();
    let server = slow(&folder, 1, "everysec");
    let mut client = server.connect();
    let alone = "(error) ERR Command not allowed inside a transaction";
    let aborted = "(error) EXECABORT Transaction discarded because of previous errors.";
    client.replay(&[("MULTI", "OK"), ("SAVE", alone), ("SHUTDOWN", alone), ("EXEC", aborted)]);
    client.replay(&[
        ("BGREWRITEAOF", "Background append only file rewriting started"),
        ("BGREWRITEAOF", "(error) ERR Background append only file rewriting already in progress"),
        (
            "BGSAVE",
            "(error) ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order \
             to schedule a BGSAVE whenever possible.",
        ),
        ("BGSAVE SCHEDULE", "Background saving scheduled"),
    ]);
    await_info(&mut client, "aof_rewrite_in_progress:1");
    hurry(&mut client);
    server.wait_for_log("generation=2");
    await_info(&mut client, "rdb_bgsave_in_progress:0");
    client.replay(&[
        ("CONFIG SET persistence.snapshot_rest_ms 1000", "OK"),
        ("BGSAVE", "Background saving started"),
        ("BGREWRITEAOF", "Background append only file rewriting scheduled"),
    ]);
    await_info(&mut client, "aof_rewrite_scheduled:1");
    hurry(&mut client);
    server.wait_for_log("generation=4");
}

#[test]
fn a_snapshot_that_fails_is_told_to_who_waits_for_it() {
    let folder = Folder::new();
    let mut server = folder.launch(2, "everysec").start();
    let mut client = server.connect();
    client.replay(&[("SAVE", "OK")]);
    let away = folder.0.with_extension("away");
    fs::rename(&folder.0, &away).expect("a folder can be renamed");
    client.replay(&[
        ("SAVE", "(error) ERR"),
        ("SHUTDOWN SAVE", "(error) ERR Errors trying to SHUTDOWN. Check logs."),
    ]);
    let info = info(&mut client);
    assert!(info.contains("rdb_last_bgsave_status:err"), "{info}");
    client.send(&encode_line("SHUTDOWN SAVE FORCE"));
    assert!(client.try_receive().is_none());
    server.exit_code();
    fs::rename(&away, &folder.0).expect("a folder can be renamed");
}

#[test]
fn shutdown_with_save_leaves_a_snapshot_and_can_be_taken_back() {
    let folder = Folder::new();
    let mut server = slow(&folder, 2, "never");
    let (mut stopping, mut other) = (server.connect(), server.connect());
    other.replay(&[("SHUTDOWN ABORT", "(error) ERR No shutdown in progress.")]);
    stopping.send(&encode_line("SHUTDOWN SAVE"));
    await_info(&mut other, "rdb_bgsave_in_progress:1");
    other.replay(&[("HSET meanwhile f v", "(integer) 1"), ("SHUTDOWN ABORT", "OK")]);
    assert_eq!(stopping.receive().to_string(), "(error) ERR Errors trying to SHUTDOWN. Check logs.");
    hurry(&mut other);
    await_info(&mut other, "rdb_bgsave_in_progress:0");
    other.replay(&[("HSET last f v", "(integer) 1")]);
    stopping.send(&encode_line("SHUTDOWN SAVE"));
    assert!(stopping.try_receive().is_none());
    assert_eq!(server.exit_code(), 0);
    // All of it is in the snapshot: the log behind it has no record.
    let checked = Launch::bare().flags(["check"]).flags([&folder.0]).run();
    assert_eq!(checked.code, 0, "{}", checked.stdout);
    let log = checked.stdout.lines().find(|line| line.starts_with("log-")).expect("there is a log");
    assert!(log.contains(" 0 records"), "{log}");
    folder.launch(3, "never").start().connect().replay(&[("DBSIZE", "(integer) 202")]);
}

#[test]
fn save_points_begin_a_snapshot_and_try_again_behind_a_failure() {
    let folder = Folder::new();
    let server = folder.launch(2, "everysec").set("persistence.save", "1 3 3600 1").start();
    let mut client = server.connect();
    client.replay(&[
        ("CONFIG GET save", "1) \"save\"\n2) \"1 3 3600 1\""),
        ("HSETEX a f v 1000", "(integer) 1"),
        ("DEL missing", "(integer) 0"),
        ("HGET a f", "\"v\""),
    ]);
    await_info(&mut client, "rdb_changes_since_last_save:1");
    client.replay(&[("HSET b f v g v", "(integer) 2")]);
    server.wait_for_log("generation=1");
    await_info(&mut client, "rdb_changes_since_last_save:0");
    client.replay(&[
        ("CONFIG SET save ", "OK"),
        ("CONFIG GET save", "1) \"save\"\n2) \"\""),
        ("HSET b f w", "(integer) 0"),
    ]);
    let away = folder.0.with_extension("away");
    fs::rename(&folder.0, &away).expect("a folder can be renamed");
    // Nobody writes any more: it is the new point itself that brings the snapshot.
    assert_eq!(client.call(&["CONFIG", "SET", "save", "1 1"]).to_string(), "OK");
    server.wait_for_log("a snapshot has failed");
    fs::rename(&away, &folder.0).expect("a folder can be renamed");
    server.wait_for_log("generation=2");
    await_info(&mut client, "rdb_changes_since_last_save:0");
}

#[test]
fn shutdown_without_save_leaves_no_snapshot_and_loses_nothing() {
    for line in ["SHUTDOWN", "SHUTDOWN NOSAVE", "SHUTDOWN NOSAVE NOW FORCE"] {
        let folder = Folder::new();
        let mut server = folder.launch(2, "never").start();
        let mut client = server.connect();
        client.replay(&[("HSET k f v", "(integer) 1")]);
        client.send(&encode_line(line));
        assert!(client.try_receive().is_none());
        assert_eq!(server.exit_code(), 0);
        assert!(!has_snapshot(&folder));
        let mut server = folder.launch(1, "never").start();
        server.connect().replay(&[("HGET k f", "\"v\"")]);
        server.signal(Signal::TERM);
        assert_eq!(server.exit_code(), 0);
    }
}
