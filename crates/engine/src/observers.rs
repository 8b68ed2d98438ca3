//! Who wants to know what happens on a shard: watchers of keys, subscribers of channels, readers of events, caches.
//!
//! ```text
//!   command ─Change─► Observers ─┬─ a watched key? ──► its transactions will not run
//!                                ├─ an event somebody subscribed to? ──► Effect::Push
//!                                └─ a key somebody caches? ────────────► Effect::Push
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
use crate::tracking::Tracking;

/// Raised when a key that a session watches has changed.
pub type WatchFlag = Arc<AtomicBool>;

/// Everybody who wants to know what happens on one shard.
#[derive(Debug)]
pub struct Observers<A> {
    /// Who listens to which channel.
    pub subscriptions: Subscriptions<A>,
    /// Who caches which key.
    pub tracking: Tracking<A>,
    events: SharedEventClasses,
    watches: Watches,
}

impl<A: Clone> Observers<A> {
    /// Nobody yet; `events` are those that are asked for at the moment. At most `tracked_keys_max` keys are
    /// remembered for those who cache them.
    pub fn new(events: SharedEventClasses, tracked_keys_max: usize) -> Self {
        Observers {
            subscriptions: Subscriptions::default(),
            tracking: Tracking::new(tracked_keys_max),
            events,
            watches: Watches::default(),
        }
    }

    /// Whether changes have to be reported at all.
    #[inline]
    pub fn are_watching(&self) -> bool {
        !self.watches.by_key.is_empty()
            || !self.tracking.is_idle()
            || (!self.subscriptions.is_empty() && self.events.get().is_any())
    }

    /// Whether nobody watches or listens.
    pub fn is_idle(&self) -> bool {
        self.watches.by_key.is_empty()
            && self.watches.by_client.is_empty()
            && self.subscriptions.is_empty()
            && self.tracking.is_idle()
    }

    /// Adds a watch: `flag` is raised when the key changes, which `is_there` now or is not.
    pub fn watch(&mut self, client: u64, database: u16, key: &[u8], is_there: bool, flag: &WatchFlag) {
        let flag = Arc::clone(flag);
        self.watches.add(database, key, Watcher { client, is_there, flag });
    }

    /// The keys that a client watches on this shard.
    pub fn watched_by(&self, client: u64) -> Vec<Place> {
        self.watches.by_client.get(&client).cloned().unwrap_or_default()
    }

    /// The keys of a database that somebody watches although they were not there.
    pub fn watched_absent(&self, database: u16) -> Vec<Vec<u8>> {
        let of_database = self.watches.by_key.iter().filter(|((number, _), _)| *number == database);
        let absent = of_database.filter(|(_, watchers)| watchers.iter().any(|watcher| !watcher.is_there));
        absent.map(|((_, key), _)| key.clone()).collect()
    }

    /// A key has come to a database by a swap.
    pub fn appeared(&self, database: u16, key: &[u8]) {
        self.watches.touch(database, key, false);
    }

    /// Ends all watches of a client.
    pub fn unwatch(&mut self, client: u64) {
        self.watches.remove_if(client, |_| true);
    }

    /// Ends the watches of a client that raise this flag.
    pub fn unwatch_by(&mut self, client: u64, flag: &WatchFlag) {
        self.watches.remove_if(client, |watcher| Arc::ptr_eq(&watcher.flag, flag));
    }

