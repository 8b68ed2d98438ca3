//! Clients that go away: what they had asked for whole still happens, what they had not does not.

use std::io::Read as _;

use crate::harness::{SHARD_COUNTS, Server, encode_line, eventually};

/// Fits into the buffers between two sockets, so that all of it has reached the server's side when the client
/// hangs up. What a client's own system still holds goes with the client.
const WRITES: usize = 800;

#[test]
fn writes_of_a_client_that_hangs_up_still_happen() {
    const CLIENTS: usize = 20;
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        for client in 0..CLIENTS {
            let writes: Vec<u8> =
                (0..WRITES).flat_map(|number| encode_line(&format!("HSET {client}:{number} f v"))).collect();
            server.connect().send(&writes);
        }
        let mut witness = server.connect();
        eventually("all writes happen", || {
            (witness.integer("DBSIZE") == (CLIENTS * WRITES) as i64).then_some(())
        });
    }
}

#[test]
fn steps_over_several_shards_of_a_client_that_hangs_up_still_happen() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut requests = Vec::new();
        for number in 0..100 {
            requests.extend(encode_line(&format!("HSET from:{number} f {number}")));
            requests.extend(encode_line(&format!("RENAME from:{number} to:{number}")));
            requests.extend(encode_line(&format!("COPY to:{number} copy:{number}")));
        }
        server.connect().send(&requests);
        let mut witness = server.connect();
        eventually("the last step happens", || (witness.integer("EXISTS to:99 copy:99") == 2).then_some(()));
        witness.replay(&[("DBSIZE", "(integer) 200"), ("EXISTS from:0 from:99", "(integer) 0")]);
    }
}

#[test]
fn a_client_that_sends_no_more_gets_all_its_replies() {
    const REQUESTS: usize = 50_000;
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut client = server.connect();
        let requests: Vec<u8> =
            (0..REQUESTS).flat_map(|number| encode_line(&format!("HSET key:{number} f v"))).collect();
        let replies = std::thread::scope(|scope| {
            let mut writer = client.second_hand();
            scope.spawn(move || {
                std::io::Write::write_all(&mut writer, &requests).expect("the server reads");
                writer.shutdown(std::net::Shutdown::Write).expect("the connection is open");
            });
            client.receive_all()
        });
        assert_eq!(replies.len(), REQUESTS);
        server.connect().replay(&[("DBSIZE", &format!("(integer) {REQUESTS}"))]);
    }
}

#[test]
fn a_client_that_hangs_up_on_its_replies_is_forgotten() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut witness = server.connect();
        witness.call(&["HSET", "large", "f", &"x".repeat(64 * 1024)]);
        let mut client = server.connect();
        client.send(&encode_line("HGET large f").repeat(500));
        eventually("replies wait for the client", || {
            (server.scrape().sum("mayfly_connection_pauses_total") >= 1.0).then_some(())
        });
        drop(client);
        eventually("the server forgets the client", || {
            (server.scrape().sum("mayfly_connections") == 1.0).then_some(())
        });
        witness.replay(&[("HLEN large", "(integer) 1")]);
    }
}

#[test]
fn a_request_cut_off_by_the_end_of_its_client_does_not_happen() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let request = encode_line("HSET cut f v");
        for length in 1..request.len() {
            let mut client = server.connect();
            client.send(&encode_line(&format!("HSET whole:{length} f v")));
            client.send(&request[..length]);
        }
        eventually("the server has seen all clients go", || {
            let scrape = server.scrape();
            let accepted = scrape.sum("mayfly_connections_accepted_total");
            let open = scrape.sum("mayfly_connections");
            (accepted == (request.len() - 1) as f64 && open == 0.0).then_some(())
        });
        let mut witness = server.connect();
        witness.replay(&[
            ("EXISTS cut", "(integer) 0"),
            ("DBSIZE", &format!("(integer) {}", request.len() - 1)),
        ]);
    }
}

/// Closing a socket over unread input resets the connection; a client that has not read its last reply by then may
/// lose it. Here a reset would show in that the client cannot send any more.
#[test]
fn whoever_sends_on_behind_its_last_request_is_not_reset() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        for (last, reply) in [
            ("QUIT\r\n", "+OK\r\n"),
            ("*1\r\n:5\r\n", "-ERR Protocol error: expected '$', got ':'\r\n"),
            ("CLIENT KILL SKIPME no ID {id}\r\n", ":1\r\n"),
        ] {
            let mut client = server.connect();
            let id = client.integer("CLIENT ID").to_string();
            let more = b"PING\r\n".repeat(1_000);
            client.send(&[last.replace("{id}", &id).as_bytes(), &more].concat());
            let mut received = Vec::new();
            client.second_hand().read_to_end(&mut received).expect("the end, and no reset");
            assert_eq!(String::from_utf8_lossy(&received), reply, "{shards} shards");
            (0..20).for_each(|_| client.send(&more));
        }
        server.connect().replay(&[("PING", "PONG")]);
    }
}
