//! `CONFIG SET`: settings that change while the server runs, and what clients notice at once.

use crate::harness::{Client, SHARD_COUNTS, Server, eventually};

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
