//! Listening for clients and handing each to a shard's thread, in turn.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use mayfly_config::{Loaded, ServerConfig};
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};

use crate::error::StartError;
use crate::host::ServerHost;
use crate::inbox::ShardPeer;
use crate::passed::Passed;
use crate::shard::Adopt;
use crate::socket::AcceptedSocket;
use crate::tls::Purpose;
use crate::tls::handshakes::TlsListener;
use crate::unix_socket::{self, SocketFile};

/// How long to wait when the system has no descriptor for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where clients come in.
pub enum ClientListener {
    /// By TCP.
    Tcp(TcpListener),
    /// By a Unix socket, and the file that goes with it if this process has made it.
    Unix(UnixListener, Option<SocketFile>),
    /// By TCP and TLS.
    Tls(TcpListener),
}

/// Listens wherever clients are to come in, but where sockets were passed for that.
///
/// # Errors
/// A place is taken or not ours; the error names who set the value.
pub fn bind_clients(loaded: &Loaded, passed: &mut Passed) -> Result<Vec<ClientListener>, StartError> {
    let mut listeners = std::mem::take(&mut passed.clients);
    if listeners.is_empty() {
        let bound = bind_tcp(loaded, "server.port", loaded.config.server.port)?;
        listeners.extend(bound.into_iter().map(ClientListener::Tcp));
    }
    let tls_port = loaded.config.tls.port;
    if passed.clients_tls.is_empty() && tls_port != 0 {
        listeners.extend(bind_tcp(loaded, "tls.port", tls_port)?.into_iter().map(ClientListener::Tls));
    }
    listeners.append(&mut passed.clients_tls);
    let unix = unix_socket::bind(loaded)?;
    listeners.extend(unix.map(|(listener, file)| ClientListener::Unix(listener, Some(file))));
    Ok(listeners)
}

/// Listens on every address of `server.bind`. With port 0 the first address takes any free port and the others
/// take the same.
fn bind_tcp(loaded: &Loaded, key: &'static str, mut port: u16) -> Result<Vec<TcpListener>, StartError> {
    let server = &loaded.config.server;
    let mut listeners = Vec::new();
    for &address in &server.bind {
        let listener = bind(loaded, key, address, port, server.tcp_backlog as i32)?;
        if port == 0 {
            port = listener.local_addr().map_or(0, |address| address.port());
        }
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Listens for the collector, but where a socket was passed for that.
///
/// # Errors
/// The address is taken or not ours; the error names who set the value.
pub fn bind_metrics(loaded: &Loaded, passed: &mut Passed) -> Result<Vec<TcpListener>, StartError> {
    /// Collectors that wait to be accepted.
    const BACKLOG: i32 = 128;
    let metrics = &loaded.config.metrics;
    match (metrics.enabled, std::mem::take(&mut passed.metrics)) {
        (false, passed) => {
            if !passed.is_empty() {
                tracing::warn!(
                    "a socket was passed for metrics, but metrics.enabled is false; nobody serves it"
                );
            }
            Ok(Vec::new())
        }
        (true, passed) if !passed.is_empty() => Ok(passed),
        _ => bind(loaded, "metrics.port", metrics.bind, metrics.port, BACKLOG).map(|bound| vec![bound]),
    }
}

fn bind(
    loaded: &Loaded,
    key: &'static str,
    address: IpAddr,
    port: u16,
    backlog: i32,
) -> Result<TcpListener, StartError> {
    let address = SocketAddr::new(address, port);
    let listen = || -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if address.is_ipv6() {
            // `::` beside `0.0.0.0` is two listeners, not one that takes the other's port.
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(backlog)?;
        Ok(socket.into())
    };
    listen().map_err(|source| StartError::Listen { place: loaded.place(key).clone(), key, address, source })
}

impl ClientListener {
    /// Accepts clients until the future is dropped.
    ///
    /// # Errors
    /// The event loop does not take the socket.
    pub fn accept(
        self,
        host: Arc<ServerHost>,
        shards: Arc<Turns>,
    ) -> io::Result<Pin<Box<dyn Future<Output = ()>>>> {
        Ok(match self {
            Self::Tcp(listener) => {
                let address = listener.local_addr()?;
                let listener = tokio::net::TcpListener::from_std(listener)?;
                host.port.store(address.port(), Relaxed);
                tracing::info!(target: "mayfly_server", %address, "listening for clients");
                Box::pin(accept_tcp(listener, host, shards))
            }
            Self::Tls(listener) => {
                let address = listener.local_addr()?;
                let listener = tokio::net::TcpListener::from_std(listener)?;
                tracing::info!(target: "mayfly_server", %address, "listening for clients that speak TLS");
                let listener = TlsListener::new(listener, Arc::clone(&host), Purpose::Clients);
                Box::pin(accept_tls(listener, host, shards))
            }
            Self::Unix(listener, file) => {
                let path = SockRef::from(&listener).local_addr()?;
                let path = path.as_pathname().map_or_else(String::new, |path| path.display().to_string());
                let listener = tokio::net::UnixListener::from_std(listener)?;
                tracing::info!(target: "mayfly_server", path, "listening for clients at a Unix socket");
                Box::pin(accept_unix(listener, path, file, host, shards))
            }
        })
    }
}

async fn accept_tcp(listener: tokio::net::TcpListener, host: Arc<ServerHost>, shards: Arc<Turns>) {
    loop {
        match listener.accept().await {
            Ok((socket, address)) => {
                let local = local_address(&socket);
                let prepared = prepare(&socket, &host.config().server);
                let accepted = prepared.and_then(|()| socket.into_std()).map(AcceptedSocket::Tcp);
                admit(accepted, address.to_string(), local, &host, &shards);
            }
            Err(error) => rest_after(&error).await,
        }
    }
}

async fn accept_tls(mut listener: TlsListener, host: Arc<ServerHost>, shards: Arc<Turns>) {
    loop {
        let (stream, address) = listener.accept().await;
        let (socket, session) = stream.into_inner();
        let local = local_address(&socket);
        let accepted = socket.into_std().map(|socket| AcceptedSocket::Tls(Box::new((socket, session))));
        admit(accepted, address.to_string(), local, &host, &shards);
    }
}

/// As Redis, a client of a Unix socket is called by the file.
async fn accept_unix(
    listener: tokio::net::UnixListener,
    path: String,
    _file: Option<SocketFile>,
    host: Arc<ServerHost>,
    shards: Arc<Turns>,
) {
    let address = format!("{path}:0");
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                let accepted = socket.into_std().map(AcceptedSocket::Unix);
                admit(accepted, address.clone(), address.clone(), &host, &shards);
            }
            Err(error) => rest_after(&error).await,
        }
    }
}

