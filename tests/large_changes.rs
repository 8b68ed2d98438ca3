//! Changes that are too long for a record of the log: after a crash all of such a one is there, or nothing.

use std::fs;
use std::path::Path;

use mayfly_resp::Value;
use rustix::process::Signal;

use crate::harness::{Client, Launch, Server};
use crate::transfer::temporary;

/// Fields of the hash, and bytes of their values: 48 MiB, where a record ends behind 16.
const FIELDS: usize = 24_000;
const VALUE_BYTES: usize = 2_048;

#[test]
fn a_hash_larger_than_a_record_is_copied_renamed_restored_and_there_after_a_crash() {
    let directory = temporary();
    let folder = directory.path().join("data");
    let server = start(&folder, 2);
    let mut client = server.connect();
    fill(&mut client);
    let Value::Bulk(dump) = client.call(&["DUMP", "large"]) else { panic!("it can be dumped") };
    assert_eq!(client.call(&[&b"RESTORE"[..], b"restored", b"0", &dump]).to_string(), "OK");
    client.replay(&[
        ("COPY large copied", "(integer) 1"),
        ("RENAME copied renamed", "OK"),
        ("MULTI", "OK"),
        ("COPY large first", "QUEUED"),
        ("RENAME renamed second", "QUEUED"),
        ("HSET third f v", "QUEUED"),
        ("EXEC", "1) (integer) 1\n2) OK\n3) (integer) 1"),
    ]);
    drop(server);
    let server = start(&folder, 3);
    let mut client = server.connect();
    client.replay(&[("EXISTS copied renamed", "(integer) 0"), ("DBSIZE", "(integer) 5")]);
    for key in ["large", "restored", "first", "second"] {
        assert_is_whole(&mut client, key);
    }
    assert_eq!(client.integer("PEXPIRETIME second"), 4_102_444_800_000);
}

#[test]
fn of_a_change_whose_end_did_not_come_to_the_disk_nothing_is_there() {
    let directory = temporary();
    let folder = directory.path().join("data");
    let log = folder.join("log-00000001.mayfly");
    let server = start(&folder, 1);
    let mut client = server.connect();
    fill(&mut client);
    client.run("HSET other f v");
    let length = || fs::metadata(&log).expect("it is there").len();
    let before = length();
    client.replay(&[("RENAME large renamed", "OK")]);
    let after = length();
    drop(server);
    let whole = fs::read(&log).expect("it can be read");
    assert!(after - before > 40 << 20, "{before} to {after}");
    for end in [after - 1, after - (20 << 20), before + (20 << 20), before + 1] {
        fs::write(&log, &whole[..end as usize]).expect("it can be written");
        let mut server = start(&folder, 2);
        let mut client = server.connect();
        client.replay(&[("EXISTS renamed", "(integer) 0"), ("HGET other f", "\"v\"")]);
        assert_is_whole(&mut client, "large");
        assert!(server.log().contains("it is cut off"), "{}", server.log());
        assert_eq!(length(), before);
        server.signal(Signal::TERM);
        assert_eq!(server.exit_code(), 0);
    }
    fs::write(&log, &whole).expect("it can be written");
    let server = start(&folder, 2);
    assert_is_whole(&mut server.connect(), "renamed");
}

fn start(folder: &Path, shards: usize) -> Server {
    let launch = Launch::with_shards(shards)
        .set("persistence.fsync", "always")
        .set("persistence.dir", folder.display());
    // A snapshot would begin another segment.
    launch.set("persistence.log_growth_percent", 0).start()
}

fn fill(client: &mut Client) {
    for start in (0..FIELDS).step_by(1_000) {
        let fields = (start..start + 1_000).map(|field| format!(" f{field} {}", value(field)));
        client.run(&format!("HSET large{}", fields.collect::<String>()));
    }
    client.run("PEXPIREAT large 4102444800000");
}

fn value(field: usize) -> String {
    format!("{field:0>VALUE_BYTES$}")
}

fn assert_is_whole(client: &mut Client, key: &str) {
    assert_eq!(client.integer(&format!("HLEN {key}")), FIELDS as i64, "{key}");
    for field in (0..FIELDS).step_by(97) {
        assert_eq!(client.run(&format!("HGET {key} f{field}")).to_string(), format!("\"{}\"", value(field)));
    }
}
