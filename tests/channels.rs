//! Publish and subscribe, and the events of the keyspace.

use crate::harness::{Client, Launch, Server, encode_line};

/// Receives the next message or reply, as redis-cli shows it, in one line.
fn next(client: &mut Client) -> String {
    client.receive().to_string().replace('\n', " ")
}

fn subscribe(client: &mut Client, line: &str) -> String {
    client.run(line).to_string().replace('\n', " ")
}

#[test]
fn a_message_reaches_channels_and_patterns_in_order() {
    for shards in [1, 4] {
        let server = Server::start(shards);
        let (mut listener, mut publisher) = (server.connect(), server.connect());
        assert_eq!(subscribe(&mut listener, "SUBSCRIBE news"), "1) \"subscribe\" 2) \"news\" 3) (integer) 1");
        assert_eq!(subscribe(&mut listener, "PSUBSCRIBE n*s"), "1) \"psubscribe\" 2) \"n*s\" 3) (integer) 2");
        assert_eq!(
            subscribe(&mut listener, "SSUBSCRIBE news"),
            "1) \"ssubscribe\" 2) \"news\" 3) (integer) 1"
        );
        publisher.replay(&[
            ("PUBLISH news one", "(integer) 2"),
            ("PUBLISH nothing two", "(integer) 0"),
            ("SPUBLISH news three", "(integer) 1"),
            ("PUBSUB CHANNELS", "1) \"news\""),
            ("PUBSUB CHANNELS x*", "(empty array)"),
            (
                "PUBSUB CHANNELS a b",
                "(error) ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB HELP.",
            ),
            ("PUBSUB NUMSUB news other", "1) \"news\"\n2) (integer) 1\n3) \"other\"\n4) (integer) 0"),
            ("PUBSUB NUMPAT", "(integer) 1"),
            ("PUBSUB SHARDCHANNELS", "1) \"news\""),
            ("PUBSUB SHARDNUMSUB news", "1) \"news\"\n2) (integer) 1"),
        ]);
        assert_eq!(next(&mut listener), "1) \"message\" 2) \"news\" 3) \"one\"");
        assert_eq!(next(&mut listener), "1) \"pmessage\" 2) \"n*s\" 3) \"news\" 4) \"one\"");
        assert_eq!(next(&mut listener), "1) \"smessage\" 2) \"news\" 3) \"three\"");
        assert_eq!(subscribe(&mut listener, "UNSUBSCRIBE"), "1) \"unsubscribe\" 2) \"news\" 3) (integer) 1");
        assert_eq!(subscribe(&mut listener, "UNSUBSCRIBE"), "1) \"unsubscribe\" 2) (nil) 3) (integer) 1");
        publisher.replay(&[("PUBLISH news four", "(integer) 1")]);
        assert_eq!(next(&mut listener), "1) \"pmessage\" 2) \"n*s\" 3) \"news\" 4) \"four\"");
    }
}

#[test]
fn a_subscriber_of_resp2_may_ask_for_little_and_one_of_resp3_for_anything() {
    let server = Server::start(2);
    let mut listener = server.connect();
    subscribe(&mut listener, "SUBSCRIBE a");
    listener.replay(&[
        (
            "GET x",
            "(error) ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
             allowed in this context",
        ),
        ("PING", "1) \"pong\"\n2) \"\""),
        ("PING hi", "1) \"pong\"\n2) \"hi\""),
        ("RESET", "RESET"),
        ("GET x", "(nil)"),
        ("HELLO 3", "*"),
        ("SUBSCRIBE a", "1) \"subscribe\"\n2) \"a\"\n3) (integer) 1"),
        ("HSET h f 1", "(integer) 1"),
        ("PING", "PONG"),
    ]);
    server.connect().replay(&[("PUBLISH a x", "(integer) 1")]);
    assert_eq!(next(&mut listener), "1) \"message\" 2) \"a\" 3) \"x\"");
}

const QUEUED: &str = "QUEUED";

