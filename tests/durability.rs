//! What was written outlives the process, however it ends.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use fastrand::Rng;
use mayfly_resp::Value;
use rustix::process::Signal;

use crate::harness::{Client, Folder, Launch, Seed, Server, encode_line, eventually};

#[test]
fn a_restart_keeps_everything_also_with_another_number_of_shards() {
    let folder = Folder::new();
    for (round, (fsync, shards)) in
        [("always", 1), ("everysec", 3), ("never", 2), ("always", 4)].into_iter().enumerate()
    {
        let mut server = folder.launch(shards, fsync).start();
        let mut client = server.connect();
        if round > 0 {
            client.replay(&[
                ("HGET kept f", "\"v\""),
                ("HMGET both a b", "1) \"1\"\n2) (nil)"),
                ("EXISTS deleted short moved", "(integer) 0"),
                ("HGETALL target", "1) \"f\"\n2) \"v\""),
                ("TTL target", "(integer) -1"),
            ]);
            assert!((1..=10_000).contains(&client.integer("TTL kept")));
            assert_eq!(client.integer("HLEN rounds"), round as i64);
            client.run("SELECT 3");
            assert_eq!(client.integer("DBSIZE"), 1);
            client.run("SELECT 4");
            assert_eq!(client.integer("DBSIZE"), 0);
            client.run("SELECT 0");
        }
        client.replay(&[
            ("HSETEX kept f v 10000", "*"),
            ("HSET both a 1 b 2", "*"),
            ("HDEL both b", "(integer) 1"),
            ("HSETEX deleted f v 100", "*"),
            ("DEL deleted", "(integer) 1"),
            ("HSET short f v", "*"),
            ("PEXPIRE short 1", "(integer) 1"),
            ("HSETEX moved f v 100", "*"),
            ("PERSIST moved", "(integer) 1"),
            ("RENAME moved target", "OK"),
            ("SELECT 4", "OK"),
            ("HSET away f v", "*"),
            ("FLUSHDB", "OK"),
            ("SELECT 3", "OK"),
            ("HSET other f v", "*"),
            ("SELECT 0", "OK"),
        ]);
        client.run(&format!("HSET rounds {round} x"));
        server.signal(Signal::TERM);
        assert_eq!(server.exit_code(), 0);
    }
}

/// Rounds of [`nothing_acknowledged_is_lost_in_a_crash`].
fn crash_rounds() -> usize {
    std::env::var("MAYFLY_CRASH_ROUNDS")
        .map_or(12, |text| text.parse().expect("MAYFLY_CRASH_ROUNDS is a number"))
}

#[test]
fn nothing_acknowledged_is_lost_in_a_crash() {
    let seed = Seed::of_this_run();
    // A round mostly waits for time to pass.
    std::thread::scope(|scope| {
        for lane in 0..LANES {
            let random = seed.rng(lane as u64);
            scope.spawn(move || crash((lane..crash_rounds()).step_by(LANES), random));
        }
    });
}

