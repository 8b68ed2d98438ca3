//! A hash on its way from one key to another, or put together before it has a key.

use crate::entry::Body;
use crate::key::KeyHasher;
use crate::packed::{Packed, PackedLimits};
use crate::table::Table;
use crate::time::UnixMillis;

/// A hash with its deadline, without a key. It can go to another database, keyspace or shard of the process
/// (all have the same [`KeyHasher`](crate::KeyHasher)). Dropped without being attached, it is freed at once.
#[derive(Debug)]
pub struct Detached {
    content: Content,
    deadline: Option<UnixMillis>,
}

#[derive(Debug)]
enum Content {
    Packed(Packed),
    Table(Box<Table>),
}

impl Detached {
    pub(super) fn new(body: Body, deadline: Option<UnixMillis>) -> Self {
        let content = match body {
            Body::Packed(packed) => Content::Packed(packed),
            Body::Table(table) => Content::Table(table),
        };
        Detached { content, deadline }
    }

    /// The deadline that the hash takes along.
    pub fn deadline(&self) -> Option<UnixMillis> {
        self.deadline
    }

    /// Changes the deadline that the hash takes along.
    pub fn set_deadline(&mut self, deadline: Option<UnixMillis>) {
        self.deadline = deadline;
    }

    /// The hash under a key.
    pub(super) fn into_body(self, key: &[u8]) -> Body {
        match self.content {
            Content::Packed(packed) => Body::Packed(Packed::from_parts(key, packed.fields_block())),
            Content::Table(mut table) => {
                table.set_key(key);
                Body::Table(table)
            }
        }
    }
}

/// A hash that is put together field by field, outside of any keyspace: nobody sees it until it is whole, and it
/// can be dropped instead. Dropped it is freed at once.
#[derive(Debug)]
pub struct Assembly {
    body: Body,
    limits: PackedLimits,
    hasher: KeyHasher,
}

impl Assembly {
    pub(super) fn new(limits: PackedLimits, hasher: KeyHasher) -> Self {
        Assembly { body: Body::Packed(Packed::new(&[])), limits, hasher }
    }

    /// Sets a field; true if it is new.
    pub fn set(&mut self, field: &[u8], value: &[u8]) -> bool {
        self.body.set(field, value, self.limits, &self.hasher)
    }

    /// The hash with a deadline, to be attached. It has at least one field.
    pub fn finish(self, deadline: Option<UnixMillis>) -> Detached {
        Detached::new(self.body, deadline)
    }
}
