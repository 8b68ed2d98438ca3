//! The socket of a client, whatever it is: TCP, a Unix socket, or TCP with TLS.
//!
//! A socket is accepted on the main thread and lives on a shard's: [`AcceptedSocket`] is its form on the way.

mod tls;

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use rustls::ServerConnection;
use socket2::SockRef;
use tokio::io::AsyncWrite;
use tokio::net::{TcpStream, UnixStream};
use tokio_util::io::poll_read_buf;

use tls::TlsSocket;

/// A client's socket on the thread where it lives.
pub enum ClientSocket {
    /// By TCP.
    Tcp(TcpStream),
    /// By a Unix socket.
    Unix(UnixStream),
    /// By TCP and TLS.
    Tls(Box<TlsSocket>),
}

impl ClientSocket {
    /// Reads behind what is in `input` already; 0 at the end.
    #[inline]
    pub fn poll_read(&mut self, task: &mut Context<'_>, input: &mut BytesMut) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(socket) => poll_read_buf(Pin::new(socket), task, input),
            Self::Unix(socket) => poll_read_buf(Pin::new(socket), task, input),
            Self::Tls(socket) => socket.poll_read(task, input),
        }
    }

    /// Writes what fits, and answers how many bytes have left the process. After less than everything has left, the
    /// rest is to be written next, and nothing else.
    #[inline]
    pub fn poll_write(&mut self, task: &mut Context<'_>, output: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(socket) => Pin::new(socket).poll_write(task, output),
            Self::Unix(socket) => Pin::new(socket).poll_write(task, output),
            Self::Tls(socket) => socket.poll_write(task, output),
        }
    }

    /// Writes what fits now, by one call of the system, and has nobody woken when there is room for more.
    ///
    /// # Errors
    /// `WouldBlock` if nothing has left; else the socket has failed.
    #[inline]
    pub fn try_write(&mut self, output: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.try_write(output),
            Self::Unix(socket) => socket.try_write(output),
            Self::Tls(socket) => socket.try_write(output),
        }
    }

    /// Sends nothing more, and takes nothing more. Whoever was first has done so already.
    pub fn shut_down(&mut self) {
        self.say_goodbye();
        let _ = SockRef::from(&*self).shutdown(std::net::Shutdown::Both);
    }

    fn say_goodbye(&mut self) {
        if let Self::Tls(socket) = self {
            socket.say_goodbye();
        }
    }

    /// Sends nothing more. What it answers is a handle of its own on the socket, to read what still comes,
    /// as it comes.
    ///
    /// # Errors
    /// The process has no descriptor to spare, or the client is gone.
    pub fn part(&mut self) -> io::Result<Self> {
        self.say_goodbye();
        let socket = SockRef::from(&*self).try_clone()?;
        socket.shutdown(std::net::Shutdown::Write)?;
        match self {
            Self::Tcp(_) | Self::Tls(_) => TcpStream::from_std(socket.into()).map(Self::Tcp),
            Self::Unix(_) => UnixStream::from_std(socket.into()).map(Self::Unix),
        }
    }
}

impl AsFd for ClientSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Unix(socket) => socket.as_fd(),
            Self::Tls(socket) => socket.tcp().as_fd(),
        }
    }
}

/// A client's socket on its way to the thread where it will live.
pub enum AcceptedSocket {
    /// By TCP.
    Tcp(std::net::TcpStream),
    /// By a Unix socket.
    Unix(std::os::unix::net::UnixStream),
    /// By TCP and TLS.
    Tls(Box<(std::net::TcpStream, ServerConnection)>),
}

impl AcceptedSocket {
    /// The socket of a client that begins on this thread.
    ///
    /// # Errors
    /// The thread's event loop does not take it.
    pub fn adopt(self) -> io::Result<ClientSocket> {
        match self {
            Self::Tcp(socket) => TcpStream::from_std(socket).map(ClientSocket::Tcp),
            Self::Unix(socket) => UnixStream::from_std(socket).map(ClientSocket::Unix),
            Self::Tls(socket) => {
                let tcp = TcpStream::from_std(socket.0)?;
                Ok(ClientSocket::Tls(Box::new(TlsSocket::new(tcp, socket.1))))
            }
        }
    }

    /// Sends a few last words and closes. Whoever is turned away may have gone already.
    pub fn turn_away(self, words: &[u8]) {
        let _ = match self {
            Self::Tcp(mut socket) => socket.write_all(words),
            Self::Unix(mut socket) => socket.write_all(words),
            Self::Tls(mut socket) => tls::turn_away(&socket.0, &mut socket.1, words),
        };
    }
}
