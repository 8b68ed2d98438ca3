//! The entries of a database: a hash with its key and its deadline, 32 bytes and what they point to.
//!
//! ```text
//!   0                   16                        24      28         32
//!   ├── packed or table ┼── deadline and slot ────┼─ next ┼─ previous ┤
//!       (owned pointer)     └────────── wheel::Links ────────────────┘
//! ```

use std::collections::BTreeMap;

use crate::index::Hashes;
use crate::key::KeyHasher;
use crate::packed::{Packed, PackedLimits, PackedSet};
use crate::prefetch::{prefetch, prefetch_bytes};
use crate::slab::{Slab, Slot};
use crate::table::Table;
use crate::time::UnixMillis;
use crate::wheel::{FAR, Links, NEVER, Timers, TimersMut};

/// The handle of a live entry, valid in its database until that entry is removed or detached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct EntryId(pub(crate) u32);

/// The fields of a hash, with its key.
#[derive(Debug)]
pub(crate) enum Body {
    Packed(Packed),
    Table(Box<Table>),
}

impl Body {
    /// Sets a field; true if it is new. A hash past the packed limits becomes a table, and stays one.
    pub(crate) fn set(
        &mut self,
        field: &[u8],
        value: &[u8],
        limits: PackedLimits,
        hasher: &KeyHasher,
    ) -> bool {
        match self {
            Body::Table(table) => table.set(field, value),
            Body::Packed(packed) => match packed.set(field, value, limits) {
                PackedSet::Added => true,
                PackedSet::Overwritten => false,
                PackedSet::TooLarge => {
                    let mut table = Box::new(Table::from_packed(packed, hasher));
                    let is_new = table.set(field, value);
                    *self = Body::Table(table);
                    is_new
                }
            },
        }
    }

    /// The same hash in memory of its own.
    pub(crate) fn copy(&self) -> Self {
        match self {
            Body::Packed(packed) => Body::Packed(packed.clone()),
            Body::Table(table) => Body::Table(Box::new(table.copy())),
        }
    }

    #[inline]
    pub(crate) fn key(&self) -> &[u8] {
        match self {
            Body::Packed(packed) => packed.key(),
            Body::Table(table) => table.key(),
        }
    }

    /// Bytes allocated.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Body::Packed(packed) => packed.bytes(),
            Body::Table(table) => table.bytes(),
        }
    }

    /// Asks for the line that a look-up reads first behind the entry.
    #[inline]
    pub(crate) fn prefetch(&self) {
        match self {
            Body::Packed(packed) => prefetch_bytes(packed.block()),
            Body::Table(table) => prefetch(&**table),
        }
    }
}

/// An entry. A vacant slot has an empty packed block, which no entry has.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) body: Body,
    pub(crate) links: Links,
}

impl Slot for Entry {
    fn vacant(next: u32) -> Self {
        Entry { body: Body::Packed(Packed::default()), links: Links::vacant(next) }
    }

    #[inline]
    fn next_vacant(&self) -> Option<u32> {
        match &self.body {
            Body::Packed(packed) if packed.bytes() == 0 => Some(self.links.next_vacant()),
            _ => None,
        }
    }
}

/// All entries of a database, with the deadlines that an entry cannot hold.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    pub(crate) slab: Slab<Entry>,
    /// Deadlines from the year 10889 on. A tree, because it never moves all of its content at once.
    far: BTreeMap<u32, UnixMillis>,
}

/// Bytes that an item of the tree of far deadlines takes, about: 12 of its own in nodes two thirds full.
const FAR_BYTES: usize = 24;

impl Entries {
    /// Keeps a hash that has no deadline.
    pub(crate) fn insert(&mut self, body: Body) -> u32 {
        self.slab.insert(Entry { body, links: Links::default() })
    }

    /// Takes a hash out that the wheel does not know any more.
    pub(crate) fn remove(&mut self, number: u32) -> Body {
        if self.slab[number].links.written() == FAR {
            self.far.remove(&number);
        }
        let entry = self.slab.remove(number);
        assert!(!entry.links.is_linked(), "S3: entry {number} has left the wheel before it goes");
        entry.body
    }

    #[inline]
    pub(crate) fn body(&self, number: u32) -> &Body {
        &self.slab[number].body
    }

    #[inline]
    pub(crate) fn body_mut(&mut self, number: u32) -> &mut Body {
        &mut self.slab[number].body
    }

    #[inline]
    pub(crate) fn deadline(&self, number: u32) -> Option<UnixMillis> {
        match self.slab[number].links.written() {
            NEVER => None,
            FAR => Some(*self.far.get(&number).expect("S7: a far deadline is kept aside")),
            deadline => Some(UnixMillis::from_ticks(deadline)),
        }
    }

    /// Writes a deadline down, without telling the wheel.
    pub(crate) fn write_deadline(&mut self, number: u32, deadline: Option<UnixMillis>) {
        let links = &mut self.slab[number].links;
        if links.written() == FAR {
            self.far.remove(&number);
        }
        match deadline {
            None => links.write(NEVER),
            Some(deadline) if deadline.ticks() < FAR => links.write(deadline.ticks()),
            Some(deadline) => {
                links.write(FAR);
                self.far.insert(number, deadline);
            }
        }
    }

    /// Frees one far deadline of entries that nobody uses any more.
    pub(crate) fn take_apart_far(&mut self) -> bool {
        self.far.pop_first().is_some()
    }

    /// Far deadlines.
    pub(crate) fn far_len(&self) -> usize {
        self.far.len()
    }

    /// Bytes allocated, without the hashes.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        self.slab.bytes() + self.far.len() * FAR_BYTES
    }
}

impl Timers for Entries {
    #[inline]
    fn links(&self, number: u32) -> &Links {
        &self.slab[number].links
    }

    #[inline]
    fn deadline(&self, number: u32) -> u64 {
        match self.slab[number].links.written() {
            FAR => self.far.get(&number).expect("S7: a far deadline is kept aside").ticks(),
            deadline => deadline,
        }
    }

    #[inline]
    fn prefetch_near(&self, number: u32) {
        if let Some(entry) = self.slab.slot(number) {
            prefetch(entry);
        }
    }

    #[inline]
    fn prefetch_far(&self, number: u32) {
        if let Some(entry) = self.slab.slot(number) {
            entry.body.prefetch();
        }
    }
}

impl TimersMut for Entries {
    #[inline]
    fn links_mut(&mut self, number: u32) -> &mut Links {
        &mut self.slab[number].links
    }
}

/// How the index of a database hashes its keys again.
pub(crate) struct Keys<'a> {
    pub(crate) entries: &'a Entries,
    pub(crate) hasher: &'a KeyHasher,
}

impl Hashes for Keys<'_> {
    fn hash(&self, reference: u32) -> u64 {
        self.hasher.hash(self.entries.body(reference).key())
    }

    fn prefetch_near(&self, reference: u32) {
        Timers::prefetch_near(self.entries, reference);
    }

    fn prefetch_far(&self, reference: u32) {
        Timers::prefetch_far(self.entries, reference);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_entries_fit_a_cache_line() {
        assert_eq!(size_of::<Links>(), 16);
        assert_eq!(size_of::<Body>(), 16);
        assert_eq!(size_of::<Entry>(), 32);
        assert_eq!(size_of::<crate::table::Field>(), 16);
    }
}
