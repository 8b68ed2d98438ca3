//! What one client may ask for and hold: every limit at its edge, and announcements that cost nothing.

use crate::harness::{Launch, SHARD_COUNTS, Server, encode, encode_line};

const MIB: usize = 1 << 20;

/// A server with all limits of a request at the smallest that the config admits.
fn narrow(shards: usize) -> Server {
    Launch::with_shards(shards)
        .set("limits.request_words_max", 16)
        .set("limits.bulk_bytes_max", "1KiB")
        .set("limits.inline_bytes_max", 64)
        .set("limits.request_bytes_max", "4KiB")
        .start()
}

#[test]
fn what_is_just_within_the_limits_is_served() {
    let server = narrow(1);
    let mut client = server.connect();
    let words: Vec<String> = (0..15).map(|number| number.to_string()).collect();
    let exists: Vec<&str> = ["EXISTS"].into_iter().chain(words.iter().map(String::as_str)).collect();
    assert_eq!(client.call(&exists).to_string(), "(integer) 0");
    let long = "x".repeat(1024);
    assert_eq!(client.call(&["HSET", &long, &long, &long]).to_string(), "(integer) 1");
    let inline = format!("{:<64}\r\n", "PING").replacen("\r\n", "\n", 1);
    client.send(inline.as_bytes());
    assert_eq!(client.receive().to_string(), "PONG");
}

#[test]
fn what_is_just_past_a_limit_is_refused_before_it_is_sent() {
    let server = narrow(1);
    let thousand = format!("$1000\r\n{}\r\n", "x".repeat(1000));
    let cases = [
        ("*17\r\n".to_owned(), "invalid multibulk length"),
        ("*2\r\n$4\r\nECHO\r\n$1025\r\n".to_owned(), "invalid bulk length"),
        ("x".repeat(65), "too big inline request"),
        (format!("*6\r\n{}$1000\r\n", thousand.repeat(4)), "too big request"),
    ];
    for (bytes, text) in cases {
        let mut client = server.connect();
        client.send(bytes.as_bytes());
        assert_eq!(client.receive().to_string(), format!("(error) ERR Protocol error: {text}"));
        client.expect_closed();
    }
}

#[test]
fn announcements_cost_no_memory() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut witness = server.connect();
        witness.replay(&[("PING", "PONG")]);
        let before = server.resident_bytes();
        let clients: Vec<_> = (0..200)
            .map(|number| {
                let mut client = server.connect();
                client.send(b"PING\r\n*1048576\r\n$4\r\nHSET\r\n$536870912\r\n");
                client.send(format!("the beginning of {number}").as_bytes());
                assert_eq!(client.receive().to_string(), "PONG");
                client
            })
            .collect();
        witness.replay(&[("HSET h f v", "(integer) 1"), ("HGET h f", "\"v\"")]);
        let grown = server.resident_bytes().saturating_sub(before);
        assert!(grown < 64 * MIB, "200 clients that announced 512 MiB each cost {} MiB", grown / MIB);
        drop(clients);
    }
}

#[test]
fn a_large_value_in_small_pieces_arrives_whole() {
    const VALUE_BYTES: usize = 100 * MIB;
    const PIECE_BYTES: usize = 4_000;
    let server = Server::start(4);
    let mut client = server.connect();
    client.send(format!("*4\r\n$4\r\nHSET\r\n$3\r\nbig\r\n$1\r\nf\r\n${VALUE_BYTES}\r\n").as_bytes());
    let piece: Vec<u8> = (0..PIECE_BYTES).map(|position| position as u8).collect();
    let mut left = VALUE_BYTES;
    while left > 0 {
        let count = left.min(PIECE_BYTES);
        client.send(&piece[..count]);
        left -= count;
    }
    client.send(b"\r\n");
    assert_eq!(client.receive().to_string(), "(integer) 1");
    client.replay(&[("HSTRLEN big f", &format!("(integer) {VALUE_BYTES}"))]);
    let value = client.run("HGET big f");
    let value = value.as_bytes().expect("a string");
    assert!(value.chunks(PIECE_BYTES).all(|chunk| chunk == &piece[..chunk.len()]), "the value has changed");
    client.replay(&[("DEL big", "(integer) 1")]);
}

#[test]
fn a_request_of_many_words_is_one_request() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut client = server.connect();
        let fields: Vec<String> = (0..100_000).map(|number| format!("{number}")).collect();
        let words: Vec<&str> =
            ["HSET", "wide"].into_iter().chain(fields.iter().map(String::as_str)).collect();
        assert_eq!(client.pipeline(&encode(&words), 1)[0].to_string(), "(integer) 50000");
        let keys: Vec<&str> =
            ["EXISTS", "wide"].into_iter().chain(fields.iter().map(String::as_str)).collect();
        assert_eq!(client.pipeline(&encode(&keys), 1)[0].to_string(), "(integer) 1");
        assert_eq!(client.pipeline(&encode_line("HLEN wide"), 1)[0].to_string(), "(integer) 50000");
    }
}
