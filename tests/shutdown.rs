//! The end: what was received is answered, nobody new is let in, exit code 0, in bounded time.

use std::net::TcpStream;

use mayfly_resp::Value;
use rustix::process::Signal;

use crate::harness::{Client, Launch, SHARD_COUNTS, Server, encode_line, eventually};

#[test]
fn signals_and_shutdown_end_an_idle_server_with_its_clients() {
    type End = fn(&Server);
    let ends: [(&str, End); 3] = [
        ("SIGTERM", |server| server.signal(Signal::TERM)),
        ("SIGINT", |server| server.signal(Signal::INT)),
        ("SHUTDOWN", |server| {
            let mut client = server.connect();
            client.send(&encode_line("SHUTDOWN"));
            client.expect_closed();
        }),
    ];
    for (name, end) in ends {
        let mut server = Server::start(4);
        let mut idle: Vec<_> = (0..8).map(|_| server.connect()).collect();
        for client in &mut idle {
            client.replay(&[("PING", "PONG")]);
        }
        end(&server);
        for client in &mut idle {
            client.expect_closed();
        }
        assert_eq!(server.exit_code(), 0, "{name}");
        server.wait_for_log(&format!("reason=\"{name}\""));
        server.wait_for_log("every connection was answered and closed");
    }
}

/// A client that has not read yet has requests in the server that wait for their turn: they are in flight.
#[test]
fn what_was_received_is_answered_and_nobody_new_is_let_in() {
    const REQUESTS: usize = 500;
    for (shards, signal) in SHARD_COUNTS.into_iter().zip([Signal::TERM, Signal::INT]) {
        let mut server = Launch::with_shards(shards).set("limits.pipeline_window", 16).start();
        let mut witness = server.connect();
        witness.call(&["HSET", "large", "f", &"x".repeat(64 * 1024)]);
        let mut client = server.connect();
        let mut requests = Vec::new();
        for number in 0..REQUESTS {
            requests.extend(encode_line(&format!("HSET key:{number} f v")));
            requests.extend(encode_line("HGET large f"));
        }
        client.send(&requests);
        eventually("the client is read no further", || {
            (server.scrape().sum("mayfly_connection_pauses_total") >= 1.0).then_some(())
        });
        let executed = server.scrape().sum_where("mayfly_command_calls_total", "command=\"hget\"");
        assert!(executed < REQUESTS as f64, "nothing is in flight");

        server.signal(signal);
        witness.expect_closed();
        let refused = TcpStream::connect(server.address);
        assert!(refused.is_err(), "somebody new is let in");
        let replies = client.receive_all();
        assert_eq!(replies.len(), 2 * REQUESTS);
        for (number, reply) in replies.iter().enumerate() {
            let right =
                if number % 2 == 0 { *reply == Value::Integer(1) } else { reply.as_bytes().is_some() };
            assert!(right, "reply {number}: {reply:.20}");
        }
        assert_eq!(server.exit_code(), 0);
        server.wait_for_log("every connection was answered and closed");
    }
}

/// Writers that never stop by themselves. Each sees its replies end behind a whole one, in order, and then the
/// end of the connection.
#[test]
fn writers_in_full_swing_are_ended_in_order() {
    const WRITERS: usize = 4;
    const DEPTH: usize = 64;
    for shards in SHARD_COUNTS {
        let mut server = Server::start(shards);
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let mut client = server.connect();
                scope.spawn(move || write_until_the_end(&mut client, writer, DEPTH));
            }
            eventually("all write", || {
                let scrape = server.scrape();
                let calls = scrape.sum_or_zero("mayfly_command_calls_total", "command=\"hincrby\"");
                (calls > (10 * WRITERS * DEPTH) as f64).then_some(())
            });
            server.signal(Signal::TERM);
        });
        assert_eq!(server.exit_code(), 0);
        server.wait_for_log("every connection was answered and closed");
    }
}

/// Counts in one field; reply n is n, whatever has to be answered on the way.
fn write_until_the_end(client: &mut Client, writer: usize, depth: usize) {
    let increment = encode_line(&format!("HINCRBY counter:{writer} f 1"));
    let mut expected = 0;
    loop {
        client.send_to_deaf_ears(&increment.repeat(depth));
        for _ in 0..depth {
            expected += 1;
            match client.try_receive() {
                Some(reply) => assert_eq!(reply, Value::Integer(expected)),
                None => return,
            }
        }
    }
}

/// One long pipeline, all of it on its way when the end comes: what has reached the server is answered, and no
/// reply is lost by closing the connection too early.
#[test]
fn a_long_pipeline_is_ended_behind_a_whole_reply() {
    const REQUESTS: usize = 300_000;
    for shards in SHARD_COUNTS {
        let mut server = Server::start(shards);
        let mut client = server.connect();
        let mut writer = client.second_hand();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let request = encode_line("HINCRBY counter f 1");
                // The server may close before it is all written.
                let _ = std::io::Write::write_all(&mut writer, &request.repeat(REQUESTS));
            });
            for expected in 1..=1_000 {
                assert_eq!(client.receive(), Value::Integer(expected));
            }
            server.signal(Signal::TERM);
            for (reply, expected) in client.receive_all().into_iter().zip(1_001..) {
                assert_eq!(reply, Value::Integer(expected));
            }
        });
        assert_eq!(server.exit_code(), 0);
        server.wait_for_log("every connection was answered and closed");
    }
}

#[test]
fn what_came_before_shutdown_in_a_pipeline_is_answered() {
    const WRITES: usize = 5_000;
    for shards in SHARD_COUNTS {
        let mut server = Server::start(shards);
        let mut requests: Vec<u8> =
            (0..WRITES).flat_map(|number| encode_line(&format!("HSET key:{number} f v"))).collect();
        requests.extend(["DBSIZE", "SHUTDOWN", "HSET late f v"].map(encode_line).concat());
        let mut client = server.connect();
        client.send(&requests);
        let replies = client.receive_all();
        assert_eq!(replies.len(), WRITES + 1);
        assert_eq!(replies[WRITES], Value::Integer(WRITES as i64));
        assert_eq!(server.exit_code(), 0);
    }
}

#[test]
fn a_client_that_does_not_read_holds_the_end_up_to_the_grace() {
    let mut server = Launch::with_shards(4).set("server.shutdown_grace_ms", 300).start();
    let mut client = server.connect();
    client.call(&["HSET", "large", "f", &"x".repeat(1 << 20)]);
    client.send(&encode_line("HGET large f").repeat(100));
    eventually("replies wait for the client", || {
        (server.scrape().sum("mayfly_connection_pauses_total") >= 1.0).then_some(())
    });
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), 0);
    server.wait_for_log("the grace is over");
}
