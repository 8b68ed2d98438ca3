//! Who listens, and who comes and goes.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::Duration;

use fastrand::Rng;

use crate::harness::{Client, encode_line};
use crate::{Shared, WORKERS};

/// Messages are `worker:number`; each worker's come one after the other, none is left out, and "end" is the last.
pub fn start(address: SocketAddr, shared: &'static Shared) -> JoinHandle<()> {
    let mut client = Client::connect(address);
    client.run("SUBSCRIBE soak");
    std::thread::spawn(move || {
        let mut next = [0_u64; WORKERS as usize];
        loop {
            let shown = client.receive().to_string();
            let (_, message) = shown.split_once("3) \"").unwrap_or_else(|| panic!("no message: {shown}"));
            let message = message.trim_end_matches('"');
            let Some((worker, number)) = message.split_once(':') else {
                assert_eq!(message, "end");
                return;
            };
            let worker: usize = worker.parse().expect("a number");
            assert_eq!(number.parse(), Ok(next[worker]), "messages of worker {worker} come in order");
            next[worker] += 1;
            shared.messages.fetch_add(1, Relaxed);
        }
    })
}

/// Clients that ask something and leave: some as they should, some in the middle of a request, some without reading.
pub fn come_and_go(address: SocketAddr, shared: &'static Shared, mut random: Rng) -> JoinHandle<()> {
    std::thread::spawn(move || {
        while !shared.is_over() {
            match random.u8(..4) {
                0 => Client::connect(address).replay(&[("PING", "PONG"), ("QUIT", "OK")]),
                1 => drop(TcpStream::connect(address).expect("the server accepts")),
                kind => {
                    let mut socket = TcpStream::connect(address).expect("the server accepts");
                    let request = encode_line("HGET nobody f").repeat(random.usize(1..50));
                    let end = if kind == 2 { request.len() - 3 } else { request.len() };
                    socket.write_all(&request[..end]).expect("the server reads");
                }
            }
            shared.requests.fetch_add(1, Relaxed);
            std::thread::sleep(Duration::from_millis(random.u64(..10)));
        }
    })
}