    /// Something has changed, `by` a client or by itself: raises flags, pushes events, tells caches.
    pub fn changed(&mut self, change: &Change, by: Option<u64>, effects: &mut Vec<Effect<A>>) {
        match change {
            Change::Key { database, class, event, key } => {
                if *class != Class::Miss {
                    self.watches.touch(*database, key, *class == Class::Expired);
                    self.tracking.changed(key, by, effects);
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
    /// Whether the key was there when it began.
    is_there: bool,
    flag: WatchFlag,
}

impl Watches {
    fn add(&mut self, database: u16, key: &[u8], watcher: Watcher) {
        let place = (database, key.to_vec());
        let watchers = self.by_key.entry(place.clone()).or_default();
        match watchers.iter_mut().find(|known| known.client == watcher.client) {
            // Left over from a transaction before, or watched twice: a change in between has raised the flag.
            Some(known) => *known = watcher,
            None => {
                self.by_client.entry(watcher.client).or_default().push(place);
                watchers.push(watcher);
            }
        }
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

    /// A key has changed. With `by_expiry` that matters to those only who had seen it: to others it came dead, with
    /// a swap of databases.
    fn touch(&self, database: u16, key: &[u8], by_expiry: bool) {
        if self.by_key.is_empty() {
            return;
        }
        let watchers = self.by_key.get(&(database, key.to_vec())).into_iter().flatten();
        for watcher in watchers.filter(|watcher| watcher.is_there || !by_expiry) {
            watcher.flag.store(true, Relaxed);
        }
    }

    /// All keys of a database are gone from it.
    fn touch_database(&self, database: u16) {
        let of_database = self.by_key.iter().filter(|((number, _), _)| *number == database);
        for watcher in of_database.flat_map(|(_, watchers)| watchers).filter(|watcher| watcher.is_there) {
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
        let mut observers: Observers<u32> = Observers::new(SharedEventClasses::default(), 1);
        let (first, second) = (WatchFlag::default(), WatchFlag::default());
        observers.watch(1, 0, b"a", false, &first);
        observers.watch(2, 1, b"a", true, &second);
        observers.changed(&change(0, "b"), None, &mut Vec::new());
        observers.changed(&Change::Flushed { database: 3 }, None, &mut Vec::new());
        assert!(!first.load(Relaxed) && !second.load(Relaxed));
        observers.changed(&change(0, "a"), None, &mut Vec::new());
        assert!(first.load(Relaxed) && !second.load(Relaxed));
        observers.changed(&Change::Swapped { first: 1, second: 5 }, None, &mut Vec::new());
        assert!(second.load(Relaxed));
    }

    #[test]
    fn a_key_that_was_not_there_is_not_changed_by_a_flush_nor_by_coming_dead() {
        let mut observers: Observers<u32> = Observers::new(SharedEventClasses::default(), 1);
        let (there, absent) = (WatchFlag::default(), WatchFlag::default());
        observers.watch(1, 0, b"a", true, &there);
        observers.watch(2, 0, b"a", false, &absent);
        assert_eq!(observers.watched_absent(0), [b"a".to_vec()]);
        let expired = Change::Key { database: 0, class: Class::Expired, event: "expired", key: b"a".into() };
        for change in [expired, Change::Flushed { database: 0 }, Change::Swapped { first: 3, second: 0 }] {
            there.store(false, Relaxed);
            observers.changed(&change, None, &mut Vec::new());
            assert!(there.load(Relaxed) && !absent.load(Relaxed), "{change:?}");
        }
        observers.appeared(0, b"a");
        assert!(absent.load(Relaxed));
    }

    #[test]
    fn nothing_is_kept_of_a_client_that_has_gone() {
        let mut observers: Observers<u32> = Observers::new(SharedEventClasses::default(), 1);
        observers.watch(1, 0, b"a", true, &WatchFlag::default());
        observers.watch(1, 0, b"a", true, &WatchFlag::default());
        observers.watch(2, 0, b"a", true, &WatchFlag::default());
        assert_eq!(observers.watched_by(1), [(0, b"a".to_vec())]);
        observers.unwatch(1);
        assert!(observers.are_watching());
        let (old, new) = (WatchFlag::default(), WatchFlag::default());
        observers.watch(3, 0, b"a", true, &old);
        observers.watch(3, 0, b"b", true, &new);
        observers.unwatch_by(3, &old);
        assert_eq!(observers.watched_by(3), [(0, b"b".to_vec())]);
        observers.unwatch_by(3, &new);
        observers.unwatch(2);
        assert!(!observers.are_watching() && observers.watches.by_client.is_empty());
    }
}
