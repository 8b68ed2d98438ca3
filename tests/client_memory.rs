//! The memory of clients: how much all hold together, and how slowly they may read.

use crate::harness::{Client, Launch, SHARD_COUNTS, encode_line, eventually};

const MIB: usize = 1 << 20;

/// A client that has sent so much of a request that does not end.
fn hoarder(address: std::net::SocketAddr, bytes: usize) -> Client {
    let mut client = Client::connect(address);
    client.send(format!("*4\r\n$4\r\nHSET\r\n$1\r\nk\r\n$1\r\nf\r\n${}\r\n", bytes * 2).as_bytes());
    client.send(&vec![b'x'; bytes]);
    client
}

fn info(client: &mut Client, name: &str) -> usize {
    let reply = client.run("INFO everything");
    let text = String::from_utf8_lossy(reply.as_bytes().expect("a text")).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("{name} is not in {text}")).parse().expect("a number")
}

#[test]
fn the_largest_clients_go_first_and_those_that_said_no_stay() {
    for shards in SHARD_COUNTS {
        let server = Launch::with_shards(shards).start();
        let mut operator = server.connect();
        let mut spared = server.connect();
        spared.replay(&[("CLIENT NO-EVICT on", "OK")]);
        spared.send(b"*2\r\n$4\r\nECHO\r\n$8388608\r\n");
        spared.send(&vec![b'x'; 4 * MIB]);
        let (mut large, mut small) = (hoarder(server.address, 3 * MIB), hoarder(server.address, MIB));
        eventually("the server has read it", || {
            (info(&mut operator, "mem_clients_normal") >= 8 * MIB).then_some(())
        });
        assert!(server.scrape().sum("mayfly_connections_held_bytes") >= (8 * MIB) as f64);
        operator.replay(&[("CONFIG SET maxmemory-clients 6mb", "OK")]);
        eventually("the largest is closed", || large.is_closed_now().then_some(()));
        assert!(!small.is_closed_now() && !spared.is_closed_now());
        assert_eq!(info(&mut operator, "evicted_clients"), 1);
        operator.replay(&[("CONFIG SET maxmemory-clients 4718592", "OK")]);
        eventually("the next is closed", || small.is_closed_now().then_some(()));
        assert!(!spared.is_closed_now());
        assert!(server.scrape().sum("mayfly_connections_evicted_total") >= 2.0);
        spared.send(&vec![b'y'; 4 * MIB]);
        spared.send(b"\r\n");
    }
}

#[test]
fn a_client_that_reads_too_slowly_for_too_long_is_closed() {
    for shards in SHARD_COUNTS {
        let server = Launch::with_shards(shards)
            .set("limits.output_bytes_soft", "64KiB")
            .set("limits.output_soft_seconds", 0)
            .set("limits.output_bytes_pause", "32MiB")
            .start();
        let (mut slow, mut quick) = (server.connect(), server.connect());
        let value = "x".repeat(1 << 16);
        assert_eq!(quick.call(&["HSET", "k", "f", &value]).to_string(), "(integer) 1");
        // More than the buffers of both systems hold.
        slow.send(&encode_line("HGET k f").repeat(300));
        eventually("the slow one is closed", || {
            (server.scrape().sum("mayfly_connections_overflowed_total") >= 1.0).then_some(())
        });
        quick.replay(&[("HLEN k", "(integer) 1"), ("PING", "PONG")]);
        server.wait_for_log("has read too slowly for too long");
    }
}
