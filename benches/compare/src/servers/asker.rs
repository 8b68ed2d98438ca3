//! A connection for a question now and then.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, ensure};

use crate::load::encode;

/// A connection that waits for each reply.
pub struct Asker {
    socket: TcpStream,
}

impl Asker {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        Ok(Asker { socket })
    }

    /// Sends one request and returns the reply as it comes, which has to fit one read.
    pub fn ask(&mut self, words: &[&str]) -> Result<String> {
        let mut request = Vec::new();
        encode(words, &mut request);
        self.socket.write_all(&request)?;
        let mut reply = vec![0; 64 * 1024];
        let length = self.socket.read(&mut reply)?;
        ensure!(length > 0, "the server closed the connection after {}", words.join(" "));
        Ok(String::from_utf8_lossy(&reply[..length]).into_owned())
    }

    /// Sends one request whose reply is an integer.
    pub fn ask_integer(&mut self, words: &[&str]) -> Result<u64> {
        let reply = self.ask(words)?;
        let integer = reply.strip_prefix(':').and_then(|rest| rest.trim_end().parse().ok());
        integer.with_context(|| format!("{words:?} was answered {reply:?}"))
    }

    /// The connection itself, for what is pushed on it.
    pub fn into_socket(self) -> TcpStream {
        self.socket
    }
}
