//! `CONFIG SET`: settings that change while the server runs, and what clients notice at once.

use crate::harness::{Client, Launch, SHARD_COUNTS, Server, eventually};

#[test]
fn events_are_told_from_the_moment_they_are_asked_for() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let (mut subscriber, mut client) = (server.connect(), server.connect());
        subscriber.run("PSUBSCRIBE __keyevent@0__:*");
        for round in 0..50 {
            client.replay(&[
                ("CONFIG SET notify-keyspace-events KEA", "OK"),
                ("CONFIG GET notify-keyspace-events", "1) \"notify-keyspace-events\"\n2) \"AKE\""),
            ]);
            let key = format!("heard:{round}");
            client.run(&format!("HSET {key} f v"));
            assert_eq!(
                subscriber.receive().to_string(),
                format!("1) \"pmessage\"\n2) \"__keyevent@0__:*\"\n3) \"__keyevent@0__:hset\"\n4) \"{key}\"")
            );
            client.call(&["CONFIG", "SET", "notify-keyspace-events", ""]);
            client.run(&format!("HSET unheard:{round} f v"));
        }
        client.run("PUBLISH __keyevent@0__:end end");
        assert!(subscriber.receive().to_string().ends_with("4) \"end\""), "no event in between");
    }
}

#[test]
fn all_is_set_or_nothing() {
    let server = Server::start(2);
    let mut client = server.connect();
    client.replay(&[
        (
            "CONFIG SET timeout 100 nope 1",
            "(error) ERR Unknown option or number of arguments for CONFIG SET - 'nope'",
        ),
        (
            "CONFIG SET timeout 100 maxclients many",
            "(error) ERR CONFIG SET failed (possibly related to argument 'maxclients') - argument couldn't be \
             parsed into an integer",
        ),
        (
            "CONFIG SET timeout 100 port 1",
            "(error) ERR CONFIG SET failed (possibly related to argument 'port') - can't set immutable config",
        ),
        (
            "CONFIG SET timeout 100 TIMEOUT 200",
            "(error) ERR CONFIG SET failed (possibly related to argument 'timeout') - duplicate parameter",
        ),
        ("CONFIG GET timeout", "1) \"timeout\"\n2) \"0\""),
        ("CONFIG SET Timeout 100 tcp-keepalive 60", "OK"),
        (
            "CONFIG GET t[ic]*",
            "1) \"timeout\"\n2) \"100\"\n3) \"tcp-keepalive\"\n4) \"60\"\n5) \"tcp-backlog\"\n6) \"511\"",
        ),
    ]);
}

#[test]
fn a_new_limit_of_clients_holds_for_those_who_come() {
    let server = Server::start(1);
    let mut first = server.connect();
    first.replay(&[("CONFIG SET maxclients 1", "OK"), ("PING", "PONG")]);
    let mut turned_away = server.connect();
    assert_eq!(turned_away.receive().to_string(), "(error) ERR max number of clients reached");
    turned_away.expect_closed();
    first.replay(&[("CONFIG SET maxclients 2", "OK")]);
    server.connect().replay(&[("PING", "PONG")]);
    assert!(first.run("INFO clients").to_string().contains("maxclients:2"));
}

#[test]
fn a_new_password_is_asked_of_those_who_come() {
    let server = Server::start(4);
    let mut operator = server.connect();
    operator.replay(&[("CONFIG SET requirepass sesame", "OK"), ("PING", "PONG")]);
    let mut late = server.connect();
    late.replay(&[
        ("PING", "(error) NOAUTH Authentication required."),
        ("AUTH wrong", "(error) WRONGPASS invalid username-password pair or user is disabled."),
    ]);
    let mut waiting = server.connect();
    waiting.replay(&[("PING", "(error) NOAUTH Authentication required.")]);
    late.replay(&[("AUTH sesame", "OK"), ("CONFIG GET requirepass", "1) \"requirepass\"\n2) \"***\"")]);
    assert_eq!(late.call(&["CONFIG", "SET", "requirepass", ""]).to_string(), "OK");
    waiting.replay(&[("PING", "PONG")]);
    server.connect().replay(&[("PING", "PONG")]);
}

#[test]
fn a_new_timeout_holds_for_those_who_are_connected() {
    let server = Server::start(4);
    let mut silent: Vec<_> = (0..4).map(|_| server.connect()).collect();
    for client in &mut silent {
        client.replay(&[("PING", "PONG")]);
    }
    let mut operator = server.connect();
    operator.replay(&[("CONFIG SET timeout 1", "OK")]);
    for client in &mut silent {
        eventually("the silent are closed", || {
            operator.run("PING");
            client.is_closed_now().then_some(())
        });
    }
    operator.replay(&[("CONFIG SET timeout 0", "OK"), ("PING", "PONG")]);
}