#[test]
fn a_transaction_subscribes_and_its_own_messages_come_behind_it() {
    for (shards, protocol) in [(1, 2), (1, 3), (4, 2), (4, 3)] {
        let server = Server::start(shards);
        let mut client = server.connect();
        client.run(&format!("HELLO {protocol}"));
        let pong = if protocol == 2 { "1) \"pong\"\n   2) \"\"" } else { "PONG" };
        client.replay(&[
            ("MULTI", "OK"),
            ("PING", QUEUED),
            ("SUBSCRIBE a", QUEUED),
            ("PING", QUEUED),
            ("SSUBSCRIBE a", QUEUED),
            ("PUBLISH a x", QUEUED),
            ("HSET h f 1", QUEUED),
            ("UNSUBSCRIBE a", QUEUED),
            ("PING", QUEUED),
            (
                "EXEC",
                &format!(
                    "1) PONG\n2) 1) \"subscribe\"\n   2) \"a\"\n   3) (integer) 1\n3) {pong}\n\
                     4) (error) ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client\n5) (integer) 1\n\
                     6) (integer) 1\n7) 1) \"unsubscribe\"\n   2) \"a\"\n   3) (integer) 0\n8) PONG"
                ),
            ),
        ]);
        assert_eq!(next(&mut client), "1) \"message\" 2) \"a\" 3) \"x\"");
        server.connect().replay(&[("PUBLISH a y", "(integer) 0")]);
        client.replay(&[("PING", "PONG"), ("HGET h f", "\"1\"")]);
    }
}

#[test]
fn a_transaction_that_does_not_run_subscribes_to_nothing() {
    for shards in [1, 4] {
        let server = Server::start(shards);
        let (mut client, mut other) = (server.connect(), server.connect());
        client.replay(&[
            ("WATCH k", "OK"),
            ("MULTI", "OK"),
            ("SUBSCRIBE a", QUEUED),
            ("PSUBSCRIBE b*", QUEUED),
        ]);
        other.run("HSET k f 1");
        client.replay(&[("EXEC", "(nil)"), ("GET x", "(nil)")]);
        client.replay(&[("MULTI", "OK"), ("SUBSCRIBE a", QUEUED), ("DISCARD", "OK"), ("GET x", "(nil)")]);
        client.replay(&[("MULTI", "OK"), ("SUBSCRIBE", "*"), ("SUBSCRIBE a", QUEUED), ("EXEC", "*")]);
        other.replay(&[("PUBLISH a x", "(integer) 0"), ("PUBSUB NUMPAT", "(integer) 0")]);
    }
}

/// As in Redis, which counts a command with two confirmations as one.
#[test]
fn every_name_is_confirmed_also_in_a_transaction() {
    let server = Server::start(4);
    let mut client = server.connect();
    client.send(&["MULTI", "SUBSCRIBE a b", "EXEC", "GET x"].map(encode_line).concat());
    for expected in [
        "OK",
        QUEUED,
        "1) 1) \"subscribe\"    2) \"a\"    3) (integer) 1",
        "1) \"subscribe\" 2) \"b\" 3) (integer) 2",
        "(error) ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
         allowed in this context",
    ] {
        assert_eq!(next(&mut client), expected);
    }
    server.connect().replay(&[("PUBLISH b x", "(integer) 1")]);
    assert_eq!(next(&mut client), "1) \"message\" 2) \"b\" 3) \"x\"");
}

#[test]
fn confirmations_in_a_transaction_come_although_replies_are_off() {
    let server = Server::start(2);
    let mut client = server.connect();
    let lines = ["CLIENT REPLY OFF", "MULTI", "HSET h f 1", "SUBSCRIBE a", "PING", "EXEC", "PING"];
    client.send(&lines.map(encode_line).concat());
    assert_eq!(next(&mut client), "1) \"subscribe\" 2) \"a\" 3) (integer) 1");
    server.connect().replay(&[("HGET h f", "\"1\""), ("PUBLISH a x", "(integer) 1")]);
    assert_eq!(next(&mut client), "1) \"message\" 2) \"a\" 3) \"x\"");
}

#[test]
fn who_leaves_is_forgotten() {
    let server = Server::start(4);
    let mut publisher = server.connect();
    for leave in ["QUIT", "RESET", ""] {
        let mut listener = server.connect();
        subscribe(&mut listener, "SUBSCRIBE a");
        subscribe(&mut listener, "PSUBSCRIBE *");
        publisher.replay(&[("PUBLISH a x", "(integer) 2")]);
        next(&mut listener);
        next(&mut listener);
        match leave {
            "" => drop(listener),
            leave => drop(listener.run(leave)),
        }
        while publisher.integer("PUBLISH a x") != 0 {}
        publisher.replay(&[("PUBSUB NUMPAT", "(integer) 0"), ("PUBSUB CHANNELS", "(empty array)")]);
    }
}

