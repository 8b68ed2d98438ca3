//! Which clients cache which keys, and what they are told when those change: `CLIENT TRACKING`.
//!
//! ```text
//!   a read by a client that tracks ─► remember(key, client)     keys: key ─► clients, bounded
//!   a change, an expiry            ─► changed(key)  ─┬─ forget the key, tell its clients
//!                                                    └─ matches a prefix? ─► changed keys of this batch
//!   the end of a batch             ─► finish()      ──► tell those who track the prefix, all keys at once
//! ```
//!
//! Who tracks is the same on every shard, as subscriptions are; keys are remembered by the shard that owns them,
//! whatever database they are in. A client is told once of a key that it read: it is told again after it has read
//! again. A key that is dropped because there are too many is told of as if it had changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use fastrand::Rng;
use indexmap::IndexMap;
use mayfly_command::TrackingRequest;

use crate::batch::Effect;
use crate::subscriptions::Push;

/// Who tracks, what they have read, and what has changed in the batch at hand.
#[derive(Debug)]
pub struct Tracking<A> {
    clients: BTreeMap<u64, Tracker<A>>,
    /// Clients by the prefix they are told of.
    prefixes: BTreeMap<Bytes, BTreeSet<u64>>,
    /// How long those prefixes are.
    prefix_lengths: BTreeSet<usize>,
    /// Who has read a key since they were last told of it: numbers of clients, ascending, some of them gone.
    keys: IndexMap<Bytes, Vec<u64>>,
    keys_max: usize,
    items: usize,
    /// Keys with one of the prefixes that the batch has changed so far, with the client that alone changed it.
    changed: IndexMap<Bytes, Option<u64>>,
    told: u64,
}

#[derive(Debug)]
struct Tracker<A> {
    address: A,
    broadcasts: bool,
    no_loop: bool,
    prefixes: BTreeSet<Bytes>,
}

/// The size of a shard's part of all tracking.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct TrackingSize {
    /// Keys remembered.
    pub keys: usize,
    /// Pairs of a key and a client that has read it.
    pub items: usize,
    /// Prefixes told of; the same on every shard.
    pub prefixes: usize,
    /// Messages so far.
    pub told: u64,
}

impl<A: Clone> Tracking<A> {
    /// Nobody yet; at most `keys_max` keys are remembered.
    pub fn new(keys_max: usize) -> Self {
        Tracking {
            clients: BTreeMap::new(),
            prefixes: BTreeMap::new(),
            prefix_lengths: BTreeSet::new(),
            keys: IndexMap::new(),
            keys_max,
            items: 0,
            changed: IndexMap::new(),
            told: 0,
        }
    }