#[test]
fn a_policy_of_frequency_counts_uses_on_every_shard() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut client = server.connect();
        client.replay(&[
            ("CONFIG GET maxmemory-policy", "1) \"maxmemory-policy\"\n2) \"noeviction\""),
            (
                "CONFIG SET maxmemory-policy lru",
                "(error) ERR CONFIG SET failed (possibly related to argument 'maxmemory-policy') - argument(s) must \
                 be one of the following: volatile-lru, volatile-lfu, volatile-random, volatile-ttl, allkeys-lru, \
                 allkeys-lfu, allkeys-random, noeviction",
            ),
            ("CONFIG SET maxmemory-policy allkeys-lfu lfu-log-factor 0", "OK"),
        ]);
        for key in ["a", "b", "c", "d"] {
            client.replay(&[
                (&format!("HSET {key} f v"), "(integer) 1"),
                (&format!("HGET {key} f"), "\"v\""),
                (&format!("OBJECT FREQ {key}"), "(integer) 6"),
                ("CLIENT NO-TOUCH on", "OK"),
                (&format!("HGET {key} f"), "\"v\""),
                (&format!("OBJECT FREQ {key}"), "(integer) 6"),
                ("CLIENT NO-TOUCH off", "OK"),
                // Over several shards as on one.
                ("TOUCH a b c d", "*"),
                (&format!("OBJECT FREQ {key}"), "(integer) 7"),
                ("DEL a b c d", "(integer) 1"),
            ]);
        }
        let info = client.run("INFO memory");
        let info = String::from_utf8_lossy(info.as_bytes().expect("a text")).into_owned();
        assert!(
            info.contains("\r\nmaxmemory:0\r\n") && info.contains("\r\nmaxmemory_policy:allkeys-lfu\r\n")
        );
    }
}

#[test]
fn statistics_are_counted_anew_and_metrics_go_on() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut client = server.connect();
        for key in ["a", "b", "c", "d"] {
            client.run(&format!("HGET {key} f"));
        }
        let misses = |client: &mut Client| {
            let stats = client.run("INFO stats commandstats");
            let stats = String::from_utf8_lossy(stats.as_bytes().expect("a text")).into_owned();
            let line = stats.lines().find_map(|line| line.strip_prefix("keyspace_misses:"));
            (line.expect("it is there").to_owned(), stats.contains("cmdstat_hget:"))
        };
        assert_eq!(misses(&mut client), ("4".to_owned(), true));
        client.replay(&[("CONFIG RESETSTAT", "OK")]);
        assert_eq!(misses(&mut client), ("0".to_owned(), false));
        client.run("HGET a f");
        assert_eq!(misses(&mut client), ("1".to_owned(), true));
        assert_eq!(server.scrape().sum("mayfly_shard_misses_total"), 5.0);
    }
}

#[test]
fn new_limits_hold_for_everybody_from_the_next_read_on() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let (mut operator, mut early) = (server.connect(), server.connect());
        let fields: Vec<_> = (0..9).map(|number| format!("f{number} v")).collect();
        let hset = |key: &str| format!("HSET {key} {}", fields.join(" "));
        early.replay(&[(&hset("before"), "(integer) 9"), ("OBJECT ENCODING before", "\"listpack\"")]);
        operator.replay(&[
            ("CONFIG SET hash-max-listpack-entries 8 limits.transaction_calls_max 1", "OK"),
            ("CONFIG SET proto-max-bulk-len 1kb expiry.slice_entries_max 1", "OK"),
            ("CONFIG GET expiry.*", "1) \"expiry.slice_entries_max\"\n2) \"1\""),
        ]);
        for client in [&mut early, &mut server.connect()] {
            let key = format!("after:{}", client.integer("CLIENT ID"));
            client.replay(&[
                (&hset(&key), "(integer) 9"),
                (&format!("OBJECT ENCODING {key}"), "\"hashtable\""),
                ("OBJECT ENCODING before", "\"listpack\""),
                ("MULTI", "OK"),
                ("PING", "QUEUED"),
                ("PING", "(error) ERR transaction too long: at most 1 commands, 67108864 bytes"),
                ("DISCARD", "OK"),
            ]);
            let long = format!("ECHO {}", "x".repeat(1_025));
            client.replay(&[(&long, "(error) ERR Protocol error: invalid bulk length")]);
            client.expect_closed();
        }
    }
}

#[test]
fn the_limits_of_output_bear_their_redis_name() {
    let server = Server::start(2);
    let (mut operator, mut subscriber) = (server.connect(), server.connect());
    subscriber.run("SUBSCRIBE flood");
    let set = |value: &str| ["CONFIG", "SET", "client-output-buffer-limit", value].map(str::to_owned);
    assert_eq!(operator.call(&set("pubsub 64kb 0 0")).to_string(), "OK");
    operator.replay(&[(
        "CONFIG GET client-output-buffer-limit",
        "1) \"client-output-buffer-limit\"\n2) \"normal 268435456 0 0 slave 0 0 0 pubsub 65536 0 0\"",
    )]);
    assert_eq!(
        operator.call(&set("normal 1mb 0 0 pubsub 0 8mb 60")).to_string(),
        "(error) ERR CONFIG SET failed (possibly related to argument 'client-output-buffer-limit') - the hard limit of \
         pubsub must be between 65536 and 17179869184 inclusive"
    );
    let message = format!("PUBLISH flood {}", "m".repeat(10_000));
    let told = (0..100_000).take_while(|_| operator.integer(&message) == 1).count();
    assert!(told < 100_000, "the subscriber is still there");
}

#[test]
fn a_new_level_of_the_log_holds_at_once() {
    let server = Launch::with_shards(2).file("").start();
    let mut client = server.connect();
    let rewritten = || server.log().matches("the config file was rewritten").count();
    client.replay(&[("CONFIG SET loglevel warning", "OK"), ("CONFIG REWRITE", "OK")]);
    assert_eq!(rewritten(), 0);
    client.replay(&[("CONFIG SET loglevel notice", "OK"), ("CONFIG REWRITE", "OK")]);
    eventually("the log says so", || (rewritten() == 1).then_some(()));
    client.replay(&[("CONFIG GET loglevel", "1) \"loglevel\"\n2) \"notice\"")]);
}
