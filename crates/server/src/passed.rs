//! Sockets that the process was started with, as systemd does it for its socket units: `LISTEN_FDS`, `LISTEN_PID` and
//! `LISTEN_FDNAMES`. A name says what a socket is for; the settings of addresses and ports do not hold for that then.
//!
//! The one place that takes a descriptor by its number: the protocol is made of numbers.

use std::io;
use std::net::TcpListener;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use socket2::{SockRef, Socket, Type};

use crate::error::StartError;
use crate::listener::ClientListener;

/// Sockets by what they are for.
#[derive(Default)]
pub struct Passed {
    /// For clients, TCP or Unix sockets: `clients`.
    pub clients: Vec<ClientListener>,
    /// For clients that speak TLS: `clients-tls`.
    pub clients_tls: Vec<ClientListener>,
    /// For the collector: `metrics`.
    pub metrics: Vec<TcpListener>,
}

/// Takes what was passed. To be called once.
///
/// # Errors
/// A name that says nothing, or something that is no listening socket.
pub fn take() -> Result<Passed, StartError> {
    let mut passed = Passed::default();
    let refused = |problem: String| StartError::Passed { problem };
    let descriptors = sd_notify::listen_fds_with_names().map_err(|error| refused(error.to_string()))?;
    for (descriptor, name) in descriptors {
        let socket = own(descriptor).map_err(|error| refused(format!("{name}: {error}")))?;
        let is_unix = SockRef::from(&socket).local_addr().is_ok_and(|address| address.is_unix());
        match name.as_str() {
            "clients" if is_unix => passed.clients.push(ClientListener::Unix(socket.into(), None)),
            "clients" => passed.clients.push(ClientListener::Tcp(socket.into())),
            "clients-tls" if !is_unix => passed.clients_tls.push(ClientListener::Tls(socket.into())),
            "metrics" if !is_unix => passed.metrics.push(socket.into()),
            "clients-tls" | "metrics" => {
                return Err(refused(format!("{name}: is a Unix socket, not one of TCP")));
            }
            _ => {
                let known = "clients, clients-tls and metrics are known";
                return Err(refused(format!("{name:?} says not what the socket is for; {known}")));
            }
        }
    }
    Ok(passed)
}

/// A listening socket by its number.
fn own(descriptor: RawFd) -> io::Result<Socket> {
    #[allow(
        unsafe_code,
        reason = "descriptors that are passed to a process are known by their numbers alone"
    )]
    // SAFETY: whoever started the process has opened it for the process and says so by LISTEN_PID; nobody else here
    // takes it, since `take` is called once.
    let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
    let socket = Socket::from(descriptor);
    if socket.r#type()? != Type::STREAM || !socket.is_listener()? {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "is no socket that listens for connections"));
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}
