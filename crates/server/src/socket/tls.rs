//! The socket of a client that speaks TLS, once the handshake is done.
//!
//! The handshake is `tokio-rustls`' business, on the main thread. From there on the two halves go their own ways to a
//! shard's thread and meet here again: the TCP socket, which belongs to the event loop of its thread, and rustls'
//! session, which knows no sockets.
//!
//! Bytes count as sent once all of what they were encrypted to has left the process. So nothing waits here that the
//! connection does not know of, and its limits and its end hold for TLS as for TCP.

use std::io::{self, BufRead, ErrorKind, IoSlice, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use rustls::ServerConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Room that a read makes where there is none.
const ROOM_BYTES_MIN: usize = 4 * 1024;

/// A socket that speaks TLS.
pub struct TlsSocket {
    tcp: TcpStream,
    session: ServerConnection,
    /// Bytes at the beginning of what is to be written that are encrypted and have not all left.
    held: usize,
}

impl TlsSocket {
    /// A socket whose handshake is done.
    pub fn new(tcp: TcpStream, session: ServerConnection) -> Self {
        TlsSocket { tcp, session, held: 0 }
    }

    /// The socket below.
    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// As [`ClientSocket::poll_read`](super::ClientSocket::poll_read).
    pub fn poll_read(&mut self, task: &mut Context<'_>, input: &mut BytesMut) -> Poll<io::Result<usize>> {
        if input.capacity() == input.len() {
            input.reserve(ROOM_BYTES_MIN);
        }
        let before = input.len();
        loop {
            let is_over = self.take_plaintext(input)?;
            let taken = input.len() - before;
            if is_over || input.len() == input.capacity() {
                return Poll::Ready(Ok(taken));
            }
            match self.poll_receive(task) {
                Poll::Ready(Ok(())) => {}
                // A failure is found again by the next read.
                Poll::Pending | Poll::Ready(Err(_)) if taken > 0 => return Poll::Ready(Ok(taken)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// As [`ClientSocket::poll_write`](super::ClientSocket::poll_write). After less than everything has left, it is to
    /// be called with the same bytes again, and maybe more behind them.
    pub fn poll_write(&mut self, task: &mut Context<'_>, output: &[u8]) -> Poll<io::Result<usize>> {
        self.encrypt(output)?;
        match flush(&mut self.session, &mut Polled { tcp: &mut self.tcp, task }) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
            flushed => Poll::Ready(flushed.map(|()| std::mem::take(&mut self.held))),
        }
    }

    /// As [`ClientSocket::try_write`](super::ClientSocket::try_write), and as [`TlsSocket::poll_write`].
    ///
    /// # Errors
    /// `WouldBlock` if not all has left; else the socket has failed.
    pub fn try_write(&mut self, output: &[u8]) -> io::Result<usize> {
        self.encrypt(output)?;
        flush(&mut self.session, &mut Tried(&self.tcp))?;
        Ok(std::mem::take(&mut self.held))
    }

    /// Tells the client that nothing more will be sent. It need not get through.
    pub fn say_goodbye(&mut self) {
        self.session.send_close_notify();
        let _ = flush(&mut self.session, &mut Tried(&self.tcp));
    }

    fn encrypt(&mut self, output: &[u8]) -> io::Result<()> {
        if self.held == 0 {
            self.held = self.session.writer().write(output)?;
        }
        Ok(())
    }

    /// Moves what was decrypted; true at the end. A client that closes its side without the words of TLS for it has
    /// ended too: requests carry their lengths, so a cut one is never taken for a whole one.
    fn take_plaintext(&mut self, input: &mut BytesMut) -> io::Result<bool> {
        loop {
            let room = input.capacity() - input.len();
            let mut reader = self.session.reader();
            let taken = match reader.fill_buf() {
                Ok([]) => return Ok(true),
                Ok(chunk) => {
                    let taken = chunk.len().min(room);
                    input.extend_from_slice(&chunk[..taken]);
                    taken
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(true),
                Err(error) => return Err(error),
            };
            reader.consume(taken);
            if taken == room {
                return Ok(false);
            }
        }
    }

    /// Decrypts what the socket has.
    fn poll_receive(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.session.read_tls(&mut Polled { tcp: &mut self.tcp, task }) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Poll::Pending,
            received => _ = received?,
        }
        let processed = self.session.process_new_packets();
        // What is wrong, or the answer to a change of keys. If it does not fit now, the next write takes it along.
        if self.held == 0 && self.session.wants_write() {
            let _ = flush(&mut self.session, &mut Tried(&self.tcp));
        }
        Poll::Ready(match processed {
            Ok(_) => Ok(()),
            Err(error) => Err(io::Error::new(ErrorKind::InvalidData, error)),
        })
    }
}

/// Sends what is encrypted.
fn flush(session: &mut ServerConnection, socket: &mut dyn Write) -> io::Result<()> {
    while session.wants_write() {
        if session.write_tls(socket)? == 0 {
            return Err(ErrorKind::WriteZero.into());
        }
    }
    Ok(())
}

/// The last words to somebody who is turned away, on a socket that no event loop knows yet.
pub fn turn_away(
    mut tcp: &std::net::TcpStream,
    session: &mut ServerConnection,
    words: &[u8],
) -> io::Result<()> {
    session.writer().write_all(words)?;
    session.send_close_notify();
    flush(session, &mut tcp)
}

/// The socket for a task that is woken when it is ready; until then it would block.
struct Polled<'a, 'b> {
    tcp: &'a mut TcpStream,
    task: &'a mut Context<'b>,
}

impl Read for Polled<'_, '_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut bytes = ReadBuf::new(bytes);
        match Pin::new(&mut *self.tcp).poll_read(self.task, &mut bytes) {
            Poll::Ready(result) => result.map(|()| bytes.filled().len()),
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl Polled<'_, '_> {
    fn written(written: Poll<io::Result<usize>>) -> io::Result<usize> {
        match written {
            Poll::Ready(result) => result,
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Polled<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Self::written(Pin::new(&mut *self.tcp).poll_write(self.task, bytes))
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        Self::written(Pin::new(&mut *self.tcp).poll_write_vectored(self.task, pieces))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The socket for whoever does not wait.
struct Tried<'a>(&'a TcpStream);

impl Write for Tried<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
