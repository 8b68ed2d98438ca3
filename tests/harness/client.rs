//! A small blocking client: no retries, no conveniences that could hide what the server does.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use mayfly_resp::{ReplyReader, Value};

use super::patience;

/// One connection, by TCP unless it says otherwise.
pub struct Client<S = TcpStream> {
    stream: S,
    reader: ReplyReader,
}

impl Client {
    /// Connects; every reply has to come within [`patience`].
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_nodelay(true).expect("a socket option can be set");
        stream.set_read_timeout(Some(patience())).expect("a timeout can be set");
        stream.set_write_timeout(Some(patience())).expect("a timeout can be set");
        Client::over(stream)
    }

    /// Sends `bytes` in one go and receives `count` replies meanwhile.
    pub fn pipeline(&mut self, bytes: &[u8], count: usize) -> Vec<Value> {
        let mut writer = self.second_hand();
        std::thread::scope(|scope| {
            scope.spawn(move || writer.write_all(bytes).expect("the server reads"));
            (0..count).map(|_| self.receive()).collect()
        })
    }

    /// The same socket, to write from another thread.
    pub fn second_hand(&self) -> TcpStream {
        self.stream.try_clone().expect("the process has descriptors")
    }

    /// Whether the server has closed the connection, without waiting. Replies that came are lost.
    pub fn is_closed_now(&mut self) -> bool {
        self.stream.set_nonblocking(true).expect("a socket option can be set");
        let result = self.stream.read(&mut [0; 1024]);
        self.stream.set_nonblocking(false).expect("a socket option can be set");
        match result {
            Ok(count) => count == 0,
            Err(error) => is_hang_up(&error),
        }
    }
}

impl<S: Read + Write> Client<S> {
    /// A client over a stream that is connected.
    pub fn over(stream: S) -> Self {
        Client { stream, reader: ReplyReader::default() }
    }

    /// The stream.
    pub fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// Sends bytes to a server that may have closed the connection in the middle of them.
    pub fn send_to_deaf_ears(&mut self, bytes: &[u8]) {
        match self.stream.write_all(bytes) {
            Err(error) if !is_hang_up(&error) => panic!("cannot send: {error}"),
            _ => {}
        }
    }

    /// The next reply, or `None` if the server has closed the connection behind a whole reply.
    pub fn try_receive(&mut self) -> Option<Value> {
        loop {
            if let Some(reply) = self.reader.next_reply().expect("the server speaks RESP") {
                return Some(reply);
            }
            let mut bytes = [0; 64 * 1024];
            match self.stream.read(&mut bytes) {
                Ok(0) => break,
                Ok(count) => self.reader.feed(&bytes[..count]),
                Err(error) if is_hang_up(&error) => break,
                // A machine that was paused interrupts a read that has a timeout.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("no reply: {error}"),
            }
        }
        assert!(self.reader.is_empty(), "the connection was closed in the middle of a reply");
        None
    }

    /// The next reply.
    pub fn receive(&mut self) -> Value {
        self.try_receive().expect("a reply, but the connection was closed")
    }

    /// Sends one request and returns its reply.
    pub fn call<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Value {
        self.send(&encode(words));
        self.receive()
    }

    /// Sends the words of a line as one request and returns its reply. Words are separated by blanks.
    pub fn run(&mut self, line: &str) -> Value {
        self.send(&encode_line(line));
        self.receive()
    }

    /// Runs a line whose reply is an integer.
    pub fn integer(&mut self, line: &str) -> i64 {
        let reply = self.run(line);
        reply.as_integer().unwrap_or_else(|| panic!("{line}: {reply}"))
    }

    /// Runs each line and compares its reply with what redis-cli would show; `*` accepts everything.
    pub fn replay(&mut self, cases: &[(&str, &str)]) {
        for (line, shown) in cases {
            let reply = self.run(line).to_string();
            assert!(*shown == "*" || reply == *shown, "{line}\n  expected: {shown}\n  got:      {reply}");
        }
    }

    /// Receives until the server closes the connection.
    pub fn receive_all(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.try_receive()).collect()
    }

    /// Waits for the server to close the connection, without a further reply.
    pub fn expect_closed(&mut self) {
        if let Some(reply) = self.try_receive() {
            panic!("expected the end of the connection, got {reply}");
        }
    }
}

/// A request as an array of bulks.
pub fn encode<W: AsRef<[u8]>>(words: &[W]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words.iter().map(AsRef::as_ref) {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// The words of a line, separated by blanks, as one request.
pub fn encode_line(line: &str) -> Vec<u8> {
    encode(&line.split(' ').collect::<Vec<_>>())
}

fn is_hang_up(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::NotConnected)
}