    /// Whether nobody tracks anything.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.clients.is_empty()
    }

    /// How much is kept.
    pub fn size(&self) -> TrackingSize {
        TrackingSize {
            keys: self.keys.len(),
            items: self.items,
            prefixes: self.prefixes.len(),
            told: self.told,
        }
    }

    /// A client tracks from here on as it asks, or no more. The session has checked the request.
    pub fn set(&mut self, client: u64, address: A, request: &TrackingRequest<'_>) {
        if !request.is_on {
            return self.forget(client);
        }
        let fresh = || Tracker { address, broadcasts: false, no_loop: false, prefixes: BTreeSet::new() };
        let tracker = self.clients.entry(client).or_insert_with(fresh);
        tracker.broadcasts = request.broadcasts;
        tracker.no_loop = request.no_loop;
        for prefix in request.added_prefixes() {
            let prefix = Bytes::copy_from_slice(prefix);
            self.prefix_lengths.insert(prefix.len());
            self.prefixes.entry(prefix.clone()).or_default().insert(client);
            tracker.prefixes.insert(prefix);
        }
    }

    /// A client tracks nothing any more. Its number stays with the keys it has read, without effect.
    pub fn forget(&mut self, client: u64) {
        let Some(tracker) = self.clients.remove(&client) else { return };
        for prefix in tracker.prefixes {
            if let Some(clients) = self.prefixes.get_mut(&prefix) {
                clients.remove(&client);
                if clients.is_empty() {
                    self.prefixes.remove(&prefix);
                }
            }
        }
        self.prefix_lengths = self.prefixes.keys().map(Bytes::len).collect();
        if self.clients.is_empty() {
            self.keys = IndexMap::new();
            self.items = 0;
        }
    }

    /// A client has read a key.
    pub fn remember(&mut self, key: &[u8], client: u64, random: &mut Rng, effects: &mut Vec<Effect<A>>) {
        let clients = &self.clients;
        if !clients.contains_key(&client) {
            return;
        }
        if let Some(readers) = self.keys.get_mut(key) {
            if readers.binary_search(&client).is_ok() {
                return;
            }
            if readers.len() == readers.capacity() {
                // Only live readers make it grow, however many come and go.
                let before = readers.len();
                readers.retain(|reader| clients.contains_key(reader));
                self.items -= before - readers.len();
            }
            let place = readers.partition_point(|reader| *reader < client);
            readers.insert(place, client);
        } else {
            while self.keys.len() >= self.keys_max.max(1) {
                let dropped = random.usize(..self.keys.len());
                self.tell_readers(dropped, None, effects);
            }
            self.keys.insert(Bytes::copy_from_slice(key), vec![client]);
        }
        self.items += 1;
    }

    /// A key has changed, `by` a client or by itself.
    pub fn changed(&mut self, key: &[u8], by: Option<u64>, effects: &mut Vec<Effect<A>>) {
        if let Some(place) = self.keys.get_index_of(key) {
            self.tell_readers(place, by, effects);
        }
        let mut lengths = self.prefix_lengths.range(..=key.len());
        if lengths.any(|length| self.prefixes.contains_key(&key[..*length])) {
            let author = self.changed.entry(Bytes::copy_from_slice(key)).or_insert(by);
            if *author != by {
                *author = None;
            }
        }
    }

    /// All keys have changed. Of several shards that act as one, one tells the clients.
    pub fn flush(&mut self, is_telling: bool, effects: &mut Vec<Effect<A>>) {
        self.keys.clear();
        self.items = 0;
        self.changed.clear();
        if is_telling {
            let tell = |(client, tracker): (&u64, &Tracker<A>)| {
                Effect::Push(tracker.address.clone(), *client, Push::Invalidate(None))
            };
            effects.extend(self.clients.iter().map(tell));
            self.told += self.clients.len() as u64;
        }
    }

    /// The batch is over: those who track prefixes are told what it has changed.
    pub fn finish(&mut self, effects: &mut Vec<Effect<A>>) {
        if self.changed.is_empty() {
            return;
        }
        let changed = std::mem::take(&mut self.changed);
        for (prefix, clients) in &self.prefixes {
            let matching = || changed.iter().filter(|(key, _)| key.starts_with(prefix));
            let all: Arc<[Bytes]> = matching().map(|(key, _)| key.clone()).collect();
            for client in clients {
                let Some(tracker) = self.clients.get(client) else { continue };
                let keys = match tracker.no_loop {
                    false => Arc::clone(&all),
                    true => {
                        let by_others = matching().filter(|(_, by)| **by != Some(*client));
                        by_others.map(|(key, _)| key.clone()).collect()
                    }
                };
                if !keys.is_empty() {
                    let push = Push::Invalidate(Some(keys));
                    effects.push(Effect::Push(tracker.address.clone(), *client, push));
                    self.told += 1;
                }
            }
        }
    }

    /// Forgets who has read the key at `place`, and tells them. Who has changed it and wants to hear nothing of
    /// that stays a reader: the next change is news again.
    fn tell_readers(&mut self, place: usize, by: Option<u64>, effects: &mut Vec<Effect<A>>) {
        let Some((key, readers)) = self.keys.swap_remove_index(place) else { return };
        self.items -= readers.len();
        let keys: Arc<[Bytes]> = Arc::from([key.clone()]);
        let mut is_kept = false;
        for reader in readers {
            match self.clients.get(&reader) {
                Some(tracker) if tracker.no_loop && by == Some(reader) => is_kept = true,
                Some(tracker) if !tracker.broadcasts => {
                    let push = Push::Invalidate(Some(Arc::clone(&keys)));
                    effects.push(Effect::Push(tracker.address.clone(), reader, push));
                    self.told += 1;
                }
                _ => {}
            }
        }
        if let Some(reader) = by.filter(|_| is_kept) {
            self.keys.insert(key, vec![reader]);
            self.items += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(words: &str) -> TrackingRequest<'_> {
        let mut request = TrackingRequest { is_on: true, ..TrackingRequest::default() };
        for word in words.split_whitespace() {
            match word {
                "NOLOOP" => request.no_loop = true,
                "BCAST" => request.broadcasts = true,
                "OFF" => request.is_on = false,
                prefix => request.prefixes.push(prefix.as_bytes()),
            }
        }
        request
    }

    struct Fixture {
        tracking: Tracking<u64>,
        random: Rng,
        effects: Vec<Effect<u64>>,
    }

    impl Fixture {
        fn new(keys_max: usize, clients: &[&'static str]) -> Self {
            let mut tracking = Tracking::new(keys_max);
            for (client, words) in (1..).zip(clients) {
                tracking.set(client, client, &request(words));
            }
            Fixture { tracking, random: Rng::with_seed(7), effects: Vec::new() }
        }

        fn read(&mut self, key: &str, client: u64) {
            self.tracking.remember(key.as_bytes(), client, &mut self.random, &mut self.effects);
        }

        fn change(&mut self, key: &str, by: Option<u64>) {
            self.tracking.changed(key.as_bytes(), by, &mut self.effects);
        }

        /// What was told to whom since the last call, as `client: key key`.
        fn told(&mut self) -> Vec<String> {
            self.tracking.finish(&mut self.effects);
            let told = self.effects.drain(..).map(|effect| match effect {
                Effect::Push(to, _, Push::Invalidate(None)) => format!("{to}: all"),
                Effect::Push(to, _, Push::Invalidate(Some(keys))) => {
                    let keys = keys.iter().map(|key| String::from_utf8_lossy(key).into_owned());
                    format!("{to}: {}", keys.collect::<Vec<_>>().join(" "))
                }
                other => panic!("{other:?}"),
            });
            told.collect()
        }
    }

    #[test]
    fn readers_are_told_once() {
        let mut fixture = Fixture::new(10, &["", "", "NOLOOP"]);
        for client in 1..=3 {
            fixture.read("a", client);
            fixture.read("a", client);
        }
        fixture.read("b", 1);
        fixture.read("a", 9);
        assert_eq!(fixture.tracking.size(), TrackingSize { keys: 2, items: 4, ..TrackingSize::default() });
        fixture.change("a", Some(3));
        assert_eq!(fixture.told(), ["1: a", "2: a"]);
        fixture.change("a", Some(1));
        assert_eq!(fixture.told(), ["3: a"]);
        fixture.change("a", None);
        assert!(fixture.told().is_empty());
        fixture.change("b", Some(1));
        assert_eq!(fixture.told(), ["1: b"]);
        assert_eq!(fixture.tracking.size(), TrackingSize { told: 4, ..TrackingSize::default() });
    }

    #[test]
    fn broadcasts_come_once_a_batch_and_prefix() {
        let mut fixture = Fixture::new(10, &["BCAST p q", "BCAST", "BCAST NOLOOP p"]);
        assert_eq!(fixture.tracking.size().prefixes, 3);
        for (key, by) in [("p1", 1), ("q1", 1), ("p2", 3), ("p1", 1), ("other", 1)] {
            fixture.change(key, Some(by));
        }
        assert_eq!(fixture.told(), ["2: p1 q1 p2 other", "1: p1 p2", "3: p1", "1: q1"]);
        fixture.change("p2", Some(3));
        fixture.change("p2", Some(1));
        assert_eq!(fixture.told(), ["2: p2", "1: p2", "3: p2"]);
        fixture.tracking.set(2, 2, &request("OFF"));
        fixture.tracking.flush(true, &mut fixture.effects);
        assert_eq!(fixture.told(), ["1: all", "3: all"]);
    }

    #[test]
    fn the_table_is_bounded_and_what_is_dropped_is_told() {
        let mut fixture = Fixture::new(3, &["", ""]);
        for key in ["a", "b", "c", "d", "e"] {
            fixture.read(key, 1);
        }
        assert_eq!(fixture.tracking.size().keys, 3);
        assert_eq!(fixture.told().len(), 2);
        // Clients that come, read and go leave no more behind than those who are there.
        for client in 100..1_000 {
            fixture.tracking.set(client, client, &request(""));
            fixture.read("e", client);
            fixture.tracking.forget(client);
        }
        assert!(fixture.tracking.size().items < 16, "{:?}", fixture.tracking.size());
        fixture.tracking.forget(1);
        fixture.tracking.forget(2);
        assert!(fixture.tracking.is_idle());
        assert_eq!(fixture.tracking.size(), TrackingSize { told: 2, ..TrackingSize::default() });
    }
}
