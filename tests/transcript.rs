//! HSETEX over a socket: the transcript that asked for it, and hashes that really go when their time comes.

use mayfly_resp::Value;

use crate::harness::{Client, SHARD_COUNTS, Server, encode_line, eventually};

#[test]
fn the_transcript_over_a_socket() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut client = server.connect();
        client.replay(&[
            ("HSETEX myhash field1 value1 60", "(integer) 1"),
            ("HSETEX myhash field2 value2 120", "(integer) 1"),
            ("HEXISTS myhash field1", "(integer) 1"),
        ]);
        // Every call resets the TTL. The transcript's 60 is what is left of the 120 a minute later.
        assert_ttl(&mut client, 120);
        client.replay(&[("HSETEX myhash field1 newvalue 180", "(integer) 0")]);
        assert_ttl(&mut client, 180);
        client.replay(&[("HGETALL myhash", "1) \"field1\"\n2) \"newvalue\"\n3) \"field2\"\n4) \"value2\"")]);
    }
}

/// Time passes while a test runs; how much is not the server's fault.
fn assert_ttl(client: &mut Client, seconds: i64) {
    let ttl = client.integer("TTL myhash");
    assert!((seconds - 30..=seconds).contains(&ttl), "TTL {ttl}, set to {seconds}");
}

#[test]
fn a_hash_is_there_until_its_deadline_and_absent_from_it_on() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let (mut client, mut other) = (server.connect(), server.connect());
        client.replay(&[
            ("HSETEX session user ann 3600", "(integer) 1"),
            ("PEXPIRE session 100", "(integer) 1"),
        ]);
        let deadline = client.integer("PEXPIRETIME session");
        eventually("the hash expires", || {
            let before = server_millis(&mut client);
            let present = other.integer("EXISTS session");
            let after = server_millis(&mut client);
            match present {
                1 => assert!(before < deadline, "present at {before}, deadline {deadline}"),
                _ => assert!(after >= deadline, "absent at {after}, deadline {deadline}"),
            }
            (present == 0).then_some(())
        });
        other.replay(&[
            ("HGET session user", "(nil)"),
            ("HGETALL session", "(empty array)"),
            ("HLEN session", "(integer) 0"),
            ("TTL session", "(integer) -2"),
            ("TYPE session", "none"),
            ("DBSIZE", "(integer) 0"),
            ("KEYS *", "(empty array)"),
            ("RANDOMKEY", "(nil)"),
            ("RENAME session other", "(error) ERR no such key"),
            ("HSETEX session user bob 60", "(integer) 1"),
        ]);
    }
}

/// The server's own clock, so that the test compares nothing with a clock of its own.
fn server_millis(client: &mut Client) -> i64 {
    let reply = client.run("TIME");
    let number = |item: &Value| -> i64 {
        let text = item.as_bytes().expect("TIME answers texts");
        String::from_utf8_lossy(text).parse().expect("TIME answers numbers")
    };
    let items = reply.as_items().expect("TIME answers two numbers");
    number(&items[0]) * 1_000 + number(&items[1]) / 1_000
}

#[test]
fn the_wheel_gives_back_hashes_that_nobody_touches() {
    const HASHES: usize = 1_000;
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut client = server.connect();
        let mut requests = Vec::new();
        for number in 0..HASHES {
            requests.extend(encode_line(&format!("HSETEX brief:{number} field value 3600")));
            requests.extend(encode_line(&format!("PEXPIRE brief:{number} {}", 200 + number % 100)));
        }
        requests.extend(encode_line("HSETEX long field value 3600"));
        client.pipeline(&requests, 2 * HASHES + 1);
        let scrape = eventually("the wheel removes them all", || {
            let scrape = server.scrape();
            let removed = scrape.sum_where("mayfly_shard_expired_keys_total", "reason=\"wheel\"");
            (removed == HASHES as f64).then_some(scrape)
        });
        assert_eq!(scrape.sum_where("mayfly_shard_expired_keys_total", "reason=\"access\""), 0.0);
        assert_eq!(scrape.sum("mayfly_shard_expiry_lag_seconds_count"), HASHES as f64);
        assert_eq!(scrape.sum("mayfly_shard_keys"), 1.0);
        assert_eq!(scrape.sum("mayfly_shard_keys_with_ttl"), 1.0);
        assert_eq!(scrape.sum("mayfly_shard_expiry_backlog_keys"), 0.0);
        client.replay(&[("DBSIZE", "(integer) 1"), ("HGET long field", "\"value\"")]);
    }
}
