//! Guard rails for TTLs: defaults, longest TTLs, what may not be without one, as an operator sets them.

use crate::harness::{Launch, SHARD_COUNTS, Server};

#[test]
fn rules_are_set_live_and_by_file_environment_and_flags() {
    for shards in SHARD_COUNTS {
        let server = Launch::with_shards(shards)
            .set("ttl.max_seconds", 1000)
            .set("ttl.rules", "session:* default=60; db=1 require")
            .start();
        let mut client = server.connect();
        client.replay(&[
            ("HSET session:1 f v", "(integer) 1"),
            ("TTL session:1", "(integer) 60"),
            ("HSETEX session:1 f v 5000", "(integer) 0"),
            ("TTL session:1", "(integer) 1000"),
            ("HSET other f v", "(integer) 1"),
            ("TTL other", "(integer) -1"),
            ("SELECT 1", "OK"),
            (
                "HSET other f v",
                "(error) ERR keys like '*' need a TTL: use HSETEX, or ask the operator about ttl.require",
            ),
            ("HSETEX other f v 10", "(integer) 1"),
            ("SELECT 0", "OK"),
            ("CONFIG SET ttl.default_seconds 30 ttl.max_seconds 0", "OK"),
            ("HSET third f v", "(integer) 1"),
            ("TTL third", "(integer) 30"),
            ("HSETEX third f v 5000", "(integer) 0"),
            ("TTL third", "(integer) 5000"),
            ("CONFIG SET ttl.default_seconds 0", "OK"),
            ("HSET fourth f v", "(integer) 1"),
            ("TTL fourth", "(integer) -1"),
            (
                "CONFIG SET ttl.rules max=x",
                "(error) ERR CONFIG SET failed (possibly related to argument 'ttl.rules') - in the rule \"max=x\" \
                 \"max=x\" is not a number from 0 to 3153600000; allowed: rules separated by ;, each [pattern] [db=N] \
                 [default=SECONDS] [max=SECONDS] [jitter=PERCENT] [require or optional]",
            ),
        ]);
    }
}

#[test]
fn transactions_and_pipelines_obey_the_rules() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut client = server.connect();
        client.replay(&[
            ("CONFIG SET ttl.require yes", "OK"),
            ("MULTI", "OK"),
            ("HSET a f v", "QUEUED"),
            ("HSETEX a f v 100", "QUEUED"),
            ("HSET a g v", "QUEUED"),
            ("PERSIST a", "QUEUED"),
        ]);
        let reply = client.run("EXEC").to_string();
        let refused = reply.lines().filter(|line| line.contains("need a TTL")).count();
        assert_eq!((refused, reply.lines().count()), (2, 4), "{reply}");
        client.replay(&[("TTL a", "(integer) 100"), ("HLEN a", "(integer) 2")]);
    }
}

#[test]
fn recorded_deadlines_are_kept_at_a_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let launch = || Launch::with_shards(2).flags(["--dir"]).flags([folder.path()]);
    let mut server = launch().start();
    let mut client = server.connect();
    client.replay(&[("HSETEX a f v 5000", "(integer) 1"), ("HSET b f v", "(integer) 1")]);
    client.send(b"*1\r\n$8\r\nSHUTDOWN\r\n");
    assert_eq!(server.exit_code(), 0);
    let server = launch().set("ttl.max_seconds", 10).set("ttl.require", true).start();
    let mut client = server.connect();
    assert!(client.integer("TTL a") > 4_900);
    client.replay(&[("TTL b", "(integer) -1")]);
}
