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

#[test]
fn a_pause_of_writes_holds_them_until_it_is_ended() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut operator = server.connect();
        operator.replay(&[("HSET h f 1", "(integer) 1"), ("CLIENT PAUSE 1000000 WRITE", "OK")]);
        let (mut writer, id) = connect(&server);
        // Inline and with quotes: such a request must not be read twice.
        writer.send(b"HSET h \"f\\x41\" 'two words'\r\nHGET h fA\r\nMULTI\r\nHGET h f\r\nEXEC\r\n");
        let (mut publisher, _) = connect(&server);
        publisher.send(&["MULTI", "HGET h f", "EXEC", "PUBLISH a x", "PING"].map(encode_line).concat());
        assert_eq!(publisher.receive().to_string(), "OK");
        assert_eq!(publisher.receive().to_string(), "QUEUED");
        assert_eq!(publisher.receive().to_string(), "1) \"1\"");
        eventually("both are held", || {
            let info = operator.run("INFO clients").to_string();
            info.contains("blocked_clients:2").then_some(())
        });
        let list = operator.run(&format!("CLIENT LIST ID {id}")).to_string();
        assert!(list.contains("flags=b "), "{list}");
        operator.replay(&[
            ("HGETALL h", "1) \"f\"\n2) \"1\""),
            ("HSET h", "(error) ERR wrong number of arguments for 'hset' command"),
            ("CLIENT UNPAUSE", "OK"),
        ]);
        for expected in ["(integer) 1", "\"two words\"", "OK", "QUEUED", "1) \"1\""] {
            assert_eq!(writer.receive().to_string(), expected);
        }
        assert_eq!(publisher.receive().to_string(), "(integer) 0");
        assert_eq!(publisher.receive().to_string(), "PONG");
    }
}

#[test]
fn a_transaction_that_would_write_is_held_and_one_that_would_not_is_not() {
    let server = Server::start(4);
    let (mut operator, mut writer) = (server.connect(), server.connect());
    writer.replay(&[("MULTI", "OK"), ("HSET h f 1", "QUEUED")]);
    operator.replay(&[("CLIENT PAUSE 1000000 WRITE", "OK")]);
    writer.send(&encode_line("EXEC"));
    eventually("it is held", || {
        operator.run("INFO clients").to_string().contains("blocked_clients:1").then_some(())
    });
    operator.replay(&[("EXISTS h", "(integer) 0"), ("CLIENT UNPAUSE", "OK")]);
    assert_eq!(writer.receive().to_string(), "1) (integer) 1");
}

#[test]
fn a_pause_of_all_holds_everything_and_ends_by_itself() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let (mut operator, mut other) = (server.connect(), server.connect());
        operator.send(&["PING", "CLIENT PAUSE 100", "PING"].map(encode_line).concat());
        assert_eq!(operator.receive().to_string(), "PONG");
        assert_eq!(operator.receive().to_string(), "OK");
        // Also the one who would end it, as in Redis; wrong requests are refused at once.
        other.send(&["NONSENSE", "CLIENT UNPAUSE", "HSET h f 1"].map(encode_line).concat());
        assert!(other.receive().is_error());
        for expected in ["OK", "(integer) 1"] {
            assert_eq!(other.receive().to_string(), expected);
        }
        assert_eq!(operator.receive().to_string(), "PONG");
        operator.replay(&[("CLIENT PAUSE 0", "OK"), ("PING", "PONG")]);
    }
}

#[test]
fn held_requests_are_carried_out_before_the_end() {
    let mut server = Server::start(2);
    let (mut operator, mut writer) = (server.connect(), server.connect());
    operator.replay(&[("CLIENT PAUSE 1000000 WRITE", "OK")]);
    writer.send(&encode_line("HSET h f 1"));
    eventually("it is held", || {
        operator.run("INFO clients").to_string().contains("blocked_clients:1").then_some(())
    });
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(writer.receive().to_string(), "(integer) 1");
    writer.expect_closed();
    assert_eq!(server.exit_code(), 0);
}

#[test]
fn the_list_says_what_each_client_is_in_the_middle_of() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut operator = server.connect();
        for (lines, shown) in [
            (&["PING"][..], "flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 watch=0 qbuf=0"),
            (
                &["SELECT 3", "WATCH a b", "WATCH c"],
                "flags=N db=3 sub=0 psub=0 ssub=0 multi=-1 watch=3 qbuf=0",
            ),
            (&["MULTI", "HSET a f v", "PING"], "flags=x db=0 sub=0 psub=0 ssub=0 multi=2 watch=0 qbuf=0"),
            (&["MULTI", "PING", "EXEC"], "flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 watch=0 qbuf=0"),
            (
                &["SUBSCRIBE a", "SUBSCRIBE b", "PSUBSCRIBE c*", "SSUBSCRIBE d"],
                "flags=P db=0 sub=2 psub=1 ssub=1 multi=-1 watch=0 qbuf=0",
            ),
            (&["SUBSCRIBE a", "RESET"], "flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 watch=0 qbuf=0"),
        ] {
            let (mut client, id) = connect(&server);
            lines.iter().for_each(|line| drop(client.run(line)));
            let list = operator.run(&format!("CLIENT LIST ID {id}")).to_string();
            assert!(list.contains(shown), "{lines:?}: {list}");
        }
    }
}

#[test]
fn the_list_says_how_much_waits_for_a_client_that_does_not_read() {
    let server = Server::start(2);
    let mut operator = server.connect();
    operator.run(&format!("HSET h f {}", "v".repeat(100_000)));
    let (mut client, id) = connect(&server);
    client.send(&encode_line("HGET h f").repeat(400));
    eventually("replies wait", || {
        let list = operator.run(&format!("CLIENT LIST ID {id}")).to_string();
        (list.contains(" events=rw ") && !list.contains(" omem=0 ")).then_some(())
    });
}
