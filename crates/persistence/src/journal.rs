//! The encoder of effects: what a shard writes down while it runs a batch, or a slice of its keys for a snapshot.
//!
//! The bytes are those drawn in [`crate::effect`]. One buffer serves all batches, so that an effect allocates nothing.
//!
//! # What its user owes
//!
//! The convergence of snapshots rests on it; `snapshot` says how.
//!
//! - Whatever sets a field says afterwards which deadline the key has, with [`Journal::deadline`], also where it has not
//!   changed.
//! - Whatever sets a field of a key that was absent, or expired, removes the key first, with [`Journal::remove`]. So
//!   does what replaces a key as a whole (`RENAME`, `COPY`, `RESTORE`).
//! - Expiry by time is not written down, whoever notices it.

use std::ops::Range;

use crate::effect::{DEADLINE, EFFECTS, FLUSH, KEY, NO_DEADLINE, REMOVE, REMOVE_FIELD, SET, SWAP};
use crate::varint;

/// The largest buffer that is kept for the next batch.
const ROOM_BYTES_MAX: usize = 1 << 20;

/// Writes the effects of one batch after the other, each as the body of a record.
#[derive(Debug, Default)]
pub struct Journal {
    body: Vec<u8>,
    /// Where the effects begin.
    front: usize,
    /// Database and key that are current, by where the name lies in the body.
    current: Option<(u16, Range<usize>)>,
    /// Where the deadline lies that was said last.
    deadline: Range<usize>,
}

impl Journal {
    /// An empty one.
    pub fn new() -> Self {
        Journal::default()
    }

    /// Begins a record for a batch at `now`, in unix ms. What was not taken of the last one is forgotten.
    pub fn begin(&mut self, now: i64) {
        self.body.clear();
        self.body.push(EFFECTS);
        varint::push_signed(&mut self.body, now);
        self.front = self.body.len();
        self.current = None;
        self.deadline = 0..0;
    }

    /// The effects that follow are about this key.
    pub fn key(&mut self, database: u16, key: &[u8]) {
        self.assert_begun();
        if let Some((current, name)) = &self.current
            && *current == database
            && &self.body[name.clone()] == key
        {
            return;
        }
        self.effect(KEY, u64::from(database));
        self.bytes(key);
        self.current = Some((database, self.body.len() - key.len()..self.body.len()));
    }

    /// The key has a field with this value.
    pub fn set(&mut self, field: &[u8], value: &[u8]) {
        self.assert_key();
        self.effect(SET, field.len() as u64);
        self.body.extend_from_slice(field);
        self.bytes(value);
    }

    /// The key has no such field any more.
    pub fn remove_field(&mut self, field: &[u8]) {
        self.assert_key();
        self.effect(REMOVE_FIELD, field.len() as u64);
        self.body.extend_from_slice(field);
    }

    /// The key expires then, in unix ms, or never.
    pub fn deadline(&mut self, deadline: Option<i64>) {
        self.assert_key();
        let start = self.body.len();
        match deadline {
            None => self.body.push(NO_DEADLINE),
            Some(unix_ms) => {
                self.body.push(DEADLINE);
                self.body.extend_from_slice(&unix_ms.to_le_bytes());
            }
        }
        self.deadline = start..self.body.len();
    }

    /// Forgets the deadline that was said last, if nothing was said since: for who says it again behind what comes
    /// next about the same key, so that many fields of a key need one deadline.
    pub fn forget_deadline(&mut self) {
        if !self.deadline.is_empty() && self.deadline.end == self.body.len() {
            self.body.truncate(self.deadline.start);
            // What comes next may be as long.
            self.deadline = 0..0;
        }
    }

    /// The key is gone.
    pub fn remove(&mut self) {
        self.assert_key();
        self.body.push(REMOVE);
    }

    /// All keys of the database are gone.
    pub fn flush(&mut self, database: u16) {
        self.assert_begun();
        self.effect(FLUSH, u64::from(database));
        self.current = None;
    }

    /// Two databases have changed places. A snapshot that is under way is begun anew: see `snapshot`.
    pub fn swap(&mut self, first: u16, second: u16) {
        self.assert_begun();
        self.effect(SWAP, u64::from(first));
        varint::push(&mut self.body, u64::from(second));
        self.current = None;
    }

