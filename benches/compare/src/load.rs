//! The load: several connections driven by one thread, each with one pipeline under way.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use fastrand::Rng;
use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::replies::Replies;
use crate::requests::Template;

/// How long a server may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Which keys the operations are about.
pub enum Keys<'a> {
    /// Any of so many, for as long as the run lasts.
    Random(&'a mut Rng, u64),
    /// Each once.
    Ascending(std::ops::Range<u64>),
}

impl Keys<'_> {
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
        template: &Template,
        pipeline: usize,
        mut keys: Keys<'_>,
        length: Option<Duration>,
        latencies: &mut Histogram<u64>,
    ) -> Result<Work> {
        let start = Instant::now();
        let mut replies = 0;
        let mut active = 0;
        for client in &mut self.clients {
            active += usize::from(client.send(template, pipeline, &mut keys)?);
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
                    if over || !client.send(template, pipeline, &mut keys)? {
                        active -= 1;
                    }
                }
            }
        }
        Ok(Work { operations: replies / template.replies() as u64, elapsed: start.elapsed() })
    }
}

impl Client {
    /// Sends the next pipeline; false if no keys are left.
    fn send(&mut self, template: &Template, pipeline: usize, keys: &mut Keys<'_>) -> Result<bool> {
        self.request.clear();
        self.written = 0;
        for key in std::iter::from_fn(|| keys.next()).take(pipeline) {
            template.append(key, &mut self.request);
            self.awaited += template.replies();
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
        self.awaited = self.awaited.checked_sub(came).ok_or_else(|| anyhow::anyhow!("too many replies"))?;
        Ok(came)
    }
}
