//! Transactions: what was queued happens as one, or not at all.

use crate::harness::{Client, Launch, Seed, Server, encode_line};

const QUEUED: &str = "QUEUED";

#[test]
fn queued_requests_run_as_one_and_answer_one_array() {
    for shards in [1, 4] {
        let server = Server::start(shards);
        server.connect().replay(&[
            ("MULTI", "OK"),
            ("HSETEX a f 1 60", QUEUED),
            ("HSET b f 2", QUEUED),
            ("PING hello", QUEUED),
            ("SELECT 1", QUEUED),
            ("EXISTS a b", QUEUED),
            ("SELECT 0", QUEUED),
            ("EXISTS a b", QUEUED),
            ("HINCRBY b f x", QUEUED),
            ("TTL a", QUEUED),
            (
                "EXEC",
                "1) (integer) 1\n2) (integer) 1\n3) \"hello\"\n4) OK\n5) (integer) 0\n6) OK\n7) (integer) 2\n\
                 8) (error) ERR value is not an integer or out of range\n9) (integer) 60",
            ),
            ("MULTI", "OK"),
            ("EXEC", "(empty array)"),
            ("MULTI", "OK"),
            ("PING", QUEUED),
            ("UNWATCH", QUEUED),
            ("EXEC", "1) PONG\n2) OK"),
        ]);
    }
}

#[test]
fn what_cannot_be_queued_aborts_the_whole() {
    let server = Server::start(2);
    server.connect().replay(&[
        ("EXEC", "(error) ERR EXEC without MULTI"),
        ("DISCARD", "(error) ERR DISCARD without MULTI"),
        ("MULTI", "OK"),
        ("MULTI", "(error) ERR MULTI calls can not be nested"),
        ("WATCH a", "(error) ERR WATCH inside MULTI is not allowed"),
        ("HSET a f 1", QUEUED),
        ("EXEC", "1) (integer) 1"),
        ("MULTI", "OK"),
        ("HSET a f 2", QUEUED),
        ("NOSUCH x", "(error) ERR unknown command 'NOSUCH', with args beginning with: 'x' "),
        ("HGET a", "(error) ERR wrong number of arguments for 'hget' command"),
        ("EXEC", "(error) EXECABORT Transaction discarded because of previous errors."),
        ("HGET a f", "\"1\""),
        ("MULTI", "OK"),
        ("HSET a f 3", QUEUED),
        (
            "EXEC now",
            "(error) EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command",
        ),
        ("HGET a f", "\"1\""),
        ("MULTI", "OK"),
        ("HSET a f 3", QUEUED),
        ("DISCARD", "OK"),
        ("HGET a f", "\"1\""),
        ("MULTI", "OK"),
        ("HSET a f 4", QUEUED),
        ("RESET", "RESET"),
        ("EXEC", "(error) ERR EXEC without MULTI"),
        ("HGET a f", "\"1\""),
    ]);
}

#[test]
fn a_transaction_that_is_too_long_is_refused() {
    let server = Launch::with_shards(1).set("limits.transaction_calls_max", 2).start();
    server.connect().replay(&[
        ("MULTI", "OK"),
        ("HSET a f 1", QUEUED),
        ("HSET a f 2", QUEUED),
        ("HSET a f 3", "(error) ERR transaction too long: at most 2 commands, 67108864 bytes"),
        ("EXEC", "(error) EXECABORT Transaction discarded because of previous errors."),
        ("EXISTS a", "(integer) 0"),
    ]);
    let server = Launch::with_shards(1).set("limits.watched_keys_max", 2).start();
    server.connect().replay(&[
        ("WATCH a b", "OK"),
        ("WATCH c", "(error) ERR a client may watch 2 keys at most"),
        ("UNWATCH", "OK"),
        ("WATCH c", "OK"),
    ]);
}

/// Each case: what somebody else does between `WATCH` and `EXEC`, and whether the transaction runs then.
#[test]
fn a_watched_key_that_changes_stops_the_transaction() {
    for shards in [1, 4] {
        let server = Server::start(shards);
        let (mut watcher, mut other) = (server.connect(), server.connect());
        for (line, runs) in [
            ("HGET k f", true),
            ("HSET elsewhere f 1", true),
            ("HSET k f 2", false),
            ("HDEL k nothing", true),
            ("EXPIRE k 100", false),
            ("PERSIST k", true),
            ("DEL k", false),
            ("RENAME source k", false),
            ("COPY source k REPLACE", false),
            ("FLUSHALL", false),
            ("SWAPDB 0 1", false),
        ] {
            other.replay(&[
                ("SELECT 0", "OK"),
                ("FLUSHALL", "OK"),
                ("HSET k f 1", "*"),
                ("HSET source f 9", "*"),
            ]);
            watcher.replay(&[("WATCH k m", "OK"), ("MULTI", "OK"), ("HSET done f 1", QUEUED)]);
            other.run(line);
            let expected = if runs { "1) (integer) 1" } else { "(nil)" };
            assert_eq!(watcher.run("EXEC").to_string(), expected, "{line} with {shards} shards");
            // The watch is over, however it ended.
            watcher.replay(&[("MULTI", "OK"), ("PING", QUEUED)]);
            other.run("HSET k f 3");
            watcher.replay(&[("EXEC", "1) PONG")]);
        }
    }
}