    /// Whether there is nothing to write down.
    pub fn is_empty(&self) -> bool {
        self.body.len() == self.front
    }

    /// Bytes of the body so far: where it grows large, a snapshot ends its record here.
    pub fn len(&self) -> usize {
        self.body.len()
    }

    /// The body, for the log or a snapshot. The next batch begins with [`Journal::begin`].
    pub fn finish(&self) -> &[u8] {
        self.assert_begun();
        &self.body
    }

    /// The body as bytes of their own. The next batch begins with [`Journal::begin`].
    pub fn take(&mut self) -> Vec<u8> {
        self.assert_begun();
        self.front = 0;
        // An unusually long one leaves no memory behind.
        if self.body.len() > ROOM_BYTES_MAX { std::mem::take(&mut self.body) } else { self.body.clone() }
    }

    /// The first byte of an effect, and its first number: nearly always two bytes, which are written as one.
    #[inline]
    fn effect(&mut self, kind: u8, number: u64) {
        if number < 0x80 {
            self.body.extend_from_slice(&[kind, number as u8]);
        } else {
            self.body.push(kind);
            varint::push(&mut self.body, number);
        }
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        varint::push(&mut self.body, bytes.len() as u64);
        self.body.extend_from_slice(bytes);
    }

    fn assert_begun(&self) {
        debug_assert!(self.front > 0, "a record is begun before anything is written in it");
    }

