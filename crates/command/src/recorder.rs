//! What commands did to the data, for the disk: the effects of all calls that run together, as bodies of records.
//!
//! [`Data`](crate::Data) and its hashes write here what they change, where they change it; what a command is called
//! plays no part. The layout, and what has to be said with a change so that a replay converges, is in
//! `mayfly-persistence`. While nothing is recorded there is no recorder, which costs a change one branch.
//!
//! A record ends between two calls where it grows long. A call or a transaction that is longer by itself, such as the `COPY`
//! of a hash with a million fields, is spread over several records that are marked as continued, so that a crash leaves
//! all or nothing of it nevertheless.

use mayfly_persistence::{Journal, set_continued};
use mayfly_store::{Database, EntryId, UnixMillis};

/// Past this a record ends, in the middle of a call too; it has at most one effect more. Whoever loads it holds a record in
/// memory.
pub const SPLIT_BYTES: usize = 16 << 20;

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
    /// Where a record ends with the call: at once where a part of the call is in another record already.
    split_at: usize,
    /// Whether records that belong together are marked.
    marks: bool,
}

impl Default for Recorder {
    fn default() -> Self {
        Recorder::with_limits(SPLIT_BYTES, SPLIT_BYTES)
    }
}

impl Recorder {
    /// A recorder whose records end behind the call that makes them longer than `split_bytes`, and within a call
    /// behind the effect that makes them longer than `spread_bytes`.
    pub fn with_limits(split_bytes: usize, spread_bytes: usize) -> Self {
        let (journal, now) = (Journal::new(), UnixMillis(0));
        let (finished, split_at, changes) = (Vec::new(), split_bytes, 0);
        let mut recorder =
            Recorder { journal, now, finished, split_bytes, spread_bytes, split_at, marks: true, changes };
        recorder.begin(now);
        recorder
    }

    /// A recorder for a snapshot, which counts as a whole, so that none of its records belong together.
    pub fn for_snapshot() -> Self {
        Recorder { marks: false, ..Recorder::default() }
    }

    /// Begins a record at an instant. What was not taken is forgotten.
    pub fn begin(&mut self, now: UnixMillis) {
        self.now = now;
        self.finished.clear();
        self.split_at = self.split_bytes;
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
        if self.journal.len() > self.split_at {
            self.end();
        }
    }

    /// The bodies of all records with effects since the beginning.
    pub fn take(&mut self) -> impl Iterator<Item = Vec<u8>> {
        self.end();
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
        self.may_spread();
    }

    /// The deadline of a hash was set.
    #[inline(never)]
    pub fn deadline(&mut self, number: u16, database: &Database, id: EntryId) {
        self.journal.key(number, database.key(id));
        self.journal.forget_deadline();
        self.journal.deadline(database.deadline(id).map(|deadline| deadline.0));
        self.changes += 1;
        self.may_spread();
    }

    /// A field of a hash was removed.
    pub fn remove_field(&mut self, number: u16, database: &Database, id: EntryId, field: &[u8]) {
        self.journal.key(number, database.key(id));
        self.journal.remove_field(field);
        self.changes += 1;
        self.may_spread();
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
        self.may_spread();
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

    /// Here a record may end in the middle of a call.
    #[inline]
    fn may_spread(&mut self) {
        if self.journal.len() > self.spread_bytes {
            self.spread();
        }
    }

    #[cold]
    fn spread(&mut self) {
        let mut body = self.journal.take();
        set_continued(&mut body, self.marks);
        self.finished.push(body);
        self.journal.begin(self.now.0);
        if self.marks {
            self.split_at = 0;
        }
    }

    /// Ends a record, and with it what belongs together.
    fn end(&mut self) {
        if !self.journal.is_empty() {
            self.finished.push(self.journal.take());
            self.journal.begin(self.now.0);
        } else if self.split_at == 0
            && let Some(last) = self.finished.last_mut()
        {
            set_continued(last, false);
        }
        self.split_at = self.split_bytes;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use mayfly_persistence::{Effect, Record, is_continued};
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
        let (last, others) = bodies.split_last().expect("there are some");
        assert!(others.iter().all(|body| is_continued(body)) && !is_continued(last));
    }

    #[test]
    fn what_belongs_together_ends_with_its_call() {
        let shape = |recorder: &mut Recorder| -> Vec<bool> {
            recorder.take().map(|body| is_continued(&body)).collect()
        };
        let call = |recorder: &mut Recorder, effects: usize| {
            (0..effects).for_each(|_| recorder.remove(0, b"a key of twenty byte"));
            recorder.may_split();
        };
        let mut recorder = Recorder::with_limits(100, 100);
        for (calls, expected) in [
            (&[1, 1][..], &[false][..]),
            // The key is not named again, so that each further effect is a byte; the last of these goes past the limit.
            (&[76, 1], &[false, false]),
            (&[90, 1], &[true, false, false]),
            (&[200, 0, 1], &[true, true, false, false]),
        ] {
            recorder.begin(UnixMillis(7));
            calls.iter().for_each(|&effects| call(&mut recorder, effects));
            assert_eq!(shape(&mut recorder), expected, "{calls:?}");
        }
        let mut recorder = Recorder { marks: false, ..Recorder::with_limits(100, 100) };
        recorder.begin(UnixMillis(7));
        call(&mut recorder, 200);
        assert!(shape(&mut recorder).iter().all(|is_continued| !is_continued));
    }
}
