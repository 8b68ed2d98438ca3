//! `CLIENT KILL` and `CLIENT REPLY`: what one client does to others, and to its own replies.

use crate::harness::{Client, SHARD_COUNTS, Server, encode_line, eventually};

/// A client and its number.
fn connect(server: &Server) -> (Client, i64) {
    let mut client = server.connect();
    let id = client.integer("CLIENT ID");
    (client, id)
}

#[test]
fn a_killed_client_is_closed_and_gone_from_the_list() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut operator = server.connect();
        operator.run("CLIENT SETNAME operator");
        let mut others: Vec<_> = (0..8).map(|_| connect(&server)).collect();
        let (mut subscriber, _) = connect(&server);
        subscriber.run("SUBSCRIBE news");
        operator.replay(&[("CLIENT KILL TYPE pubsub", "(integer) 1")]);
        subscriber.expect_closed();
        for (client, id) in &mut others {
            operator.replay(&[(&format!("CLIENT KILL ID {id}"), "(integer) 1")]);
            let list = operator.run("CLIENT LIST").to_string();
            assert!(!list.contains(&format!("id={id} ")), "{list}");
            client.expect_closed();
        }
        let (mut last, _) = connect(&server);
        operator.replay(&[("CLIENT KILL SKIPME yes", "(integer) 1"), ("CLIENT GETNAME", "\"operator\"")]);
        last.expect_closed();
    }
}

#[test]
fn a_killed_subscriber_is_forgotten() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let (mut operator, (mut subscriber, id)) = (server.connect(), connect(&server));
        subscriber.run("SUBSCRIBE news");
        operator.replay(&[
            ("PUBLISH news before", "(integer) 1"),
            (&format!("CLIENT KILL ID {id}"), "(integer) 1"),
        ]);
        subscriber.receive_all();
        eventually("nobody listens", || (operator.integer("PUBLISH news after") == 0).then_some(()));
    }
}

#[test]
fn whoever_kills_itself_is_answered_first() {
    let server = Server::start(4);
    let mut client = server.connect();
    client.send(&[encode_line("CLIENT KILL SKIPME no"), encode_line("HSET h f v")].concat());
    assert_eq!(client.receive().to_string(), "(integer) 1");
    client.expect_closed();
    server.connect().replay(&[("EXISTS h", "(integer) 0")]);
}

#[test]
fn replies_come_only_to_whom_they_are_wanted() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut client = server.connect();
        let requests = [
            "HSET a f 1",
            "CLIENT REPLY SKIP",
            "HSET b f 2",
            "HGET a f",
            "CLIENT REPLY OFF",
            "HSET c f 3",
            "DEL a b",
            "NONSENSE",
            "PING",
            "MULTI",
            "HSET d f 4",
            "EXEC",
            "CLIENT REPLY SKIP",
            "CLIENT REPLY ON",
            "CLIENT REPLY SKIP",
            "CLIENT REPLY SKIP",
            "NONSENSE",
            "EXISTS a b c d",
            "CLIENT REPLY OFF",
            "SUBSCRIBE news",
            "UNSUBSCRIBE news",
            "RESET",
            "HGET d f",
        ];
        client.send(&requests.map(encode_line).concat());
        for expected in [
            "(integer) 1",
            "\"1\"",
            "OK",
            "(integer) 2",
            "1) \"subscribe\"\n2) \"news\"\n3) (integer) 1",
            "1) \"unsubscribe\"\n2) \"news\"\n3) (integer) 0",
            "RESET",
            "\"4\"",
        ] {
            assert_eq!(client.receive().to_string(), expected);
        }
    }
}

#[test]
fn messages_come_although_replies_are_off() {
    let server = Server::start(4);
    let (mut listener, mut client) = (server.connect(), server.connect());
    listener.run("HELLO 3");
    listener.send(&["CLIENT REPLY OFF", "PING", "SUBSCRIBE news"].map(encode_line).concat());
    assert!(listener.receive().to_string().contains("subscribe"));
    client.replay(&[("PUBLISH news today", "(integer) 1")]);
    assert!(listener.receive().to_string().contains("today"));
}
