//! What a record's body says: the effects, and how they lie in bytes.
//!
//! ```text
//!  body      ┌──────┬─────────┬──────────┐   kind: 1, the version of this layout; 3 is the same, continued
//!            │ kind │   now   │ effects… │   now:  unix ms of the batch, zigzag
//!            └──────┴─────────┴──────────┘
//!  effect     1 database length key          Key: those behind it are about this key
//!             2 length field length value    Set
//!             3 length field                 RemoveField
//!             4 unix ms, 8 bytes             Deadline
//!             5                              Deadline, none
//!             6                              Remove
//!             7 database                     Flush: no key is current behind it
//!             8 database database            Swap:  no key is current behind it
//! ```
//!
//! A body that is continued belongs together with the next record: what became of one call or transaction, and is too long
//! for a record. [`crate::LogReader`] hands out all records of such a group or none.
//!
//! The first byte of an effect says which; every other number is a varint. Here: the effects and their decoder, which
//! lends what it reads and trusts no length. Elsewhere: their encoder (`journal`), what surrounds a body on the disk
//! (`frame`), and what an effect does to a keyspace (its user).

use crate::varint;

/// The first byte of a body with effects.
pub(crate) const EFFECTS: u8 = 1;
/// The first byte of the last record of a snapshot.
pub(crate) const END_OF_SNAPSHOT: u8 = 2;
/// The first byte of a body with effects that goes on in the next record.
const CONTINUED: u8 = 3;

pub(crate) const KEY: u8 = 1;
pub(crate) const SET: u8 = 2;
pub(crate) const REMOVE_FIELD: u8 = 3;
pub(crate) const DEADLINE: u8 = 4;
pub(crate) const NO_DEADLINE: u8 = 5;
pub(crate) const REMOVE: u8 = 6;
pub(crate) const FLUSH: u8 = 7;
pub(crate) const SWAP: u8 = 8;

/// One change. It says what holds afterwards, not how to get there, so that it may be applied twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect<'a> {
    /// What follows is about this key.
    Key {
        /// The number of the logical database.
        database: u16,
        /// Its name.
        key: &'a [u8],
    },
    /// The field holds the value; a key that is absent comes into being, without a deadline.
    Set {
        /// The field's name.
        field: &'a [u8],
        /// What it holds.
        value: &'a [u8],
    },
    /// The field is gone, and the key with it where it was the last.
    RemoveField {
        /// The field's name.
        field: &'a [u8],
    },
    /// The key expires then, in unix ms, or never. Nothing happens to a key that is absent.
    Deadline(Option<i64>),
    /// The key is gone.
    Remove,
    /// All keys of the database are gone.
    Flush {
        /// Its number.
        database: u16,
    },
    /// Two databases have changed places.
    Swap {
        /// The number of the one.
        first: u16,
        /// The number of the other.
        second: u16,
    },
}

/// A body that does not follow the layout although its checksum holds: another version wrote it, or a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecordError {
    /// Its first byte is that of no layout known here.
    #[error("a record of kind {0}, which this version does not know")]
    Kind(u8),
    /// An effect begins with a byte that means none.
    #[error("an effect of kind {0}, which this version does not know")]
    Effect(u8),
    /// It ends too early, or a number in it is too large.
    #[error("a record that ends in the middle of an effect")]
    CutShort,
    /// An effect on a key comes before any key was named.
    #[error("an effect that names no key")]
    NoKey,
}

/// Whether the next record of the log belongs to this one, so that both count or neither.
pub fn is_continued(body: &[u8]) -> bool {
    body.first() == Some(&CONTINUED)
}

/// Says of a body with effects whether the next record of the log belongs to it.
pub fn set_continued(body: &mut [u8], is_continued: bool) {
    if let Some(kind) = body.first_mut() {
        debug_assert!([EFFECTS, CONTINUED].contains(kind), "it is a body with effects");
        *kind = if is_continued { CONTINUED } else { EFFECTS };
    }
}

/// A body with effects: when they happened, and a walk over them.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The `now` of their batch in unix ms, for whoever asks how old it is. Effects are applied whatever the time: see
    /// [`crate::snapshot`].
    pub now: i64,
    effects: &'a [u8],
}

impl<'a> Record<'a> {
    /// Reads the front of a body; the effects are read by the walk.
    pub fn read(mut body: &'a [u8]) -> Result<Self, RecordError> {
        let (&kind, rest) = body.split_first().ok_or(RecordError::CutShort)?;
        if ![EFFECTS, CONTINUED].contains(&kind) {
            return Err(RecordError::Kind(kind));
        }
        body = rest;
        let now = varint::take_signed(&mut body).ok_or(RecordError::CutShort)?;
        Ok(Record { now, effects: body })
    }

    /// Its effects in order. After an error there are no more.
    pub fn effects(&self) -> Effects<'a> {
        Effects { rest: self.effects, has_key: false }
    }
}

/// The effects of a [`Record`].
#[derive(Clone, Debug)]
pub struct Effects<'a> {
    rest: &'a [u8],
    has_key: bool,
}

impl<'a> Iterator for Effects<'a> {
    type Item = Result<Effect<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (&kind, rest) = self.rest.split_first()?;
        self.rest = rest;
        let effect = self.effect(kind);
        if effect.is_err() {
            self.rest = &[];
        }
        Some(effect)
    }
}

impl<'a> Effects<'a> {
    fn effect(&mut self, kind: u8) -> Result<Effect<'a>, RecordError> {
        if (SET..=REMOVE).contains(&kind) && !self.has_key {
            return Err(RecordError::NoKey);
        }
        let effect = match kind {
            KEY => Effect::Key { database: self.database()?, key: self.bytes()? },
            SET => Effect::Set { field: self.bytes()?, value: self.bytes()? },
            REMOVE_FIELD => Effect::RemoveField { field: self.bytes()? },
            DEADLINE => {
                let (bytes, rest) = self.rest.split_first_chunk().ok_or(RecordError::CutShort)?;
                self.rest = rest;
                Effect::Deadline(Some(i64::from_le_bytes(*bytes)))
            }
            NO_DEADLINE => Effect::Deadline(None),
            REMOVE => Effect::Remove,
            FLUSH => Effect::Flush { database: self.database()? },
            SWAP => Effect::Swap { first: self.database()?, second: self.database()? },
            unknown => return Err(RecordError::Effect(unknown)),
        };
        match effect {
            Effect::Key { .. } => self.has_key = true,
            Effect::Flush { .. } | Effect::Swap { .. } => self.has_key = false,
            _ => {}
        }
        Ok(effect)
    }

    fn database(&mut self) -> Result<u16, RecordError> {
        let number = varint::take(&mut self.rest).ok_or(RecordError::CutShort)?;
        u16::try_from(number).map_err(|_| RecordError::CutShort)
    }

    fn bytes(&mut self) -> Result<&'a [u8], RecordError> {
        let length = varint::take(&mut self.rest).ok_or(RecordError::CutShort)?;
        let length = usize::try_from(length).map_err(|_| RecordError::CutShort)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(RecordError::CutShort)?;
        self.rest = rest;
        Ok(taken)
    }
}
