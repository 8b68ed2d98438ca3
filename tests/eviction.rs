//! The limit of memory: what is refused, what goes instead, and who hears of it.

use mayfly_resp::Value;

use crate::harness::{Client, Launch, SHARD_COUNTS, Server, encode, encode_line, eventually};

const OOM: &str = "(error) OOM command not allowed when used memory > 'maxmemory'.";
const MIB: u64 = 1 << 20;
/// What a call may bring past the limit before the next one has to make room: an index that grows, and its own bytes.
const CALL_BYTES: u64 = 32 << 10;

fn launch(shards: usize, bytes_max: u64, policy: &str) -> Launch {
    Launch::with_shards(shards).set("memory.bytes_max", bytes_max).set("memory.policy", policy)
}

fn info(client: &mut Client, name: &str) -> u64 {
    let reply = client.run("INFO everything");
    let text = String::from_utf8_lossy(reply.as_bytes().expect("a text")).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("{name} is not in {text}")).parse().expect("a number")
}

/// Sets a field in so many hashes, of which the names begin alike, with a TTL or without; the errors among the replies.
fn fill(client: &mut Client, prefix: &str, count: usize, has_ttl: bool) -> Vec<String> {
    let value = "x".repeat(100);
    let mut errors = Vec::new();
    for first in (0..count).step_by(500) {
        let mut bytes = Vec::new();
        let keys = first..count.min(first + 500);
        for key in keys.clone() {
            let key = format!("{prefix}{key}");
            match has_ttl {
                true => bytes.extend(encode(&["HSETEX", &key, "f", &value, "1000"])),
                false => bytes.extend(encode(&["HSET", &key, "f", &value])),
            }
        }
        let replies = client.pipeline(&bytes, keys.len());
        errors.extend(replies.iter().filter(|reply| matches!(reply, Value::Error(_))).map(Value::to_string));
    }
    errors
}

#[test]
fn without_a_policy_writes_are_refused_and_everything_else_goes_on() {
    for shards in SHARD_COUNTS {
        let server = launch(shards, MIB, "noeviction").start();
        let mut client = server.connect();
        let errors = fill(&mut client, "k", 20_000, false);
        assert!(errors.len() > 10_000 && errors.iter().all(|error| error == OOM), "{} errors", errors.len());
        let used = info(&mut client, "used_memory");
        assert!((MIB * 9 / 10..MIB + CALL_BYTES).contains(&used), "{used} bytes");
        client.replay(&[
            ("HSET k0 f v", OOM),
            ("HSETEX k0 f v 10", OOM),
            ("HINCRBY k0 n 1", OOM),
            ("COPY k0 k1 REPLACE", OOM),
            ("HGET k0 f", &format!("\"{}\"", "x".repeat(100))),
            ("EXPIRE k0 1000", "(integer) 1"),
            ("RENAME k0 k0-renamed", "OK"),
            ("HDEL k0-renamed nothing", "(integer) 0"),
            ("MULTI", "OK"),
            ("HSET k1 f v", OOM),
            ("EXEC", "(error) EXECABORT Transaction discarded because of previous errors."),
            ("MULTI", "OK"),
            ("HGET k0 f", "QUEUED"),
            ("EXEC", "1) (nil)"),
            ("CONFIG SET maxmemory 0", "OK"),
            ("HSET k f v", "(integer) 1"),
        ]);
        assert_eq!(info(&mut client, "evicted_keys"), 0);
    }
}

#[test]
fn a_transaction_that_was_queued_while_there_was_room_runs_as_a_whole_or_not_at_all() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let (mut client, mut operator) = (server.connect(), server.connect());
        client.replay(&[
            ("HSET a f 1", "(integer) 1"),
            ("WATCH b", "OK"),
            ("MULTI", "OK"),
            ("HGET a f", "QUEUED"),
            ("HSET a f 2", "QUEUED"),
            ("HSET b f 2", "QUEUED"),
        ]);
        operator.replay(&[("CONFIG SET maxmemory 1", "OK"), ("HSET a f v", OOM)]);
        client.replay(&[
            (
                "EXEC",
                "(error) EXECABORT Transaction discarded because of: OOM command not allowed when used memory > \
                 'maxmemory'.",
            ),
            ("HGET a f", "\"1\""),
            ("EXEC", "(error) ERR EXEC without MULTI"),
        ]);
        operator.replay(&[("CONFIG SET maxmemory 0", "OK"), ("HSET b f v", "(integer) 1")]);
        client.replay(&[("MULTI", "OK"), ("HGET a f", "QUEUED"), ("EXEC", "1) \"1\"")]);
    }
}

#[test]
fn every_policy_keeps_memory_at_the_limit_under_writes_of_several_times_as_much() {
    const LIMIT: u64 = 2 * MIB;
    for shards in SHARD_COUNTS {
        for policy in [
            "allkeys-lru",
            "allkeys-lfu",
            "allkeys-random",
            "volatile-lru",
            "volatile-lfu",
            "volatile-random",
            "volatile-ttl",
        ] {
            let server = launch(shards, LIMIT, policy).start();
            let mut client = server.connect();
            for round in 0..8 {
                let errors = fill(&mut client, &format!("{round}:"), 8_000, true);
                assert!(errors.is_empty(), "{policy}: {errors:?}");
                let used = info(&mut client, "used_memory");
                assert!(used < LIMIT + CALL_BYTES, "{policy}: {used} bytes after round {round}");
            }
            let used = info(&mut client, "used_memory");
            assert!(used > LIMIT * 9 / 10, "{policy} leaves {used} bytes");
            // A slice of evicting may come between two looks.
            eventually("every key is there or was evicted, once", || {
                let (evicted, kept) = (info(&mut client, "evicted_keys"), client.integer("DBSIZE") as u64);
                let scraped = server.scrape().sum("mayfly_shard_evicted_keys_total");
                (kept + evicted == 64_000 && scraped == evicted as f64).then_some(())
            });
            client.replay(&[("CONFIG RESETSTAT", "OK")]);
            assert!(info(&mut client, "evicted_keys") < 100, "counted anew");
        }
    }
}