/// The same for a key that is not there: only what brings it is a change.
#[test]
fn a_watched_key_that_is_absent_changes_by_coming_only() {
    for shards in [1, 4] {
        let server = Server::start(shards);
        let (mut watcher, mut other) = (server.connect(), server.connect());
        for (lines, runs) in [
            (&["FLUSHALL"][..], true),
            (&["FLUSHDB"], true),
            (&["DEL k"], true),
            (&["SWAPDB 0 1"], true),
            (&["SWAPDB 0 1", "SWAPDB 1 0"], true),
            (&["HSET k f 1", "FLUSHDB"], false),
            (&["SWAPDB 0 2"], false),
            (&["SWAPDB 2 0"], false),
            (&["SWAPDB 1 2", "SWAPDB 0 1"], false),
            (&["SWAPDB 0 2", "FLUSHALL"], false),
        ] {
            other.replay(&[("FLUSHALL", "OK"), ("SELECT 2", "OK"), ("HSET k f 1", "*"), ("SELECT 0", "OK")]);
            watcher.replay(&[("WATCH k m", "OK"), ("MULTI", "OK"), ("HSET done f 1", QUEUED)]);
            lines.iter().for_each(|line| drop(other.run(line)));
            let expected = if runs { "1) (integer) 1" } else { "(nil)" };
            assert_eq!(watcher.run("EXEC").to_string(), expected, "{lines:?} with {shards} shards");
        }
    }
}

#[test]
fn a_watch_ends_with_unwatch_and_discard_and_sees_expiry() {
    let server = Server::start(2);
    let (mut watcher, mut other) = (server.connect(), server.connect());
    for ending in ["UNWATCH", "DISCARD"] {
        watcher.replay(&[("WATCH k", "OK"), ("MULTI", "OK"), ("DISCARD", "OK"), ("WATCH k", "OK")]);
        if ending == "DISCARD" {
            watcher.run("MULTI");
        }
        watcher.replay(&[(ending, "OK")]);
        other.run("HSET k f 1");
        watcher.replay(&[("MULTI", "OK"), ("PING", QUEUED), ("EXEC", "1) PONG")]);
    }
    other.run("PEXPIRE k 20");
    watcher.replay(&[("WATCH k", "OK"), ("MULTI", "OK"), ("PING", QUEUED)]);
    while other.integer("EXISTS k") == 1 {}
    watcher.replay(&[("EXEC", "(nil)")]);
    // Of what was watched nothing is left behind: another transaction over the same keys runs.
    watcher.replay(&[("WATCH k", "OK"), ("MULTI", "OK"), ("HSET k f 1", QUEUED), ("EXEC", "1) (integer) 1")]);
}

#[test]
fn a_pipelined_transaction_keeps_its_place() {
    let server = Server::start(4);
    let mut requests = Vec::new();
    for round in 0..300 {
        for line in [
            &format!("HSET plain:{round} f 1"),
            "MULTI",
            &format!("HSET one:{round} f {round}"),
            &format!("HSET two:{round} f {round}"),
            &format!("DEL plain:{round}"),
            "EXEC",
            &format!("EXISTS plain:{round} one:{round} two:{round}"),
        ] {
            requests.extend(encode_line(line));
        }
    }
    let replies = server.connect().pipeline(&requests, 7 * 300);
    for (round, replies) in replies.chunks(7).enumerate() {
        let shown: Vec<_> = replies.iter().map(ToString::to_string).collect();
        let exec = "1) (integer) 1\n2) (integer) 1\n3) (integer) 1";
        let expected = ["(integer) 1", "OK", QUEUED, QUEUED, QUEUED, exec, "(integer) 2"];
        assert_eq!(shown, expected, "round {round}");
    }
}

const ACCOUNTS: usize = 10;
const SUM: i64 = 1_000;

/// Amounts move between hashes on different shards by MULTI/EXEC, while others add them all up in one: the sum
/// is always the same.
#[test]
fn the_sum_over_many_hashes_never_changes() {
    let seed = Seed::of_this_run();
    let server = Server::start(4);
    let mut client = server.connect();
    for account in 0..ACCOUNTS {
        client.run(&format!("HSET account:{account} amount {}", SUM / ACCOUNTS as i64));
    }
    std::thread::scope(|scope| {
        for mover in 0..6 {
            let (mut client, mut rng) = (server.connect(), seed.rng(mover));
            scope.spawn(move || {
                for _ in 0..500 {
                    let (from, to, amount) = (rng.usize(..ACCOUNTS), rng.usize(..ACCOUNTS), rng.i64(1..50));
                    client.replay(&[
                        ("MULTI", "OK"),
                        (&format!("HINCRBY account:{from} amount -{amount}"), QUEUED),
                        (&format!("HINCRBY account:{to} amount {amount}"), QUEUED),
                        ("EXEC", "*"),
                    ]);
                }
            });
        }
        for _ in 0..3 {
            let mut client = server.connect();
            scope.spawn(move || (0..300).for_each(|_| assert_eq!(sum(&mut client), SUM)));
        }
    });
    assert_eq!(sum(&mut client), SUM);
}

fn sum(client: &mut Client) -> i64 {
    client.run("MULTI");
    for account in 0..ACCOUNTS {
        client.run(&format!("HGET account:{account} amount"));
    }
    let amounts = client.run("EXEC");
    let amounts = amounts.as_items().expect("EXEC answers an array").iter();
    amounts
        .map(|amount| {
            let digits = amount.as_bytes().expect("an amount is there");
            String::from_utf8_lossy(digits).parse::<i64>().expect("an amount is a number")
        })
        .sum()
}
