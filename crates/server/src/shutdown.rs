//! The end: refuse new clients, answer what is in flight, stop, join; with a deadline and a logged outcome.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix_rt::Arbiter;
use mayfly_command::Host;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use crate::host::ServerHost;
use crate::inbox::ShardPeer;
use crate::shard::DrainConnections;
use crate::supervisor;

/// How often the number of open connections is looked at while they drain.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The signals that end the process.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to listen for them.
    ///
    /// # Errors
    /// The system gives no handler.
    pub fn new() -> io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for a reason to stop.
    pub async fn wait(mut self, host: &ServerHost) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            () = host.shutdown_requested() => "SHUTDOWN",
        }
    }
}

/// Ends the process in order.
pub async fn shut_down(
    reason: &'static str,
    host: &Arc<ServerHost>,
    accepting: Vec<JoinHandle<()>>,
    shards: &[ShardPeer],
    arbiters: Vec<Arbiter>,
) {
    let grace_ms = host.config().server.shutdown_grace_ms;
    supervisor::stopping(reason);
    tracing::info!(reason, connections = host.clients.connected(), grace_ms, "stopping");
    for listener in accepting {
        listener.abort();
        // Only when it is gone nobody new is let in; then those who are in are told to finish.
        let _ = listener.await;
    }
    // Requests that were received are carried out, those that were held too.
    host.unpause();
    for shard in shards {
        shard.address.do_send(DrainConnections);
    }
    let drained = async {
        while host.clients.connected() > 0 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    match tokio::time::timeout(Duration::from_millis(grace_ms), drained).await {
        Ok(()) => tracing::info!("every connection was answered and closed"),
        Err(_) => tracing::warn!(
            connections = host.clients.connected(),
            "the grace is over; closing connections that have not read their replies"
        ),
    }
    for arbiter in &arbiters {
        arbiter.stop();
    }
    for arbiter in arbiters {
        if arbiter.join().is_err() {
            tracing::error!("a shard's thread ended with a panic");
        }
    }
    tracing::info!("stopped");
}
