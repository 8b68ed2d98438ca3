//! A start that takes its time: what clients are told meanwhile, and what `INFO`, metrics and the log say of it.

use mayfly_persistence::{Folder as DataFolder, Journal, LogOptions, LogWriter, RealDisk};
use mayfly_resp::Value;

use crate::harness::{Client, Folder, Server, encode_line, eventually, while_nothing_starts};

/// Records of a log that takes seconds to load, although it is small.
const RECORDS: usize = 100_000;
/// What each of them does so often: it empties databases, which takes longer than anything else of its length.
const FLUSHES: usize = 64;

/// A folder whose log ends with two keys, one of them past its deadline.
fn long_to_load() -> Folder {
    while_nothing_starts(write_long_to_load)
}

fn write_long_to_load() -> Folder {
    let folder = Folder::new();
    let disk = RealDisk::create(&folder.0).expect("a folder can be made");
    let data = DataFolder::open(disk).expect("it is new");
    let mut log = LogWriter::new(data.disk().clone(), 0, 1, LogOptions::default());
    let mut journal = Journal::new();
    for _ in 0..RECORDS {
        journal.begin(1_000);
        (0..FLUSHES).for_each(|number| journal.flush(number as u16 % 16));
        log.append(journal.finish()).expect("there is room");
    }
    for (key, deadline) in [(&b"kept"[..], None), (b"gone", Some(2_000))] {
        journal.begin(1_000);
        journal.key(0, key);
        journal.remove();
        journal.set(b"f", b"v");
        journal.deadline(deadline);
        log.append(journal.finish()).expect("there is room");
    }
    log.sync().expect("the disk takes it");
    folder
}

fn is_loading(reply: &Value) -> bool {
    reply.to_string() == "(error) LOADING Redis is loading the dataset in memory"
}

fn number(info: &str, field: &str) -> f64 {
    let rest = info.split_once(&format!("{field}:")).unwrap_or_else(|| panic!("{field} in {info}")).1;
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-')).unwrap_or(rest.len());
    rest[..end].parse().unwrap_or_else(|error| panic!("{field} in {info}: {error}"))
}

fn info(client: &mut Client) -> String {
    client.run("INFO persistence").to_string()
}

#[test]
fn clients_are_told_that_the_folder_is_loaded_and_how_far_it_is() {
    let folder = long_to_load();
    let server = folder.launch(2, "everysec").begin();
    let mut client = server.connect();
    let first = info(&mut client);
    assert!(first.contains("loading:1"), "the folder is loaded too soon: {first}\n{}", server.log());
    assert!(number(&first, "loading_start_time") > 1e9);
    let total = number(&first, "loading_total_bytes");
    assert!(total > (RECORDS * FLUSHES) as f64, "{first}");
    let refused = ["PING", "HGET kept f", "HSET k f v", "DBSIZE", "SAVE", "BGSAVE"];
    client.send(&refused.map(encode_line).concat());
    for line in refused {
        let reply = client.receive();
        assert!(is_loading(&reply), "{line}: {reply}");
    }
    client.replay(&[
        ("CONFIG GET appendonly", "1) \"appendonly\"\n2) \"yes\""),
        ("CLIENT ID", "*"),
        ("LASTSAVE", "*"),
        ("COMMAND COUNT", "*"),
        ("HELLO 2", "*"),
    ]);
    eventually("a part is loaded", || {
        let info = info(&mut client);
        let percent = number(&info, "loading_loaded_perc");
        assert!(info.contains("loading:1") && (0.0..=100.0).contains(&percent), "{info}");
        assert!(number(&info, "loading_eta_seconds") >= 0.0);
        (number(&info, "loading_loaded_bytes") > 0.0).then_some(())
    });
    server.wait_for_log("mayfly_server: ready");
    let last = info(&mut client);
    for field in ["loading:0", "rdb_last_load_keys_expired:1", "rdb_last_load_keys_loaded:1"] {
        assert!(last.contains(field), "{field} in {last}");
    }
    assert!(!last.contains("loading_total_bytes"), "{last}");
    client.replay(&[("PING", "PONG"), ("DBSIZE", "(integer) 1"), ("HGET kept f", "\"v\"")]);
    drop(server);
    let server = folder.launch(1, "everysec").start();
    let scrape = server.scrape();
    assert_eq!(scrape.sum("mayfly_load_records"), (RECORDS + 2) as f64);
    assert_eq!(scrape.sum("mayfly_load_expired_keys"), 1.0);
    assert_eq!(scrape.sum("mayfly_log_bytes"), total - 32.0);
    assert!(scrape.sum("mayfly_load_seconds") > 0.0);
}