    fn assert_key(&self) {
        debug_assert!(self.current.is_some(), "a key is named before an effect on it");
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::{Effect, Record, RecordError};

    /// An effect that owns its bytes, to be drawn and compared.
    #[derive(Clone, Debug)]
    enum Drawn {
        Key(u16, Vec<u8>),
        Set(Vec<u8>, Vec<u8>),
        RemoveField(Vec<u8>),
        Deadline(Option<i64>),
        Remove,
        Flush(u16),
        Swap(u16, u16),
    }

    fn effects() -> impl Strategy<Value = Vec<Drawn>> {
        let name = || vec(any::<u8>(), 0..200);
        let effect = prop_oneof![
            (any::<u16>(), name()).prop_map(|(database, key)| Drawn::Key(database, key)),
            (name(), name()).prop_map(|(field, value)| Drawn::Set(field, value)),
            name().prop_map(Drawn::RemoveField),
            any::<Option<i64>>().prop_map(Drawn::Deadline),
            Just(Drawn::Remove),
            any::<u16>().prop_map(Drawn::Flush),
            any::<(u16, u16)>().prop_map(|(first, second)| Drawn::Swap(first, second)),
        ];
        vec(effect, 0..40)
    }

    fn write(now: i64, effects: &[Drawn]) -> Vec<u8> {
        let mut journal = Journal::new();
        journal.begin(now);
        for effect in effects {
            if matches!(effect, Drawn::Set(..) | Drawn::RemoveField(_) | Drawn::Deadline(_) | Drawn::Remove)
                && journal.current.is_none()
            {
                journal.key(0, b"k");
            }
            match effect {
                Drawn::Key(database, key) => journal.key(*database, key),
                Drawn::Set(field, value) => journal.set(field, value),
                Drawn::RemoveField(field) => journal.remove_field(field),
                Drawn::Deadline(deadline) => journal.deadline(*deadline),
                Drawn::Remove => journal.remove(),
                Drawn::Flush(database) => journal.flush(*database),
                Drawn::Swap(first, second) => journal.swap(*first, *second),
            }
        }
        journal.finish().to_vec()
    }

    fn as_drawn(effect: Effect<'_>) -> Drawn {
        match effect {
            Effect::Key { database, key } => Drawn::Key(database, key.to_vec()),
            Effect::Set { field, value } => Drawn::Set(field.to_vec(), value.to_vec()),
            Effect::RemoveField { field } => Drawn::RemoveField(field.to_vec()),
            Effect::Deadline(deadline) => Drawn::Deadline(deadline),
            Effect::Remove => Drawn::Remove,
            Effect::Flush { database } => Drawn::Flush(database),
            Effect::Swap { first, second } => Drawn::Swap(first, second),
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(now in any::<i64>(), drawn in effects()) {
            let body = write(now, &drawn);
            let record = Record::read(&body).unwrap();
            let read: Vec<_> = record.effects().map(|effect| as_drawn(effect.unwrap())).collect();
            prop_assert_eq!(record.now, now);
            // Written again it is the same: keys that were named twice are the only thing that may be missing.
            prop_assert_eq!(write(now, &read), body);
            let others = |list: &[Drawn]| list.iter().filter(|effect| !matches!(effect, Drawn::Key(..))).count();
            prop_assert_eq!(others(&read), others(&drawn));
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(body in vec(any::<u8>(), 0..300)) {
            if let Ok(record) = Record::read(&body) {
                record.effects().for_each(drop);
            }
        }

        #[test]
        fn a_changed_body_makes_no_decoder_panic(drawn in effects(), at in any::<prop::sample::Index>(), byte: u8) {
            let mut body = write(0, &drawn);
            let at = at.index(body.len());
            body[at] = byte;
            body.truncate(body.len().max(1));
            if let Ok(record) = Record::read(&body) {
                record.effects().for_each(drop);
            }
        }

        #[test]
        fn a_body_cut_anywhere_yields_the_first_effects_and_at_most_one_error(
            drawn in effects(),
            at in any::<prop::sample::Index>(),
        ) {
            let body = write(5, &drawn);
            let cut = &body[..at.index(body.len())];
            let whole = Record::read(&body).unwrap().effects();
            if let Ok(record) = Record::read(cut) {
                let read: Vec<_> = record.effects().collect();
                let good = read.iter().take_while(|effect| effect.is_ok()).count();
                prop_assert!(read.len() <= good + 1);
                prop_assert!(read[..good].iter().eq(whole.collect::<Vec<_>>()[..good].iter()));
            }
        }
    }

    #[test]
    fn a_key_that_is_current_is_not_named_again() {
        let mut journal = Journal::new();
        journal.begin(0);
        journal.key(1, b"session");
        journal.set(b"a", b"1");
        let short = journal.len();
        journal.key(1, b"session");
        assert_eq!(journal.len(), short);
        journal.key(2, b"session");
        assert!(journal.len() > short);
        journal.begin(0);
        assert!(journal.is_empty());
        journal.key(2, b"session");
        assert!(!journal.is_empty());
    }

    #[test]
    fn a_deadline_is_forgotten_only_where_it_was_said_last() {
        let mut journal = Journal::new();
        journal.begin(0);
        journal.forget_deadline();
        journal.key(0, b"a");
        journal.set(b"f", b"1");
        journal.deadline(Some(5));
        journal.key(0, b"a");
        journal.forget_deadline();
        journal.set(b"g", b"2");
        journal.deadline(None);
        journal.key(0, b"b");
        journal.forget_deadline();
        journal.set(b"f", b"3");
        journal.deadline(Some(6));
        journal.forget_deadline();
        // As long as the deadline was.
        journal.set(b"name", b"va");
        journal.forget_deadline();
        let body = journal.take();
        let effects: Vec<_> = Record::read(&body).unwrap().effects().map(Result::unwrap).collect();
        let [a, b] = [b"a", b"b"].map(|key| Effect::Key { database: 0, key });
        let set = |field, value| Effect::Set { field, value };
        assert_eq!(
            effects,
            [
                a,
                set(b"f", b"1"),
                set(b"g", b"2"),
                Effect::Deadline(None),
                b,
                set(b"f", b"3"),
                set(b"name", b"va")
            ]
        );
    }

    #[test]
    fn unknown_kinds_and_effects_without_a_key_are_told_apart() {
        assert_eq!(Record::read(&[]).unwrap_err(), RecordError::CutShort);
        assert_eq!(Record::read(&[9, 0]).unwrap_err(), RecordError::Kind(9));
        let first = |body: &[u8]| Record::read(body).unwrap().effects().next().unwrap().unwrap_err();
        assert_eq!(first(&[EFFECTS, 0, 99]), RecordError::Effect(99));
        assert_eq!(first(&[EFFECTS, 0, REMOVE]), RecordError::NoKey);
        assert_eq!(first(&[EFFECTS, 0, KEY, 0, 200]), RecordError::CutShort);
    }
}
