//! What commands did to the data, for the disk: the effects of all calls that run together, as bodies of records.
//!
//! [`Data`](crate::Data) and its hashes write here what they change, where they change it; what a command is called
//! plays no part. The layout, and what has to be said with a change so that a replay converges, is in
//! `mayfly-persistence`. While nothing is recorded there is no recorder, which costs a change one branch.
//!
//! A record is split between two calls where it grows long, never inside a call or a transaction, so that a crash
//! leaves all or nothing of each. The exception is one that is longer than a record can be: it is spread over several,
//! and a crash in between leaves its beginning.

use mayfly_persistence::{Journal, RECORD_BYTES_MAX};
use mayfly_store::{Database, EntryId, UnixMillis};

/// Past this a record ends with the call. Whoever loads it holds a record in memory.
const SPLIT_BYTES: usize = 16 << 20;
/// Past this a record ends in the middle of a call. The effect that went past it has to fit.
const SPREAD_BYTES: usize = RECORD_BYTES_MAX / 2;

/// Records effects.
#[derive(Debug)]
pub struct Recorder {
    journal: Journal,
    now: UnixMillis,
    finished: Vec<Vec<u8>>,
    split_bytes: usize,
    spread_bytes: usize,
    /// See [`Recorder::changes`].
    changes: u64,
}

impl Default for Recorder {
    fn default() -> Self {
        Recorder::with_limits(SPLIT_BYTES, SPREAD_BYTES)
    }
}

impl Recorder {
    /// A recorder whose records end behind the call that makes them longer than `split_bytes`, and within a call
    /// behind the effect that makes them longer than `spread_bytes`.
    pub fn with_limits(split_bytes: usize, spread_bytes: usize) -> Self {
        let (journal, now) = (Journal::new(), UnixMillis(0));
        let mut recorder =
            Recorder { journal, now, finished: Vec::new(), split_bytes, spread_bytes, changes: 0 };
        recorder.begin(now);
        recorder
    }

    /// Begins a record at an instant. What was not taken is forgotten.
    pub fn begin(&mut self, now: UnixMillis) {
        self.now = now;
        self.finished.clear();
        self.journal.begin(now.0);
    }

    /// Bytes since the beginning, or the end of the last record.
    pub fn len(&self) -> usize {
        self.journal.len()
    }

    /// Whether there is no effect since the beginning, or the end of the last record.
    pub fn is_empty(&self) -> bool {
        self.journal.is_empty()
    }

    /// Changes since it was made, about as Redis counts them for its `save` points: fields set and removed, deadlines
    /// set, keys removed, replaced or emptied away.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Here a record may end.
    pub fn may_split(&mut self) {
        self.end_beyond(self.split_bytes);
    }

    /// The bodies of all records with effects since the beginning.
    pub fn take(&mut self) -> impl Iterator<Item = Vec<u8>> {
        if !self.journal.is_empty() {
            self.end();
        }
        self.finished.drain(..)
    }

    /// A field of a hash was set.
    #[inline(never)]
    pub fn set(&mut self, number: u16, database: &Database, id: EntryId, field: &[u8], value: &[u8]) {
        self.journal.key(number, database.key(id));
        self.journal.forget_deadline();
        self.journal.set(field, value);
        self.changes += 1;
        self.journal.deadline(database.deadline(id).map(|deadline| deadline.0));
        self.end_beyond(self.spread_bytes);
    }

    /// The deadline of a hash was set.
    #[inline(never)]
    pub fn deadline(&mut self, number: u16, database: &Database, id: EntryId) {
        self.journal.key(number, database.key(id));
        self.journal.forget_deadline();
        self.journal.deadline(database.deadline(id).map(|deadline| deadline.0));
        self.changes += 1;
        self.end_beyond(self.spread_bytes);
    }

    /// A field of a hash was removed.
    pub fn remove_field(&mut self, number: u16, database: &Database, id: EntryId, field: &[u8]) {
        self.journal.key(number, database.key(id));
        self.journal.remove_field(field);
        self.changes += 1;
        self.end_beyond(self.spread_bytes);
    }

    /// A key is gone.
    pub fn remove(&mut self, number: u16, key: &[u8]) {
        self.renew(number, key);
        self.changes += 1;
    }

    /// A key is about to be set anew.
    pub fn renew(&mut self, number: u16, key: &[u8]) {
        self.journal.key(number, key);
        self.journal.remove();
    }

    /// What a hash holds: all fields and the deadline. It counts as one change.
    pub fn whole(&mut self, number: u16, database: &Database, id: EntryId) {
        let before = self.changes;
        database.fields(id).for_each(|(field, value)| self.set(number, database, id, field, value));
        self.changes = before + 1;
    }

    /// A database was emptied, which held so many keys.
    pub fn flush(&mut self, number: u16, keys: u64) {
        self.journal.flush(number);
        self.changes += keys.max(1);
    }

    /// Two databases have changed places.
    pub fn swap(&mut self, first: u16, second: u16) {
        self.journal.swap(first, second);
        self.changes += 1;
    }

    #[inline]
    fn end_beyond(&mut self, bytes: usize) {
        if self.journal.len() > bytes {
            self.end();
        }
    }

    #[cold]
    fn end(&mut self) {
        self.finished.push(self.journal.take());
        self.journal.begin(self.now.0);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use mayfly_persistence::{Effect, Record};
    use mayfly_store::{KeyHasher, Keyspace, StoreOptions, packed_bytes};

    use super::*;

    #[test]
    fn what_is_longer_than_a_record_is_spread_over_several_that_name_the_key_and_its_deadline() {
        const DEADLINE: i64 = 1_767_225_700_000;
        let hasher = KeyHasher::from_seed(1);
        let mut keyspace = Keyspace::new(StoreOptions::default(), hasher.clone());
        let (key, now) = (mayfly_store::Key { bytes: b"key", hash: hasher.hash(b"key") }, UnixMillis(7));
        let database = keyspace.database_mut(3);
        let (mut id, _) = database.find_or_create(key, || packed_bytes(b"field", b"value"), now);
        for field in 0..20 {
            database.set_field(&mut id, &[field], b"value");
        }
        database.set_deadline(id, Some(UnixMillis(DEADLINE)));

        let mut recorder = Recorder::with_limits(10, 60);
        recorder.begin(now);
        recorder.whole(3, keyspace.database(3), id);
        let bodies: Vec<_> = recorder.take().collect();
        assert!(bodies.len() > 2, "{} records", bodies.len());
        let mut fields = BTreeSet::new();
        for body in &bodies {
            let record = Record::read(body).unwrap();
            let effects: Vec<_> = record.effects().map(Result::unwrap).collect();
            assert_eq!((record.now, effects[0]), (7, Effect::Key { database: 3, key: b"key" }));
            assert_eq!(effects.last(), Some(&Effect::Deadline(Some(DEADLINE))));
            fields.extend(effects.iter().filter_map(|effect| match effect {
                Effect::Set { field, value: b"value" } => Some(field.to_vec()),
                _ => None,
            }));
        }
        assert_eq!(fields, (0..20).map(|field| vec![field]).collect());
        assert_eq!(recorder.take().count(), 0);
    }
}
