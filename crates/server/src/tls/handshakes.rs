//! Accepting by TLS: many handshakes at once, each within its time, so that a slow one holds nobody up.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Purpose;
use crate::host::ServerHost;
use crate::listener::{prepare, rest_after};

/// Listens for who speaks TLS. Handshakes under way end with it.
pub struct TlsListener {
    listener: TcpListener,
    host: Arc<ServerHost>,
    purpose: Purpose,
    under_way: JoinSet<Option<Accepted>>,
}

/// A socket whose handshake is done, and who is at its other end.
pub type Accepted = (TlsStream<TcpStream>, SocketAddr);

impl TlsListener {
    /// Handshakes of those who connect to `listener`.
    pub fn new(listener: TcpListener, host: Arc<ServerHost>, purpose: Purpose) -> Self {
        TlsListener { listener, host, purpose, under_way: JoinSet::new() }
    }

    /// The next whose handshake is done.
    pub async fn accept(&mut self) -> Accepted {
        loop {
            let has_room = self.under_way.len() < self.host.config().tls.handshakes_max;
            tokio::select! {
                Some(done) = self.under_way.join_next() => {
                    if let Ok(Some(accepted)) = done {
                        return accepted;
                    }
                }
                connected = self.listener.accept(), if has_room => match connected {
                    Ok((socket, address)) => {
                        let host = Arc::clone(&self.host);
                        self.under_way.spawn(shake_hands(socket, address, host, self.purpose));
                    }
                    Err(error) => rest_after(&error).await,
                }
            }
        }
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Accepted {
        TlsListener::accept(self).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Counts a handshake as under way as long as it lives.
struct UnderWay(Arc<ServerHost>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.tls.under_way.fetch_sub(1, Relaxed);
    }
}

async fn shake_hands(
    socket: TcpStream,
    address: SocketAddr,
    host: Arc<ServerHost>,
    purpose: Purpose,
) -> Option<Accepted> {
    host.tls.under_way.fetch_add(1, Relaxed);
    let _under_way = UnderWay(Arc::clone(&host));
    let config = host.config();
    let certificates = host.tls.config(purpose)?;
    let shaken = async {
        prepare(&socket, &config.server)?;
        TlsAcceptor::from(certificates).accept(socket).await
    };
    let timeout = Duration::from_millis(config.tls.handshake_timeout_ms);
    let problem = match tokio::time::timeout(timeout, shaken).await {
        Ok(Ok(stream)) => {
            host.tls.done.fetch_add(1, Relaxed);
            return Some((stream, address));
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it took longer than tls.handshake_timeout_ms allows".to_owned(),
    };
    host.tls.has_failed(&address.to_string(), &problem, host.clock.now().0);
    None
}