/// Crashes a server in each of these rounds, in one folder after the other.
fn crash(rounds: impl Iterator<Item = usize>, mut random: Rng) {
    let mut folder = Folder::new();
    let mut known = [0; WRITERS];
    for (done, round) in rounds.enumerate() {
        if done % ROUNDS_A_FOLDER == ROUNDS_A_FOLDER - 1 {
            (folder, known) = (Folder::new(), [0; WRITERS]);
        }
        let fsync = ["always", "everysec", "never"][round % 3];
        let shards = random.usize(1..=3);
        let mut server = folder.launch(shards, fsync).start();
        let acknowledged: [AtomicU64; WRITERS] = known.map(AtomicU64::new);
        let mut promised = known;
        std::thread::scope(|scope| {
            for (writer, acknowledged) in acknowledged.iter().enumerate() {
                let client = server.connect();
                scope.spawn(move || write(client, writer, acknowledged));
            }
            let look = || acknowledged.each_ref().map(|count| count.load(SeqCst));
            let enough = known[0] + random.u64(1..300);
            eventually("writes are acknowledged", || (look()[0] >= enough).then_some(()));
            promised = look();
            if fsync != "always" {
                // What is older than a second is to be there; a second more is for the sync and
                // for the seconds in which the time is told.
                let mut clock = server.connect();
                let mut now = || list(clock.run("TIME"))[0].to_string();
                let start = number(&now());
                eventually("the time has passed", || (number(&now()) > start + 2).then_some(()));
            }
            server.signal(Signal::KILL);
            if fsync == "always" {
                promised = look();
            }
        });
        drop(server);
        server = folder.launch(random.usize(1..=3), fsync).start();
        let mut client = server.connect();
        for writer in 0..WRITERS {
            let found = written(&mut client, writer);
            assert!(
                found >= promised[writer],
                "round {round}, {fsync}: {} writes of writer {writer} were promised, {found} are there",
                promised[writer]
            );
            known[writer] = found;
        }
        server.signal(Signal::KILL);
    }
}

const WRITERS: usize = 2;

/// Rounds that go on at the same time, each with a server and a folder of its own.
const LANES: usize = 4;

/// Rounds after which a new folder is begun: with more and more to read back, they would take longer and longer.
const ROUNDS_A_FOLDER: usize = 10;

/// Keys that one request asks for; the server takes at most a million words.
const KEYS_A_REQUEST: usize = 10_000;

fn number(shown: &str) -> u64 {
    shown.trim_matches('"').parse().expect("a number")
}

fn list(reply: Value) -> Vec<Value> {
    match reply {
        Value::Array(items) => items,
        other => panic!("no list: {other}"),
    }
}

/// Writes until the server is gone, in transactions over two keys, and counts what is acknowledged.
fn write(mut client: Client, writer: usize, acknowledged: &AtomicU64) {
    for number in acknowledged.load(SeqCst) + 1.. {
        for line in [
            "MULTI".to_owned(),
            format!("HSETEX {writer}:a:{number} f {number} 10000"),
            format!("HSETEX {writer}:b:{number} f {number} 10000"),
            "EXEC".to_owned(),
        ] {
            client.send_to_deaf_ears(&encode_line(&line));
        }
        for _ in 0..4 {
            if client.try_receive().is_none() {
                return;
            }
        }
        acknowledged.store(number, SeqCst);
    }
}

/// How many of a writer's transactions are there: each as a whole, the first ones, without a gap.
fn written(client: &mut Client, writer: usize) -> u64 {
    let mut count = |half: &str| {
        let reply = client.run(&format!("KEYS {writer}:{half}:*"));
        let count = list(reply).len() as u64;
        let numbers: Vec<_> = (1..=count).collect();
        for numbers in numbers.chunks(KEYS_A_REQUEST) {
            let names = numbers.iter().map(|number| format!("{writer}:{half}:{number}"));
            let words: Vec<_> = std::iter::once("EXISTS".to_owned()).chain(names).collect();
            let found = client.call(&words).as_integer();
            assert_eq!(found, Some(numbers.len() as i64), "writes are missing in the middle");
        }
        count
    };
    let (first, second) = (count("a"), count("b"));
    assert_eq!(first, second, "half a transaction is there");
    first
}

#[test]
fn a_torn_end_is_cut_off_and_the_log_says_how_much() {
    let folder = Folder::new();
    let server = crashed_with_two_writes(&folder);
    drop(server);
    let (path, length) = folder.segments().pop().expect("there is a log");
    let file = fs::OpenOptions::new().write(true).open(&path).expect("it can be opened");
    file.set_len(length - 3).expect("it can be cut");
    let server = folder.launch(1, "always").start();
    assert!(server.log().contains("it is cut off"), "{}", server.log());
    server.connect().replay(&[("HGET first f", "\"1\""), ("EXISTS second", "(integer) 0")]);
}