#[test]
fn messages_of_one_publisher_keep_their_order_over_many_channels() {
    const MESSAGES: usize = 2_000;
    let server = Server::start(4);
    let mut listener = server.connect();
    subscribe(&mut listener, "SUBSCRIBE ordered");
    let mut publisher = server.connect();
    let requests: Vec<u8> =
        (0..MESSAGES).flat_map(|number| format!("PUBLISH ordered {number}\r\n").into_bytes()).collect();
    publisher.pipeline(&requests, MESSAGES);
    for number in 0..MESSAGES {
        assert_eq!(next(&mut listener), format!("1) \"message\" 2) \"ordered\" 3) \"{number}\""));
    }
}

#[test]
fn a_subscriber_that_does_not_read_is_closed_at_its_own_limit() {
    let launch = Launch::with_shards(2).set("limits.subscriber_bytes_max", "64KiB");
    let server = launch.set("log.level", "debug").start();
    let mut listener = server.connect();
    subscribe(&mut listener, "SUBSCRIBE flood");
    let mut publisher = server.connect();
    let message = format!("PUBLISH flood {}", "m".repeat(10_000));
    // As long as the kernel takes them, messages do not wait in the server. A server that never closes the listener
    // would hold all of them: a gigabyte.
    let told = (0..100_000).take_while(|_| publisher.integer(&message) == 1).count();
    assert!(told < 100_000, "the listener is still there");
    publisher.replay(&[("PING", "PONG")]);
}

/// Four publishers are faster than the thread of their listener, which has nothing but messages to take.
#[test]
fn a_flood_of_many_publishers_does_not_keep_their_subscriber_from_being_closed() {
    const MESSAGES: usize = 4_000;
    let server = Launch::with_shards(2).set("limits.subscriber_bytes_max", "64KiB").start();
    let mut listener = server.connect();
    subscribe(&mut listener, "SUBSCRIBE flood");
    let requests = encode_line(&format!("PUBLISH flood {}", "m".repeat(10_000))).repeat(MESSAGES);
    let mut publishers: Vec<Client> = (0..4).map(|_| server.connect()).collect();
    let told: usize = std::thread::scope(|scope| {
        let floods: Vec<_> = publishers
            .iter_mut()
            .map(|publisher| scope.spawn(|| publisher.pipeline(&requests, MESSAGES)))
            .collect();
        let replies = floods.into_iter().flat_map(|flood| flood.join().expect("a publisher is served"));
        replies.filter(|reply| reply.as_integer() == Some(1)).count()
    });
    assert!(told < 4 * MESSAGES, "the listener was told of {told} messages and is still there");
    publishers[0].replay(&[("PUBLISH flood x", "(integer) 0")]);
}

#[test]
fn events_are_those_that_were_asked_for() {
    let server = Launch::with_shards(4).set("events.notify", "KEA").start();
    let (mut listener, mut client) = (server.connect(), server.connect());
    subscribe(&mut listener, "PSUBSCRIBE __key*__:*");
    client.replay(&[
        ("HSETEX h f v 60", "(integer) 1"),
        ("RENAME h g", "OK"),
        ("HDEL g f", "(integer) 1"),
        ("MULTI", "OK"),
        ("HSET m f v", "QUEUED"),
        ("DEL m", "QUEUED"),
        ("EXEC", "*"),
    ]);
    for (event, key) in [
        ("hset", "h"),
        ("expire", "h"),
        ("rename_from", "h"),
        ("rename_to", "g"),
        ("hdel", "g"),
        ("del", "g"),
        ("hset", "m"),
        ("del", "m"),
    ] {
        let pattern = "1) \"pmessage\" 2) \"__key*__:*\" 3)";
        assert_eq!(next(&mut listener), format!("{pattern} \"__keyspace@0__:{key}\" 4) \"{event}\""));
        assert_eq!(next(&mut listener), format!("{pattern} \"__keyevent@0__:{event}\" 4) \"{key}\""));
    }
}

#[test]
fn expired_comes_from_the_wheel_and_from_an_access() {
    let server = Launch::with_shards(2).set("events.notify", "Ex").start();
    let (mut listener, mut client) = (server.connect(), server.connect());
    subscribe(&mut listener, "SUBSCRIBE __keyevent@3__:expired");
    client.run("SELECT 3");
    for number in 0..100 {
        client.run(&format!("HSET key:{number} f v"));
        client.run(&format!("PEXPIRE key:{number} {}", 1 + number % 20));
        client.run(&format!("EXISTS key:{number}"));
    }
    let mut expired: Vec<String> = (0..100).map(|_| next(&mut listener)).collect();
    expired.sort();
    let mut expected: Vec<String> = (0..100)
        .map(|number| format!("1) \"message\" 2) \"__keyevent@3__:expired\" 3) \"key:{number}\""))
        .collect();
    expected.sort();
    assert_eq!(expired, expected);
}