#[test]
fn a_server_that_is_loading_can_be_shut_down() {
    for line in ["SHUTDOWN", "SHUTDOWN SAVE"] {
        let folder = long_to_load();
        let mut server = folder.launch(1, "everysec").begin();
        let mut client = server.connect();
        client.send(&encode_line(line));
        assert!(client.try_receive().is_none());
        assert_eq!(server.exit_code(), 0);
        assert!(!server.log().contains("mayfly_server: ready"), "{}", server.log());
        assert!(!folder.0.join("snapshot-00000001-000.mayfly").exists());
    }
}

#[test]
fn what_goes_to_the_disk_is_measured() {
    let folder = Folder::new();
    let server = folder.launch(2, "always").start();
    let mut client = server.connect();
    let before = info(&mut client);
    for field in
        ["rdb_last_bgsave_time_sec:-1", "rdb_saves:0", "aof_current_size:0", "aof_last_rewrite_time_sec:-1"]
    {
        assert!(before.contains(field), "{field} in {before}");
    }
    for number in 0..10 {
        client.run(&format!("HSETEX k:{number} f v 1000"));
    }
    let written = eventually("it is measured", || {
        let scrape = server.scrape();
        (scrape.sum("mayfly_log_records_total") == 10.0 && scrape.sum("mayfly_log_waiting_bytes") == 0.0)
            .then_some(scrape)
    });
    assert!(written.sum("mayfly_log_bytes") > 200.0);
    let syncs = written.sum("mayfly_log_sync_seconds_count");
    assert!((1.0..=10.0).contains(&syncs), "{syncs} syncs");
    assert!(written.sum("mayfly_log_sync_seconds_sum") > 0.0);
    assert_eq!(written.sum("mayfly_changes_since_snapshot"), 10.0);
    assert_eq!(number(&info(&mut client), "aof_current_size"), written.sum("mayfly_log_bytes"));
    client.replay(&[("SAVE", "OK"), ("BGREWRITEAOF", "*")]);
    let saved = eventually("both snapshots are measured", || {
        let scrape = server.scrape();
        let is_idle = scrape.sum("mayfly_snapshot_in_progress") == 0.0;
        (scrape.sum("mayfly_snapshots_total") == 2.0 && is_idle).then_some(scrape)
    });
    assert!(saved.sum("mayfly_snapshot_bytes") > 100.0);
    assert!(saved.sum("mayfly_snapshot_last_duration_seconds") > 0.0);
    assert!(saved.sum("mayfly_snapshot_last_time_seconds") > 1e9);
    assert_eq!(saved.sum("mayfly_log_bytes"), 0.0);
    assert_eq!(saved.sum("mayfly_changes_since_snapshot"), 0.0);
    let after = info(&mut client);
    for field in
        ["rdb_last_bgsave_time_sec:0", "rdb_saves:1", "aof_rewrites:1", "aof_last_bgrewrite_status:ok"]
    {
        assert!(after.contains(field), "{field} in {after}");
    }
    assert_eq!(number(&after, "aof_base_size"), saved.sum("mayfly_snapshot_bytes"));
    assert_eq!(number(&after, "aof_current_size"), number(&after, "aof_base_size"));
}

#[test]
fn a_stop_that_cannot_bring_the_last_changes_to_the_disk_says_so() {
    let folder = Folder::new();
    let mut server: Server = folder.launch(1, "everysec").start();
    let away = folder.0.with_extension("away");
    std::fs::rename(&folder.0, &away).expect("a folder can be renamed");
    let mut client = server.connect();
    client.replay(&[("HSET k f v", "(integer) 1")]);
    let scrape = eventually("the disk is sick", || {
        let scrape = server.scrape();
        (scrape.sum("mayfly_disk_sick") == 1.0).then_some(scrape)
    });
    assert!(scrape.sum("mayfly_log_waiting_bytes") > 0.0);
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.exit_code(), 1);
    let log = server.log();
    assert!(log.contains("the last changes are not on the disk"), "{log}");
    let _ = std::fs::rename(&away, &folder.0);
}