/// The system has no room for another connection.
pub async fn rest_after(error: &io::Error) {
    tracing::warn!(%error, "cannot accept a connection");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

fn local_address(socket: &tokio::net::TcpStream) -> String {
    socket.local_addr().map_or_else(|_| String::new(), |address| address.to_string())
}

/// The shards, for connections to be spread over.
pub struct Turns {
    shards: Vec<ShardPeer>,
    next: AtomicUsize,
}

impl Turns {
    /// Begins with the first shard.
    pub fn new(shards: Vec<ShardPeer>) -> Self {
        Turns { shards, next: AtomicUsize::new(0) }
    }

    fn next(&self) -> &ShardPeer {
        &self.shards[self.next.fetch_add(1, Relaxed) % self.shards.len()]
    }
}

/// Lets a client in, if there is room for it.
fn admit(
    accepted: io::Result<AcceptedSocket>,
    address: String,
    local_address: String,
    host: &ServerHost,
    shards: &Turns,
) {
    let socket = match accepted {
        Ok(socket) => socket,
        Err(error) => {
            tracing::debug!(client = address, %error, "a connection was lost before it began");
            return;
        }
    };
    match host.clients.enter(address, local_address, host.clock.now().0) {
        Some(card) => shards.next().address.do_send(Adopt { socket, card }),
        None => {
            tracing::debug!("turned away a client: as many as server.connections_max allows");
            socket.turn_away(b"-ERR max number of clients reached\r\n");
        }
    }
}

/// Sets the options of a socket.
///
/// # Errors
/// The client has gone.
pub fn prepare(socket: &tokio::net::TcpStream, server: &ServerConfig) -> io::Result<()> {
    socket.set_nodelay(true)?;
    if server.tcp_keepalive_seconds > 0 {
        let idle = Duration::from_secs(server.tcp_keepalive_seconds);
        // As Redis: three probes within the same time again.
        let interval = Duration::from_secs((server.tcp_keepalive_seconds / 3).max(1));
        let keepalive = TcpKeepalive::new().with_time(idle).with_interval(interval).with_retries(3);
        SockRef::from(socket).set_tcp_keepalive(&keepalive)?;
    }
    Ok(())
}