#[test]
fn damage_stops_the_start_with_the_place_and_what_helps() {
    let folder = Folder::new();
    drop(crashed_with_two_writes(&folder));
    let (path, _) = folder.segments().remove(0);
    let mut bytes = fs::read(&path).expect("it can be read");
    let middle = bytes.windows(5).position(|word| word == b"first").expect("the key is in the log");
    bytes[middle] ^= 1;
    fs::write(&path, bytes).expect("it can be written");
    let finished = folder.launch(2, "always").run();
    assert_eq!(finished.code, 1);
    for part in ["log-00000001.mayfly: damaged at byte ", "mayfly check --repair ", "persistence.dir"] {
        assert!(finished.stderr.contains(part), "{part} in {}", finished.stderr);
    }
    let repaired = Launch::bare().flags(["check", "--repair"]).flags([&folder.0]).run();
    assert_eq!(repaired.code, 0, "{}", repaired.stderr);
    folder.launch(2, "always").start().connect().replay(&[("DBSIZE", "(integer) 0")]);
}

/// A server that was killed behind two writes.
fn crashed_with_two_writes(folder: &Folder) -> Server {
    let server = folder.launch(1, "always").start();
    server.connect().replay(&[("HSET first f 1", "(integer) 1"), ("HSET second f 2", "(integer) 1")]);
    server.signal(Signal::KILL);
    server
}

#[test]
fn a_folder_has_one_server() {
    let folder = Folder::new();
    let server = folder.launch(1, "everysec").start();
    let finished = folder.launch(1, "everysec").run();
    assert_eq!(finished.code, 1);
    assert!(finished.stderr.contains("another process uses this folder"), "{}", finished.stderr);
    server.connect().replay(&[("HSET k f v", "(integer) 1")]);
}

#[test]
fn a_folder_that_cannot_be_made_stops_the_start() {
    let file = crate::harness::temporary_file("");
    let dir = file.join("data");
    let finished = Launch::with_shards(1).flags(["--dir"]).flags([&dir]).run();
    assert_eq!(finished.code, 1);
    assert!(finished.stderr.contains("flag --dir: persistence.dir: "), "{}", finished.stderr);
    fs::remove_file(file).expect("it was made above");
}

#[test]
fn a_sick_disk_refuses_writes_until_it_has_recovered() {
    for fsync in ["everysec", "always"] {
        let folder = Folder::new();
        let server = folder.launch(2, fsync).start();
        // The first record begins the log's first file, for which there is no folder now.
        let away = folder.0.with_extension("away");
        fs::rename(&folder.0, &away).expect("a folder can be renamed");
        let mut writer = server.connect();
        writer.send(&encode_line("HSET first f 1"));
        let mut client = server.connect();
        let refusal =
            "(error) MISCONF Errors writing to the AOF file: No such file or directory (os error 2)";
        eventually("the disk is sick", || (client.run("PING").to_string() == refusal).then_some(()));
        client.replay(&[
            ("HSET second f 2", refusal),
            ("DEL first", refusal),
            ("HGET first f", "\"1\""),
            ("MULTI", "OK"),
            ("HSET second f 2", refusal),
            ("EXEC", "(error) EXECABORT Transaction discarded because of previous errors."),
        ]);
        let info = client.run("INFO persistence").to_string();
        assert!(info.contains("aof_last_write_status:err"), "{info}");
        fs::rename(&away, &folder.0).expect("a folder can be renamed");
        eventually("it has recovered", || (client.run("PING").to_string() == "PONG").then_some(()));
        assert_eq!(writer.receive().to_string(), "(integer) 1");
        client.replay(&[("HSET second f 2", "(integer) 1")]);
        drop(server);
        let server = folder.launch(1, fsync).start();
        server.connect().replay(&[("HGET first f", "\"1\"")]);
    }
}

