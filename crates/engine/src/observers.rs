//! Who wants to know what happens on a shard: watchers of keys, subscribers of channels, readers of events.
//!
//! ```text
//!   command ─Change─► Observers ─┬─ a watched key? ──► its transactions will not run
//!                                └─ an event somebody subscribed to? ──► Effect::Push
//! ```
//!
//! Watches are kept by the shard that owns the key. Subscriptions are the same on every shard: subscribing is a
//! step over all of them, so that an event is matched where it happens, without asking anybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use bytes::Bytes;
use hashbrown::HashMap;
use mayfly_command::{Change, Class};

use crate::batch::Effect;
use crate::events::SharedEventClasses;
use crate::subscriptions::Subscriptions;

/// Raised when a key that a session watches has changed.
pub type WatchFlag = Arc<AtomicBool>;

/// Everybody who wants to know what happens on one shard.
#[derive(Debug)]
pub struct Observers<A> {
    /// Who listens to which channel.
    pub subscriptions: Subscriptions<A>,
    events: SharedEventClasses,
    watches: Watches,
}

impl<A: Clone> Observers<A> {
    /// Nobody yet; `events` are those that are asked for at the moment.
    pub fn new(events: SharedEventClasses) -> Self {
        Observers { subscriptions: Subscriptions::default(), events, watches: Watches::default() }
    }

    /// Whether changes have to be reported at all.
    #[inline]
    pub fn are_watching(&self) -> bool {
        !self.watches.by_key.is_empty() || (!self.subscriptions.is_empty() && self.events.get().is_any())
    }

    /// Whether nobody watches or listens.
    pub fn is_idle(&self) -> bool {
        self.watches.by_key.is_empty() && self.watches.by_client.is_empty() && self.subscriptions.is_empty()
    }

    /// Adds a watch: `flag` is raised when the key changes.
    pub fn watch(&mut self, client: u64, database: u16, key: &[u8], flag: &WatchFlag) {
        self.watches.add(client, database, key, flag);
    }

    /// The keys that a client watches on this shard.
    pub fn watched_by(&self, client: u64) -> Vec<Place> {
        self.watches.by_client.get(&client).cloned().unwrap_or_default()
    }

    /// Ends all watches of a client.
    pub fn unwatch(&mut self, client: u64) {
        self.watches.remove_if(client, |_| true);
    }

    /// Ends the watches of a client that raise this flag.
    pub fn unwatch_by(&mut self, client: u64, flag: &WatchFlag) {
        self.watches.remove_if(client, |watcher| Arc::ptr_eq(&watcher.flag, flag));
    }

    /// Something has changed: raises flags and pushes events.
    pub fn changed(&mut self, change: &Change, effects: &mut Vec<Effect<A>>) {
        match change {
            Change::Key { database, class, event, key } => {
                if *class != Class::Miss {
                    self.watches.touch(*database, key);
                }
                self.push_event(*database, *class, event, key, effects);
            }
            Change::Flushed { database } => self.watches.touch_database(*database),
            Change::Swapped { first, second } => {
                self.watches.touch_database(*first);
                self.watches.touch_database(*second);
            }
        }
    }

    fn push_event(&self, database: u16, class: Class, event: &str, key: &[u8], effects: &mut Vec<Effect<A>>) {
        let classes = self.events.get();
        if !classes.has(class) || self.subscriptions.is_empty() {
            return;
        }
        if classes.by_key() {
            let mut channel = format!("__keyspace@{database}__:").into_bytes();
            channel.extend_from_slice(key);
            self.subscriptions.publish(
                &Bytes::from(channel),
                &Bytes::copy_from_slice(event.as_bytes()),
                effects,
            );
        }
        if classes.by_event() {
            let channel = Bytes::from(format!("__keyevent@{database}__:{event}"));
            self.subscriptions.publish(&channel, &Bytes::copy_from_slice(key), effects);
        }
    }
}

/// A logical database and a key in it.
type Place = (u16, Vec<u8>);

