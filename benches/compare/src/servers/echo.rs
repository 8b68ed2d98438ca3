//! The ceiling: one thread that answers every command with the same reply and does nothing else.
//!
//! It does not parse. A command of the load holds one `*`, at its start, so these are counted.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};

use anyhow::Result;
use mio::net::{TcpListener as Listener, TcpStream};
use mio::{Events, Interest, Poll, Token};

/// The reply to everything.
const REPLY: &[u8] = b":1\r\n";
/// Replies that are written at once.
const BURST: usize = 1024;
const LISTENER: Token = Token(usize::MAX);

/// Prints where it listens, then serves until the process ends.
#[allow(clippy::print_stdout, reason = "whoever started it reads the address there")]
pub fn serve() -> Result<()> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    println!("{}", listener.local_addr()?);
    serve_on(listener)
}

/// Serves the clients of a listener for ever.
pub fn serve_on(listener: TcpListener) -> Result<()> {
    listener.set_nonblocking(true)?;
    let mut listener = Listener::from_std(listener);
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(1024);
    let mut clients: Vec<Option<Client>> = Vec::new();
    let mut scratch = vec![0; 64 * 1024];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, &poll, &mut clients)?;
                continue;
            }
            let client = &mut clients[event.token().0];
            // A client that breaks off is gone; its place stays empty.
            if client.as_mut().is_some_and(|client| client.turn(&mut scratch).is_err()) {
                *client = None;
            }
        }
    }
}

fn accept(listener: &Listener, poll: &Poll, clients: &mut Vec<Option<Client>>) -> Result<()> {
    loop {
        match listener.accept() {
            Ok((mut socket, _)) => {
                socket.set_nodelay(true)?;
                let both = Interest::READABLE | Interest::WRITABLE;
                poll.registry().register(&mut socket, Token(clients.len()), both)?;
                clients.push(Some(Client { socket, owed: 0 }));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

struct Client {
    socket: TcpStream,
    /// Bytes of replies that are not written.
    owed: usize,
}

impl Client {
    fn turn(&mut self, scratch: &mut [u8]) -> std::io::Result<()> {
        loop {
            match self.socket.read(scratch) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => {
                    let commands = scratch[..length].iter().filter(|&&byte| byte == b'*').count();
                    self.owed += commands * REPLY.len();
                    if length < scratch.len() {
                        return self.write();
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return self.write(),
                Err(error) => return Err(error),
            }
        }
    }

    fn write(&mut self) -> std::io::Result<()> {
        static REPLIES: [u8; BURST * REPLY.len()] = replies();
        while self.owed > 0 {
            // What is left of a reply that was written in part comes first.
            let begun = (REPLY.len() - self.owed % REPLY.len()) % REPLY.len();
            let length = self.owed.min(REPLIES.len() - begun);
            match self.socket.write(&REPLIES[begun..begun + length]) {
                Ok(sent) => self.owed -= sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

const fn replies() -> [u8; BURST * REPLY.len()] {
    let mut bytes = [0; BURST * REPLY.len()];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = REPLY[at % REPLY.len()];
        at += 1;
    }
    bytes
}
