//! A client that does not read its replies: it is stopped, memory stays bounded, nobody else notices.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::harness::{Client, Launch, SHARD_COUNTS, Server, encode, encode_line, eventually};

const MIB: usize = 1 << 20;

/// Longer than what the system's buffers on the way can hold.
const REQUESTS: usize = 64 * 1024;
const PADDING_BYTES: usize = 1_000;

#[test]
fn a_client_that_does_not_read_is_stopped_and_goes_on_when_it_reads() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut other = server.connect();
        let mut client = server.connect();
        client.replay(&[(&format!("HSET padding f {}", "x".repeat(PADDING_BYTES)), "(integer) 1")]);
        let before = server.resident_bytes();
        let sent = AtomicUsize::new(0);
        let mut writer = client.second_hand();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..REQUESTS {
                    writer.write_all(&padded_echo(number)).expect("the server reads in the end");
                    sent.fetch_add(1, Relaxed);
                }
            });
            wait_until_stopped(&server, &sent);
            assert!(sent.load(Relaxed) < REQUESTS, "the client was never stopped");
            let grown = server.resident_bytes().saturating_sub(before);
            assert!(grown < 32 * MIB, "a client that does not read costs {} MiB", grown / MIB);
            serves(&mut other);
            serves(&mut server.connect());
            for number in 0..REQUESTS {
                let reply = client.receive();
                let text = reply.as_bytes().expect("ECHO answers a string");
                assert!(text.starts_with(format!("{number}:").as_bytes()), "reply {number} is {reply:.20}");
            }
        });
        serves(&mut client);
    }
}

fn padded_echo(number: usize) -> Vec<u8> {
    let text = format!("{number}:{}", "x".repeat(PADDING_BYTES));
    encode(&["ECHO", &text])
}

/// Until the server has paused the client and takes nothing more from it.
fn wait_until_stopped(server: &Server, sent: &AtomicUsize) {
    const LOOKS: usize = 20;
    let mut last = (0.0, 0);
    let mut unchanged = 0;
    eventually("the client is stopped", || {
        let scrape = server.scrape();
        let now = (scrape.sum("mayfly_input_bytes_total"), sent.load(Relaxed));
        unchanged = if now == last { unchanged + 1 } else { 0 };
        last = now;
        let paused = scrape.sum("mayfly_connection_pauses_total") >= 1.0;
        (now.1 == REQUESTS || paused && unchanged >= LOOKS).then_some(())
    });
}

/// Reads and writes on all shards.
fn serves(client: &mut Client) {
    for number in 0..50 {
        client.run(&format!("HSET witness:{number} f {number}"));
        client.replay(&[(&format!("HGET witness:{number} f"), &format!("\"{number}\""))]);
    }
    client.replay(&[("EXISTS witness:1 witness:2 witness:3 witness:4", "(integer) 4")]);
}

#[test]
fn a_client_with_too_many_unread_replies_is_closed() {
    for shards in SHARD_COUNTS {
        let server = Launch::with_shards(shards)
            .set("limits.output_bytes_max", "8MiB")
            .set("limits.output_bytes_pause", "64KiB")
            .start();
        let mut other = server.connect();
        other.call(&["HSET", "large", "f", &"x".repeat(MIB)]);
        let before = server.resident_bytes();
        let mut client = server.connect();
        // All in one burst: the server learns how much it answers only while it answers.
        client.send(&encode_line("HGETALL large").repeat(500));
        eventually("the client is closed", || {
            (server.scrape().sum("mayfly_connections_overflowed_total") == 1.0).then_some(())
        });
        serves(&mut other);
        let grown = server.resident_bytes().saturating_sub(before);
        assert!(grown < 64 * MIB, "500 MiB of replies cost {} MiB", grown / MIB);
        eventually("the server forgets the client", || {
            (server.scrape().sum("mayfly_connections") == 1.0).then_some(())
        });
        server.wait_for_log("closed a client that does not read its replies");
    }
}

/// Each client is within its limit; together they must not keep the shards from others.
#[test]
fn many_clients_that_do_not_read_disturb_nobody() {
    for shards in SHARD_COUNTS {
        let server = Launch::with_shards(shards).set("limits.output_bytes_pause", "64KiB").start();
        let mut other = server.connect();
        other.call(&["HSET", "large", "f", &"x".repeat(64 * 1024)]);
        let idle: Vec<_> = (0..20)
            .map(|_| {
                let mut client = server.connect();
                client.send(&encode_line("HGETALL large").repeat(200));
                client
            })
            .collect();
        eventually("the clients are stopped", || {
            (server.scrape().sum("mayfly_connection_pauses_total") >= idle.len() as f64).then_some(())
        });
        serves(&mut other);
        for mut client in idle {
            for _ in 0..200 {
                let reply = client.receive();
                assert_eq!(reply.as_items().map(<[_]>::len), Some(2));
            }
        }
    }
}