/// Which keys are watched, by whom; found from either end.
#[derive(Debug, Default)]
struct Watches {
    by_key: HashMap<Place, Vec<Watcher>>,
    by_client: HashMap<u64, Vec<Place>>,
}

/// A client that watches a key, and how it is told.
#[derive(Debug)]
struct Watcher {
    client: u64,
    flag: WatchFlag,
}

impl Watches {
    fn add(&mut self, client: u64, database: u16, key: &[u8], flag: &WatchFlag) {
        let place = (database, key.to_vec());
        let watchers = self.by_key.entry(place.clone()).or_default();
        let flag = Arc::clone(flag);
        if let Some(watcher) = watchers.iter_mut().find(|watcher| watcher.client == client) {
            // Left over from a transaction before.
            watcher.flag = flag;
            return;
        }
        watchers.push(Watcher { client, flag });
        self.by_client.entry(client).or_default().push(place);
    }

    fn remove_if(&mut self, client: u64, is_over: impl Fn(&Watcher) -> bool) {
        let mut places = self.by_client.remove(&client).unwrap_or_default();
        places.retain(|place| {
            let Some(watchers) = self.by_key.get_mut(place) else { return false };
            watchers.retain(|watcher| watcher.client != client || !is_over(watcher));
            let is_left = watchers.iter().any(|watcher| watcher.client == client);
            if watchers.is_empty() {
                self.by_key.remove(place);
            }
            is_left
        });
        if !places.is_empty() {
            self.by_client.insert(client, places);
        }
    }

    fn touch(&self, database: u16, key: &[u8]) {
        if self.by_key.is_empty() {
            return;
        }
        for watcher in self.by_key.get(&(database, key.to_vec())).into_iter().flatten() {
            watcher.flag.store(true, Relaxed);
        }
    }

    fn touch_database(&self, database: u16) {
        let of_database = self.by_key.iter().filter(|((number, _), _)| *number == database);
        for watcher in of_database.flat_map(|(_, watchers)| watchers) {
            watcher.flag.store(true, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(database: u16, key: &str) -> Change {
        Change::Key { database, class: Class::Hash, event: "hset", key: key.into() }
    }

    #[test]
    fn a_change_raises_the_flags_of_those_who_watch_the_key() {
        let mut observers: Observers<u32> = Observers::new(SharedEventClasses::default());
        let (first, second) = (WatchFlag::default(), WatchFlag::default());
        observers.watch(1, 0, b"a", &first);
        observers.watch(2, 1, b"a", &second);
        observers.changed(&change(0, "b"), &mut Vec::new());
        observers.changed(&Change::Flushed { database: 3 }, &mut Vec::new());
        assert!(!first.load(Relaxed) && !second.load(Relaxed));
        observers.changed(&change(0, "a"), &mut Vec::new());
        assert!(first.load(Relaxed) && !second.load(Relaxed));
        observers.changed(&Change::Swapped { first: 1, second: 5 }, &mut Vec::new());
        assert!(second.load(Relaxed));
    }

    #[test]
    fn nothing_is_kept_of_a_client_that_has_gone() {
        let mut observers: Observers<u32> = Observers::new(SharedEventClasses::default());
        observers.watch(1, 0, b"a", &WatchFlag::default());
        observers.watch(1, 0, b"a", &WatchFlag::default());
        observers.watch(2, 0, b"a", &WatchFlag::default());
        assert_eq!(observers.watched_by(1), [(0, b"a".to_vec())]);
        observers.unwatch(1);
        assert!(observers.are_watching());
        let (old, new) = (WatchFlag::default(), WatchFlag::default());
        observers.watch(3, 0, b"a", &old);
        observers.watch(3, 0, b"b", &new);
        observers.unwatch_by(3, &old);
        assert_eq!(observers.watched_by(3), [(0, b"b".to_vec())]);
        observers.unwatch_by(3, &new);
        observers.unwatch(2);
        assert!(!observers.are_watching() && observers.watches.by_client.is_empty());
    }
}
