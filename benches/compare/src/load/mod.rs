//! The load: several connections driven by one thread, each with one pipeline under way.
//!
//! It shares the machine with the server it measures, so it is cheap: [`requests`] are copied from a pattern, and
//! [`replies`] are counted without being kept. Beside it, the [`light`] client asks now and then.

mod light;
mod replies;
mod requests;

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use fastrand::Rng;
use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

pub use light::LightClient;
use replies::Replies;
pub use requests::{Operation, encode};

/// How long a server may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// About how many bytes a pipeline of [`fill`] has.
const FILL_BYTES: usize = 16 * 1024;
/// How many connections [`fill`] uses.
const FILL_CONNECTIONS: usize = 8;

/// Which keys the operations are about.
pub enum Keys<'a> {
    /// Any of so many, for as long as the run lasts.
    Random(&'a mut Rng, u64),
    /// Each once.
    Ascending(Range<u64>),
}

impl Keys<'_> {
    #[inline]
    fn next(&mut self) -> Option<u64> {
        match self {
            Keys::Random(random, count) => Some(random.u64(..*count)),
            Keys::Ascending(range) => range.next(),
        }
    }
}

/// What one run did.
pub struct Work {
    /// Operations that were answered.
    pub operations: u64,
    /// From the first request to the last reply.
    pub elapsed: Duration,
}

/// An empty histogram of nanoseconds.
pub fn latencies() -> Histogram<u64> {
    // Three digits are within the range that the crate accepts.
    Histogram::new(3).expect("a histogram of three digits")
}

/// Runs an operation on every key of a range, as fast as the server takes it.
pub fn fill(address: SocketAddr, operation: &Operation, keys: Range<u64>) -> Result<Work> {
    let pipeline = (FILL_BYTES / operation.length()).clamp(1, 64);
    let mut load = Load::connect(address, FILL_CONNECTIONS)?;
    load.run(operation, pipeline, Keys::Ascending(keys), None, &mut latencies())
}

/// Several connections to one server.
pub struct Load {
    poll: Poll,
    events: Events,
    clients: Vec<Client>,
    scratch: Vec<u8>,
}

struct Client {
    socket: TcpStream,
    request: Vec<u8>,
    written: usize,
    replies: Replies,
    /// Replies that have not come.
    awaited: usize,
    sent_at: Instant,
}

impl Load {
    /// Opens the connections.
    pub fn connect(address: SocketAddr, connections: usize) -> Result<Self> {
        let poll = Poll::new()?;
        let mut clients = Vec::new();
        for number in 0..connections {
            let socket = std::net::TcpStream::connect(address)?;
            socket.set_nodelay(true)?;
            socket.set_nonblocking(true)?;
            let mut socket = TcpStream::from_std(socket);
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut socket, Token(number), interest)?;
            clients.push(Client {
                socket,
                request: Vec::new(),
                written: 0,
                replies: Replies::default(),
                awaited: 0,
                sent_at: Instant::now(),
            });
        }
        Ok(Load { poll, events: Events::with_capacity(1024), clients, scratch: vec![0; 64 * 1024] })
    }

    /// Sends pipelines of `pipeline` operations on every connection, the next one when the last is answered,
    /// until the keys are used up or `length` has passed; returns when all replies have come.
    pub fn run(
        &mut self,
        operation: &Operation,
        pipeline: usize,
        mut keys: Keys<'_>,
        length: Option<Duration>,
        latencies: &mut Histogram<u64>,
    ) -> Result<Work> {
        let start = Instant::now();
        let mut replies = 0;
        let mut active = 0;
        for client in &mut self.clients {
            active += usize::from(client.send(operation, pipeline, &mut keys)?);
        }
        while active > 0 {
            self.poll.poll(&mut self.events, Some(SILENCE_MAX))?;
            if self.events.is_empty() {
                bail!("no reply for {SILENCE_MAX:?}");
            }
            for event in &self.events {
                let client = &mut self.clients[event.token().0];
                if event.is_writable() {
                    client.write()?;
                }
                if client.awaited == 0 || !event.is_readable() {
                    continue;
                }
                let came = client.read(&mut self.scratch)?;
                let now = Instant::now();
                latencies.record_n((now - client.sent_at).as_nanos() as u64, came as u64)?;
                replies += came as u64;
                if client.awaited == 0 {
                    let over = length.is_some_and(|length| now - start >= length);
                    if over || !client.send(operation, pipeline, &mut keys)? {
                        active -= 1;
                    }
                }
            }
        }
        Ok(Work { operations: replies / operation.replies() as u64, elapsed: start.elapsed() })
    }
}

impl Client {
    /// Sends the next pipeline; false if no keys are left.
    fn send(&mut self, operation: &Operation, pipeline: usize, keys: &mut Keys<'_>) -> Result<bool> {
        self.request.clear();
        self.written = 0;
        for _ in 0..pipeline {
            let Some(key) = keys.next() else { break };
            operation.append(key, &mut self.request);
            self.awaited += operation.replies();
        }
        self.sent_at = Instant::now();
        self.write()?;
        Ok(self.awaited > 0)
    }

    fn write(&mut self) -> Result<()> {
        while self.written < self.request.len() {
            match self.socket.write(&self.request[self.written..]) {
                Ok(sent) => self.written += sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads what there is; returns how many replies that completed.
    fn read(&mut self, scratch: &mut [u8]) -> Result<usize> {
        let mut came = 0;
        loop {
            match self.socket.read(scratch) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(length) => {
                    came += self.replies.take(&scratch[..length])?;
                    // What comes later makes another event.
                    if length < scratch.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.awaited = self.awaited.checked_sub(came).context("more replies than requests")?;
        Ok(came)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use fastrand::Rng;

    use super::{Keys, Load, Operation, fill, latencies};
    use crate::servers::echo;

    fn echo() -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(|| echo::serve_on(listener));
        address
    }

    #[test]
    fn every_key_is_sent_once_and_every_operation_counted_once() {
        let operation = Operation::new(&[vec!["HSET", "k:{n}", "f", "v"], vec!["EXPIRE", "k:{n}", "60"]]);
        let address = echo();
        for keys in [1, 7, 1_000] {
            assert_eq!(fill(address, &operation, 0..keys).unwrap().operations, keys);
        }
        let mut times = latencies();
        let mut load = Load::connect(address, 3).unwrap();
        load.run(&operation, 5, Keys::Ascending(0..100), None, &mut times).unwrap();
        assert_eq!(times.len(), 200, "each reply has its time");
    }

    #[test]
    fn pipelines_larger_than_any_socket_buffer_come_through() {
        let value = "x".repeat(10_000);
        let operation = Operation::new(&[vec!["HSET", "k:{n}", "f", &value]]);
        let mut load = Load::connect(echo(), 2).unwrap();
        let work = load.run(&operation, 3_000, Keys::Ascending(0..9_000), None, &mut latencies()).unwrap();
        assert_eq!(work.operations, 9_000);
    }

    #[test]
    fn a_slice_ends_with_all_replies_so_that_the_next_begins_with_none() {
        let operation = Operation::new(&[vec!["PING"]]);
        let mut load = Load::connect(echo(), 10).unwrap();
        for _ in 0..3 {
            let mut random = Rng::with_seed(1);
            let keys = Keys::Random(&mut random, 10);
            let work =
                load.run(&operation, 4, keys, Some(Duration::from_millis(1)), &mut latencies()).unwrap();
            assert!(work.operations >= 40 && work.operations.is_multiple_of(4), "{}", work.operations);
        }
    }
}
