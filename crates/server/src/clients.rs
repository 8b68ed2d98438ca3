//! Who is connected: the registry behind `CLIENT LIST`, the limit of connections and their counters.
//!
//! A lock is taken when a client comes, goes or asks for the list; never for a command on data.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;
use mayfly_command::ClientCard;

/// All connected clients.
#[derive(Debug)]
pub struct Clients {
    connections_max: AtomicUsize,
    cards: Mutex<HashMap<u64, Arc<ClientCard>>>,
    accepted: AtomicU64,
    rejected: AtomicU64,
    evicted: AtomicU64,
    slow_closed: AtomicU64,
}

impl Clients {
    /// An empty registry for at most `connections_max` clients.
    pub fn new(connections_max: usize) -> Self {
        Clients {
            connections_max: AtomicUsize::new(connections_max),
            cards: Mutex::default(),
            accepted: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
            slow_closed: AtomicU64::new(0),
        }
    }

    /// Registers a client; `None` if there are as many as the limit allows.
    pub fn enter(&self, address: String, local_address: String, now: i64) -> Option<Arc<ClientCard>> {
        let mut cards = self.cards();
        if cards.len() >= self.connections_max.load(Relaxed) {
            self.rejected.fetch_add(1, Relaxed);
            return None;
        }
        let id = self.accepted.fetch_add(1, Relaxed) + 1;
        let card = Arc::new(ClientCard::new(id, address, local_address, now));
        cards.insert(id, Arc::clone(&card));
        Some(card)
    }

    /// Counts a client that is turned away for another reason than the limit.
    pub fn reject(&self) {
        self.rejected.fetch_add(1, Relaxed);
    }

    /// Changes the limit for those who come from now on.
    pub fn set_connections_max(&self, connections_max: usize) {
        self.connections_max.store(connections_max, Relaxed);
    }

    /// Forgets a client.
    pub fn leave(&self, id: u64) {
        self.cards().remove(&id);
    }

    /// The cards of all clients but those that are being disconnected, oldest first.
    pub fn all(&self) -> Vec<Arc<ClientCard>> {
        let mut all: Vec<_> = self.cards().values().cloned().collect();
        all.retain(|card| !card.disconnected.load(Relaxed));
        all.sort_unstable_by_key(|card| card.id);
        all
    }

    /// The card of a client that is connected.
    pub fn find(&self, id: u64) -> Option<Arc<ClientCard>> {
        self.cards().get(&id).filter(|card| !card.disconnected.load(Relaxed)).cloned()
    }

    /// Number of clients.
    pub fn connected(&self) -> u64 {
        self.cards().len() as u64
    }

    /// Clients whose reads are tracked.
    pub fn tracking(&self) -> u64 {
        self.cards().values().filter(|card| card.tracking.load(Relaxed) != 0).count() as u64
    }

    /// Clients of which a request is held.
    pub fn held(&self) -> u64 {
        self.cards().values().filter(|card| card.is_held.load(Relaxed)).count() as u64
    }

    /// Bytes that clients hold together.
    pub fn memory_bytes(&self) -> u64 {
        self.cards().values().map(|card| card.memory_bytes()).sum()
    }

    /// Counts clients that were closed for the memory that all hold.
    pub fn evicted(&self, count: u64) {
        self.evicted.fetch_add(count, Relaxed);
    }

    /// Clients that were closed for the memory that all held, since the start.
    pub fn evicted_total(&self) -> u64 {
        self.evicted.load(Relaxed)
    }

    /// Counts clients that were closed for having read too slowly for too long.
    pub fn slow_closed(&self, count: u64) {
        self.slow_closed.fetch_add(count, Relaxed);
    }

    /// Clients that were closed for that, since the start.
    pub fn slow_closed_total(&self) -> u64 {
        self.slow_closed.load(Relaxed)
    }

    /// Clients since the start.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
    }

    /// Clients turned away since the start.
    pub fn rejected(&self) -> u64 {
        self.rejected.load(Relaxed)
    }

    fn cards(&self) -> MutexGuard<'_, HashMap<u64, Arc<ClientCard>>> {
        self.cards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_house_turns_away_until_somebody_leaves() {
        let clients = Clients::new(2);
        let enter = || clients.enter("a".into(), "b".into(), 0);
        let first = enter().unwrap();
        assert_eq!(enter().unwrap().id, 2);
        assert!(enter().is_none());
        clients.leave(first.id);
        assert_eq!(enter().unwrap().id, 3);
        assert_eq!((clients.connected(), clients.accepted(), clients.rejected()), (2, 3, 1));
    }
}
