//! Clients that mean no good, in numbers: memory stays bounded, everybody else is served, and nothing is left behind.
//!
//! What one client alone may do is tested in `limits`, `backpressure`, `hang_up` and `channels`. Here each case ends with
//! a row of a table, case, outcome and peak memory: `cargo test --test integration abuse -- --show-output`.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::harness::{Client, Launch, Seed, Server, encode, encode_line, eventually, patience};

const MIB: usize = 1 << 20;
const KIB: usize = 1 << 10;

/// Shows a row of the table.
#[allow(clippy::print_stdout, reason = "cargo test shows it where it is asked to")]
fn report(case: &str, outcome: &str, server: &Server) {
    println!("| {case} | {outcome} | {} MiB |", server.resident_bytes_max() / MIB);
}

/// Whether the server answers somebody who came before, and somebody new.
fn serves(witness: &mut Client, server: &Server) {
    witness.replay(&[("HSETEX witness f v 60", "*"), ("HGET witness f", "\"v\"")]);
    server.connect().replay(&[("PING", "PONG")]);
}

/// Waits until nobody is connected but the witness, and no socket of the others is left.
fn only_the_witness_is_left(server: &Server, descriptors_before: usize) {
    eventually("the others are forgotten", || {
        (server.scrape().sum("mayfly_connections") == 1.0).then_some(())
    });
    eventually("their sockets are closed", || (server.descriptors() <= descriptors_before).then_some(()));
}

/// Lets this process hold so many sockets.
fn allow_descriptors(count: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < count) {
        let raised = Rlimit { current: Some(count), ..limit };
        setrlimit(Resource::Nofile, raised).expect("the system allows this test its sockets: ulimit -Hn");
    }
}

#[test]
fn ten_thousand_idle_connections_cost_little_and_hold_nobody_up() {
    const CLIENTS: usize = 10_000;
    allow_descriptors(CLIENTS as u64 + 1_000);
    let server = Launch::with_shards(2).set("server.connections_max", 20_000).start();
    let mut witness = server.connect();
    witness.replay(&[("PING", "PONG")]);
    let (before, descriptors) = (server.resident_bytes(), server.descriptors());
    let idle: Vec<Client> = (0..CLIENTS)
        .map(|_| {
            let mut client = server.connect();
            client.replay(&[("PING", "PONG")]);
            client
        })
        .collect();
    let each = server.resident_bytes().saturating_sub(before) / CLIENTS;
    assert!(each < 8 * KIB, "an idle connection costs {each} bytes");
    serves(&mut witness, &server);
    drop(idle);
    only_the_witness_is_left(&server, descriptors);
    report(
        "10,000 idle connections",
        &format!("{:.1} KiB each; all others served", each as f64 / 1024.0),
        &server,
    );
}

#[test]
fn many_who_do_not_read_are_stopped_each_at_its_limits() {
    const CLIENTS: usize = 300;
    const REQUESTS: usize = 100;
    const PAUSE_BYTES: usize = 256 * KIB;
    // What is decoded is answered: the window bounds how many large replies come on top of the pause.
    const WINDOW: usize = 4;
    const VALUE_BYTES: usize = 100_000;
    let limits = Launch::with_shards(2).set("limits.output_bytes_pause", PAUSE_BYTES);
    let server = limits.set("limits.pipeline_window", WINDOW).start();
    let mut witness = server.connect();
    witness.call(&["HSET", "large", "f", &"x".repeat(VALUE_BYTES)]);
    let (before, descriptors) = (server.resident_bytes(), server.descriptors());
    let requests = encode_line("HGET large f").repeat(REQUESTS);
    let deaf: Vec<Client> = (0..CLIENTS)
        .map(|_| {
            let mut client = server.connect();
            client.send(&requests);
            client
        })
        .collect();
    serves(&mut witness, &server);
    let grown = server.resident_bytes_max().saturating_sub(before);
    // Unbounded, it would be nearly 3 GB. A buffer that grows is there twice for a moment.
    let allowed = CLIENTS * 2 * (PAUSE_BYTES + WINDOW * VALUE_BYTES);
    assert!(grown < allowed, "{CLIENTS} clients that do not read cost {} MiB", grown / MIB);
    drop(deaf);
    only_the_witness_is_left(&server, descriptors);
    report("300 clients that ask for 10 MB each and do not read", "stopped; all others served", &server);
}

