//! A hash on its way from one key to another, or put together before it has a key.

use crate::access::Access;
use crate::entry::Body;
use crate::key::KeyHasher;
use crate::packed::{Packed, PackedBuffer, PackedLimits};
use crate::table::Table;
use crate::time::UnixMillis;

/// A hash with its deadline, without a key. It can go to another database, keyspace or shard of the process
/// (all have the same [`KeyHasher`](crate::KeyHasher)). Dropped without being attached, it is freed at once.
#[derive(Debug)]
pub struct Detached {
    content: Content,
    deadline: Option<UnixMillis>,
    access: Access,
}

/// The fields of a hash that is in no database.
#[derive(Debug)]
pub(super) enum Content {
    Packed(PackedBuffer),
    Table(Box<Table>),
}

impl Content {
    /// A small hash without its key.
    pub(super) fn packed(packed: Packed<'_>) -> Self {
        Content::Packed(PackedBuffer::copy_of(packed))
    }

    /// The same hash in memory of its own.
    pub(super) fn copy_of(body: Body<'_>) -> Self {
        match body {
            Body::Packed(packed) => Content::packed(packed),
            Body::Table(table) => Content::Table(Box::new(table.copy())),
        }
    }
}

impl Detached {
    pub(super) fn new(content: Content, deadline: Option<UnixMillis>, access: Access) -> Self {
        Detached { content, deadline, access }
    }

    /// The deadline that the hash takes along.
    pub fn deadline(&self) -> Option<UnixMillis> {
        self.deadline
    }

    /// Changes the deadline that the hash takes along.
    pub fn set_deadline(&mut self, deadline: Option<UnixMillis>) {
        self.deadline = deadline;
    }

    /// Says that the hash was used so many seconds ago, for [`AccessPolicy::Recency`](crate::AccessPolicy::Recency).
    pub fn set_idle_seconds(&mut self, seconds: u64, now: UnixMillis) {
        self.access = Access::with_idle_seconds(seconds, now);
    }

    /// Says how often the hash is used, for [`AccessPolicy::Frequency`](crate::AccessPolicy::Frequency).
    pub fn set_frequency(&mut self, counter: u8, now: UnixMillis) {
        self.access = Access::with_frequency(counter, now);
    }

    pub(super) fn access(&self) -> Access {
        self.access
    }

    pub(super) fn into_content(self) -> Content {
        self.content
    }
}

/// A hash that is put together field by field, outside of any keyspace: nobody sees it until it is whole, and it
/// can be dropped instead. Dropped it is freed at once.
#[derive(Debug)]
pub struct Assembly {
    content: Content,
    limits: PackedLimits,
    hasher: KeyHasher,
    access: Access,
}

impl Assembly {
    pub(super) fn new(limits: PackedLimits, hasher: KeyHasher, access: Access) -> Self {
        Assembly { content: Content::Packed(PackedBuffer::default()), limits, hasher, access }
    }

    /// Sets a field; true if it is new.
    pub fn set(&mut self, field: &[u8], value: &[u8]) -> bool {
        let packed = match &mut self.content {
            Content::Table(table) => return table.set(field, value),
            Content::Packed(packed) => packed,
        };
        if let Some(is_new) = packed.set(field, value, self.limits) {
            return is_new;
        }
        let mut table = Box::new(Table::from_packed(packed.packed(), &self.hasher));
        let is_new = table.set(field, value);
        self.content = Content::Table(table);
        is_new
    }

    /// The hash with a deadline, to be attached. It has at least one field.
    pub fn finish(self, deadline: Option<UnixMillis>) -> Detached {
        Detached::new(self.content, deadline, self.access)
    }
}