#[test]
fn volatile_policies_leave_hashes_without_a_ttl_alone() {
    for shards in SHARD_COUNTS {
        for policy in ["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"] {
            let server = launch(shards, MIB, policy).start();
            let mut client = server.connect();
            assert_eq!(fill(&mut client, "mortal", 1_000, true), Vec::<String>::new());
            let errors = fill(&mut client, "for ever", 20_000, false);
            assert!(errors.len() > 10_000 && errors.iter().all(|error| error == OOM), "{policy}");
            assert_eq!(info(&mut client, "evicted_keys"), 1_000, "{policy}");
            client.replay(&[("HSET more f v", OOM), ("HLEN mortal1", "(integer) 0")]);
            assert_eq!(client.integer("DBSIZE") as usize, 20_000 - errors.len(), "{policy}");
        }
    }
}

#[test]
fn a_limit_that_falls_is_kept_without_a_write() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut client = server.connect();
        assert!(fill(&mut client, "k", 40_000, false).is_empty());
        assert!(info(&mut client, "used_memory") > 4 * MIB);
        client.replay(&[("CONFIG SET maxmemory 2mb maxmemory-policy allkeys-lru", "OK")]);
        eventually("memory is within the limit", || {
            (info(&mut client, "used_memory") <= 2 * MIB).then_some(())
        });
        assert!(info(&mut client, "evicted_keys") > 10_000);
        client.replay(&[("CONFIG GET maxmemory", "1) \"maxmemory\"\n2) \"2097152\"")]);
    }
}

#[test]
fn shards_without_work_give_room_to_one_that_has_nothing_to_evict() {
    let server = launch(4, MIB, "volatile-ttl").start();
    let mut client = server.connect();
    // Each tag lies on one shard, these on different ones.
    assert!(fill(&mut client, "{a}", 8_000, true).is_empty());
    let evicted = info(&mut client, "evicted_keys");
    let mut refused = 0;
    for tag in ["{b}", "{c}", "{d}", "{e}", "{f}"] {
        for key in 0..400 {
            let request = format!("HSET {tag}{key} f {}", "y".repeat(100));
            let reply = client.run(&request);
            refused += u32::from(matches!(reply, Value::Error(_)));
        }
    }
    assert_eq!(refused, 0, "there were keys to evict all the time");
    assert!(info(&mut client, "evicted_keys") > evicted);
    eventually("memory is within the limit", || (info(&mut client, "used_memory") <= MIB).then_some(()));
}

#[test]
fn whoever_watches_listens_or_caches_hears_of_an_evicted_key() {
    for shards in SHARD_COUNTS {
        let server = Launch::with_shards(shards).set("events.notify", "Ee").start();
        let (mut client, mut listener, mut cache, mut watcher) =
            (server.connect(), server.connect(), server.connect(), server.connect());
        client.replay(&[("HSET k f v", "(integer) 1")]);
        listener.replay(&[("SUBSCRIBE __keyevent@0__:evicted", "*")]);
        cache.replay(&[("HELLO 3", "*"), ("CLIENT TRACKING on", "OK"), ("HGET k f", "\"v\"")]);
        watcher.replay(&[("WATCH k", "OK"), ("MULTI", "OK"), ("HSET k f w", "QUEUED")]);
        client.replay(&[("CONFIG SET maxmemory 1 maxmemory-policy allkeys-random", "OK")]);
        let message = listener.receive().to_string();
        assert!(message.ends_with("2) \"__keyevent@0__:evicted\"\n3) \"k\""), "{message}");
        let invalidation = cache.receive().to_string();
        assert!(invalidation.contains("invalidate") && invalidation.contains("\"k\""), "{invalidation}");
        client.replay(&[("CONFIG SET maxmemory 0", "OK"), ("EXISTS k", "(integer) 0")]);
        watcher.replay(&[("EXEC", "(nil)")]);
    }
}

#[test]
fn what_was_evicted_stays_away_after_a_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let launch = || Launch::with_shards(2).flags(["--dir"]).flags([folder.path()]);
    let mut server = launch().set("memory.bytes_max", MIB).set("memory.policy", "allkeys-random").start();
    let mut client = server.connect();
    assert!(fill(&mut client, "k", 20_000, false).is_empty());
    let kept = client.integer("DBSIZE") as usize;
    client.replay(&[("CONFIG SET maxmemory 0", "OK")]);
    client.send(&encode_line("SHUTDOWN"));
    assert_eq!(server.exit_code(), 0);
    let server = launch().start();
    let mut client = server.connect();
    let left = client.integer("DBSIZE") as usize;
    assert!(left == kept && left < 15_000, "{left} of {kept} keys");
}
