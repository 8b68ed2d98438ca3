//! Who may connect, who is thrown out, who has to say the password, and who sees whom.

use crate::harness::{Client, Launch, SHARD_COUNTS, Server, encode, encode_line, eventually};

#[test]
fn one_client_too_many_is_told_and_closed() {
    let server = Launch::with_shards(4).set("server.connections_max", 3).start();
    let mut clients: Vec<_> = (0..3).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.replay(&[("PING", "PONG")]);
    }
    let mut turned_away = server.connect();
    assert_eq!(turned_away.receive().to_string(), "(error) ERR max number of clients reached");
    turned_away.expect_closed();
    let scrape = server.scrape();
    assert_eq!(scrape.sum("mayfly_connections"), 3.0);
    assert_eq!(scrape.sum("mayfly_connections_rejected_total"), 1.0);

    clients.pop();
    eventually("the place is free", || (server.scrape().sum("mayfly_connections") == 2.0).then_some(()));
    server.connect().replay(&[("PING", "PONG")]);
    clients[0].replay(&[("PING", "PONG")]);
}

#[test]
fn a_silent_client_is_closed_and_an_active_one_is_not() {
    let server = Launch::with_shards(1).set("server.idle_timeout_seconds", 2).start();
    let (mut silent, mut active) = (server.connect(), server.connect());
    silent.replay(&[("PING", "PONG")]);
    while !silent.is_closed_now() {
        active.replay(&[("PING", "PONG")]);
    }
    active.replay(&[("PING", "PONG")]);
}

#[test]
fn nothing_is_done_for_a_client_without_the_password() {
    for shards in SHARD_COUNTS {
        let server = Launch::with_shards(shards).set("server.password", "sesame").start();
        let mut client = server.connect();
        let refused = "(error) NOAUTH Authentication required.";
        let wrong = "(error) WRONGPASS invalid username-password pair or user is disabled.";
        client.replay(&[
            ("PING", refused),
            ("HSET h f v", refused),
            ("EXISTS a b c", refused),
            ("DBSIZE", refused),
            ("SELECT 1", refused),
            ("CLIENT LIST", refused),
            ("INFO", refused),
            ("SHUTDOWN", refused),
            ("COMMAND COUNT", refused),
            ("AUTH wrong", wrong),
            ("AUTH default wrong", wrong),
            ("AUTH somebody sesame", wrong),
            ("PING", refused),
            ("AUTH sesame", "OK"),
            ("PING", "PONG"),
            ("HGET h f", "(nil)"),
            ("AUTH wrong", wrong),
            ("PING", "PONG"),
            ("RESET", "RESET"),
            ("PING", refused),
            ("AUTH default sesame", "OK"),
            ("DBSIZE", "(integer) 0"),
        ]);
    }
}

#[test]
fn hello_can_bring_the_password() {
    let server = Launch::with_shards(1).set("server.password", "sesame").start();
    let mut client = server.connect();
    let hello = client.run("HELLO 3").to_string();
    assert!(
        hello.starts_with("(error) NOAUTH HELLO must be called with the client already authenticated"),
        "{hello}"
    );
    client.replay(&[
        (
            "HELLO 3 AUTH default wrong",
            "(error) WRONGPASS invalid username-password pair or user is disabled.",
        ),
        ("PING", "(error) NOAUTH Authentication required."),
        ("HELLO 3 AUTH default sesame SETNAME ann", "*"),
        ("CLIENT GETNAME", "\"ann\""),
        ("HGETALL nothing", "(empty hash)"),
    ]);
}

/// Redis 8.2.3 gives the failing AUTH of such a pipeline no reply at all.
#[test]
fn every_request_of_a_pipeline_without_the_password_gets_its_reply() {
    for shards in SHARD_COUNTS {
        let server = Launch::with_shards(shards).set("server.password", "sesame").start();
        // After AUTH, in the same pipeline, a request longer than what strangers may send.
        let many = format!("EXISTS {}", vec!["key"; 20].join(" "));
        let lines = ["HGET h f", "AUTH wrong", "HSET h f v", "AUTH sesame", &many, "HSET h f v", "HGET h f"];
        let replies = server.connect().pipeline(&lines.map(encode_line).concat(), lines.len());
        let shown: Vec<_> = replies.iter().map(ToString::to_string).collect();
        let expected = [
            "(error) NOAUTH Authentication required.",
            "(error) WRONGPASS invalid username-password pair or user is disabled.",
            "(error) NOAUTH Authentication required.",
            "OK",
            "(integer) 0",
            "(integer) 1",
            "\"v\"",
        ];
        assert_eq!(shown, expected);
    }
}

#[test]
fn strangers_may_send_small_requests_only() {
    let server = Launch::with_shards(1).set("server.password", "sesame").start();
    let cases = [
        ("*11\r\n", "unauthenticated multibulk length"),
        ("*2\r\n$4\r\nAUTH\r\n$16385\r\n", "unauthenticated bulk length"),
    ];
    for (bytes, text) in cases {
        let mut client = server.connect();
        client.send(bytes.as_bytes());
        assert_eq!(client.receive().to_string(), format!("(error) ERR Protocol error: {text}"));
        client.expect_closed();
        let mut friend = server.connect();
        friend.replay(&[("AUTH sesame", "OK")]);
        friend.send(&encode(&["ECHO", &"x".repeat(16_385)]));
        assert_eq!(friend.receive().as_bytes().map(<[u8]>::len), Some(16_385));
    }
}

#[test]
fn client_list_shows_the_clients_of_all_threads() {
    let server = Server::start(4);
    let mut clients: Vec<_> = (0..8).map(|_| server.connect()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client
            .replay(&[(&format!("CLIENT SETNAME name-{number}"), "OK"), (&format!("SELECT {number}"), "OK")]);
    }
    let list = text(&mut clients[3], "CLIENT LIST");
    assert_eq!(list.lines().count(), clients.len(), "{list}");
    for number in 0..clients.len() {
        let of_this = |line: &&str| line.contains(&format!(" name=name-{number} "));
        let line = list.lines().find(of_this).unwrap_or_else(|| panic!("name-{number} in {list}"));
        assert!(line.contains(&format!(" db={number} ")), "{line}");
    }
    let ids: Vec<i64> = clients.iter_mut().map(|client| client.integer("CLIENT ID")).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");

    let last = clients.pop();
    drop(last);
    eventually("the list forgets who has gone", || {
        (!text(&mut clients[0], "CLIENT LIST").contains("name-7")).then_some(())
    });
}

fn text(client: &mut Client, line: &str) -> String {
    let reply = client.run(line);
    String::from_utf8_lossy(reply.as_bytes().expect("a text")).into_owned()
}