#[test]
fn many_who_write_slowly_hold_no_more_than_they_have_sent() {
    const CLIENTS: usize = 1_000;
    const PIECE: [u8; 100] = [b'x'; 100];
    const PIECES: usize = 100;
    let server = Launch::with_shards(2).start();
    let mut witness = server.connect();
    witness.replay(&[("PING", "PONG")]);
    let (before, descriptors) = (server.resident_bytes(), server.descriptors());
    let mut slow: Vec<Client> = (0..CLIENTS).map(|_| server.connect()).collect();
    slow.iter_mut()
        .for_each(|client| client.send(b"*4\r\n$4\r\nHSET\r\n$1\r\nk\r\n$1\r\nf\r\n$536870912\r\n"));
    for _ in 0..PIECES {
        slow.iter_mut().for_each(|client| client.send(&PIECE));
    }
    let sent = CLIENTS * PIECES * PIECE.len();
    eventually("everything has been read", || {
        (server.scrape().sum("mayfly_input_bytes_total") as usize >= sent).then_some(())
    });
    serves(&mut witness, &server);
    let grown = server.resident_bytes_max().saturating_sub(before);
    assert!(grown < 6 * sent, "{} MiB in pieces cost {} MiB", sent / MIB, grown / MIB);
    drop(slow);
    only_the_witness_is_left(&server, descriptors);
    witness.replay(&[("EXISTS k", "(integer) 0")]);
    report(
        "1,000 clients that send 512 MiB in pieces of 100 bytes",
        "all others served; nothing was set",
        &server,
    );
}

#[test]
fn a_flood_of_connections_leaves_nothing_behind() {
    const THREADS: usize = 4;
    const CONNECTIONS: usize = 2_500;
    let server = Launch::with_shards(2).start();
    let mut witness = server.connect();
    witness.replay(&[("PING", "PONG")]);
    let descriptors = server.descriptors();
    let address = server.address;
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(move || {
                for number in 0..CONNECTIONS {
                    let mut stream = TcpStream::connect(address).expect("the server accepts");
                    match number % 4 {
                        0 => {}
                        1 => stream.write_all(b"*2\r\n$4\r\nPI").expect("the server reads"),
                        2 => stream.write_all(&encode(&["PING"])).expect("the server reads"),
                        _ => stream.shutdown(Shutdown::Write).expect("it is open"),
                    }
                }
            });
        }
        for _ in 0..20 {
            serves(&mut witness, &server);
        }
    });
    only_the_witness_is_left(&server, descriptors);
    serves(&mut witness, &server);
    report("10,000 connections by 4 threads, closed at once", "all others served; no socket left", &server);
}

#[test]
fn noise_is_answered_with_errors_and_changes_nothing() {
    const CLIENTS: usize = 500;
    let server = Launch::with_shards(2).start();
    let mut witness = server.connect();
    witness.replay(&[("HSET kept f v", "(integer) 1")]);
    let descriptors = server.descriptors();
    let seed = Seed::of_this_run();
    let mut random = seed.rng(0);
    for _ in 0..CLIENTS {
        let length = random.usize(1..4_096);
        let mut noise: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
        if random.bool() {
            // Noise that looks like a request for longer.
            noise.splice(0..0, *b"*3\r\n$4\r\nHSET\r\n$3\r\n");
        }
        let mut stream = TcpStream::connect(server.address).expect("the server accepts");
        stream.set_read_timeout(Some(patience())).expect("a timeout can be set");
        // It may be closed before all is sent.
        let _ = stream.write_all(&noise);
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer[0] == b'-', "{:?}", String::from_utf8_lossy(&answer));
    }
    witness.replay(&[("DBSIZE", "(integer) 1"), ("HGET kept f", "\"v\"")]);
    only_the_witness_is_left(&server, descriptors);
    report("500 clients that send noise", "an error or the end for each; nothing changed", &server);
}