#[test]
fn a_snapshot_takes_the_place_of_the_log_before_it_while_clients_write() {
    let folder = Folder::new();
    for fsync in ["always", "everysec"] {
        let server = folder.launch(3, fsync).start();
        let mut client = server.connect();
        for number in 0..2_000 {
            client.send(&encode_line(&format!("HSETEX kept:{number} f {number} 10000")));
        }
        for number in 0..2_000 {
            client.send(&encode_line(&format!("HSET large f{number} {number}")));
        }
        (0..4_000).for_each(|_| drop(client.receive()));
        let acknowledged = AtomicU64::new(if fsync == "always" { 0 } else { written(&mut client, 0) });
        let before = folder.segments().remove(0).0;
        std::thread::scope(|scope| {
            let writer = server.connect();
            scope.spawn(|| write(writer, 0, &acknowledged));
            for _ in 0..3 {
                client.replay(&[("BGSAVE", "Background saving started")]);
                client.run("SWAPDB 1 2");
                let idle = "rdb_bgsave_in_progress:0";
                eventually("the snapshot is done", || {
                    client.run("INFO persistence").to_string().contains(idle).then_some(())
                });
            }
            let info = client.run("INFO persistence").to_string();
            assert!(info.contains("rdb_last_bgsave_status:ok"), "{info}");
            client.run("HSET last f v");
            eventually("it is written", || {
                (folder.segments().iter().any(|(_, length)| *length > 100)).then_some(())
            });
            server.signal(Signal::TERM);
        });
        let mut server = server;
        assert_eq!(server.exit_code(), 0);
        assert!(!before.exists(), "the log before the snapshot is gone");
        let checked = Launch::bare().flags(["check"]).flags([&folder.0]).run();
        assert_eq!(checked.code, 0, "{}", checked.stdout);
        let server = folder.launch(2, fsync).start();
        let mut client = server.connect();
        client.replay(&[
            ("HLEN large", "(integer) 2000"),
            ("HGET kept:1999 f", "\"1999\""),
            ("EXISTS last", "(integer) 1"),
        ]);
        assert!(written(&mut client, 0) >= acknowledged.load(SeqCst));
        assert_eq!(list(client.run("KEYS kept:*")).len(), 2_000);
    }
}

#[test]
fn a_log_that_grows_is_replaced_by_a_snapshot_by_itself() {
    let folder = Folder::new();
    let server = folder.launch(2, "never").set("persistence.log_bytes_min", "64KiB").start();
    let mut client = server.connect();
    let value = "v".repeat(1_000);
    for number in 0..200 {
        client.send(&encode_line(&format!("HSET k f {number}{value}")));
    }
    (0..200).for_each(|_| drop(client.receive()));
    server.wait_for_log("a snapshot is on the disk");
    client.replay(&[("HSTRLEN k f", "(integer) 1003")]);
    server.signal(Signal::KILL);
    drop(server);
    folder.launch(1, "never").start().connect().replay(&[("HSTRLEN k f", "(integer) 1003")]);
}

#[test]
fn info_and_config_tell_of_the_folder() {
    let folder = Folder::new();
    let server = folder.launch(1, "never").start();
    let mut client = server.connect();
    let info = client.run("INFO persistence").to_string();
    for field in ["loading:0", "aof_enabled:1", "aof_last_write_status:ok"] {
        assert!(info.contains(field), "{field} in {info}");
    }
    client.replay(&[
        ("CONFIG GET appendonly", "1) \"appendonly\"\n2) \"yes\""),
        ("CONFIG GET appendfsync", "1) \"appendfsync\"\n2) \"no\""),
    ]);
    let without = Server::start(1);
    assert!(without.log().contains("nothing is kept on disk"), "{}", without.log());
    without.connect().replay(&[("CONFIG GET appendonly", "1) \"appendonly\"\n2) \"no\"")]);
}
