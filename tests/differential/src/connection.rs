//! A connection to one server.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mayfly_resp::{ReplyReader, Value};

use crate::request::Request;

/// Longer than any reply takes, also on a machine that others use.
const REPLY_TIMEOUT: Duration = Duration::from_secs(15);

/// One connection; bursts are small enough to be written before a reply is read.
pub struct Connection {
    socket: TcpStream,
    reader: ReplyReader,
}

impl Connection {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let socket = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(REPLY_TIMEOUT))?;
        socket.set_write_timeout(Some(REPLY_TIMEOUT))?;
        Ok(Connection { socket, reader: ReplyReader::default() })
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.socket.write_all(bytes).context("cannot send")
    }

    /// The next reply.
    pub fn receive(&mut self) -> Result<Value> {
        loop {
            if let Some(reply) = self.reader.next_reply()? {
                return Ok(reply);
            }
            let mut bytes = [0; 64 * 1024];
            match self.socket.read(&mut bytes).context("no reply")? {
                0 => bail!("the connection was closed"),
                count => self.reader.feed(&bytes[..count]),
            }
        }
    }

    /// Sends one request and returns its reply.
    pub fn ask(&mut self, request: &Request) -> Result<Value> {
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        self.send(&bytes)?;
        self.receive()
    }
}
