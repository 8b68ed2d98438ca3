//! Who reads what all clients ask for: the connections that said `MONITOR`.
//!
//! Every thread brings its lines to all of them. While there are none, a burst costs one load.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix::Addr;
use bytes::Bytes;

use crate::connection::{Connection, Observe};

/// The connections that monitor.
#[derive(Debug, Default)]
pub struct Monitors {
    count: AtomicUsize,
    connections: Mutex<Vec<(u64, Addr<Connection>)>>,
}

impl Monitors {
    /// Whether there is one.
    #[inline]
    pub fn is_any(&self) -> bool {
        self.count.load(Relaxed) > 0
    }

    /// Adds the connection of the client of this number.
    pub fn add(&self, client: u64, connection: Addr<Connection>) {
        let mut connections = self.connections();
        connections.push((client, connection));
        self.count.store(connections.len(), Relaxed);
    }

    /// Forgets the connection of the client of this number.
    pub fn remove(&self, client: u64) {
        let mut connections = self.connections();
        connections.retain(|(id, _)| *id != client);
        self.count.store(connections.len(), Relaxed);
    }

    /// Brings lines to all of them. Nobody waits for one that is slow: it is closed at its limit.
    pub fn show(&self, lines: &Bytes) {
        for (_, connection) in self.connections().iter() {
            connection.do_send(Observe(lines.clone()));
        }
    }

    fn connections(&self) -> MutexGuard<'_, Vec<(u64, Addr<Connection>)>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
