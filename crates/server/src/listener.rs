//! Listening for clients and handing each to a shard's thread, in turn.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use mayfly_config::{Loaded, ServerConfig};
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use tokio::io::AsyncWriteExt;

use crate::error::StartError;
use crate::host::ServerHost;
use crate::inbox::ShardPeer;
use crate::shard::Adopt;

/// How long to wait when the system has no descriptor for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Listens on every address of `server.bind`. With port 0 the first address takes any free port and the others
/// take the same.
///
/// # Errors
/// An address is taken or not ours; the error names who set the value.
pub fn bind_clients(loaded: &Loaded) -> Result<Vec<TcpListener>, StartError> {
    let server = &loaded.config.server;
    let mut port = server.port;
    let mut listeners = Vec::new();
    for &address in &server.bind {
        let listener = bind(loaded, "server.port", address, port, server.tcp_backlog as i32)?;
        if port == 0 {
            port = listener.local_addr().map_or(0, |address| address.port());
        }
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Listens for the collector.
///
/// # Errors
/// The address is taken or not ours; the error names who set the value.
pub fn bind_metrics(loaded: &Loaded) -> Result<TcpListener, StartError> {
    /// Collectors that wait to be accepted.
    const BACKLOG: i32 = 128;
    let metrics = &loaded.config.metrics;
    bind(loaded, "metrics.port", metrics.bind, metrics.port, BACKLOG)
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

/// Accepts clients until it is dropped.
pub async fn accept(listener: tokio::net::TcpListener, host: Arc<ServerHost>, shards: Arc<Turns>) {
    loop {
        match listener.accept().await {
            Ok((socket, address)) => admit(socket, address, &host, &shards),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
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

/// What Redis answers to a client of another machine in protected mode.
const DENIED: &[u8] = b"-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. If you want to connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. 4) Set up an authentication password for the default user. NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside.\r\n";

/// Whether a client is turned away for where it comes from.
fn is_denied(address: IpAddr, host: &ServerHost) -> bool {
    !address.to_canonical().is_loopback()
        && host.config().access.protected_mode
        && host.access.default_user().needs_no_password()
}

fn turn_away(mut socket: tokio::net::TcpStream, line: &'static [u8]) {
    actix_rt::spawn(async move {
        // Who is turned away may have gone already.
        let _ = socket.write_all(line).await;
    });
}

fn admit(socket: tokio::net::TcpStream, address: SocketAddr, host: &ServerHost, shards: &Turns) {
    if is_denied(address.ip(), host) {
        tracing::debug!(client = %address, "turned away: protected mode, and no password");
        host.clients.reject();
        return turn_away(socket, DENIED);
    }
    let local = socket.local_addr().map_or_else(|_| String::new(), |address| address.to_string());
    let Some(card) = host.clients.enter(address.to_string(), local, host.clock.now().0) else {
        tracing::debug!(client = %address, "turned away: as many clients as server.connections_max allows");
        return turn_away(socket, b"-ERR max number of clients reached\r\n");
    };
    let adopted = socket.into_std().and_then(|socket| {
        prepare(&socket, &host.config().server)?;
        Ok(socket)
    });
    match adopted {
        Ok(socket) => shards.next().address.do_send(Adopt { socket, card }),
        Err(error) => {
            tracing::debug!(client = %address, %error, "a connection was lost before it began");
            host.clients.leave(card.id);
        }
    }
}

fn prepare(socket: &TcpStream, server: &ServerConfig) -> io::Result<()> {
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
