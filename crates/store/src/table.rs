//! A large hash: every field in a block of its own, found through the same index as keys are.
//!
//! A hash of millions of fields grows a segment at a time and is freed a chunk at a time, so neither stalls
//! anybody. A field's block is `[name length][name][value length][value]`, as in a packed hash. A table stays a
//! table when it shrinks. Small hashes are in [`packed`](crate::packed).

use crate::blocks::{Blocks, fill};
use crate::index::{Hashes, Index};
use crate::key::KeyHasher;
use crate::packed::{Packed, field_parts, value_parts};
use crate::varint::split_item;

/// Fields up to which a table is freed at once, with the command that removes it.
const FREED_AT_ONCE_MAX: usize = 64;

/// How the index of a table hashes its fields again.
struct Names<'a> {
    fields: &'a Blocks,
    hasher: &'a KeyHasher,
}

impl Hashes for Names<'_> {
    fn hash(&self, reference: u32) -> u64 {
        self.hasher.hash(name_of(self.fields.block(reference)))
    }

    fn prefetch(&self, reference: u32) {
        self.fields.prefetch(reference);
    }
}

fn name_of(block: &[u8]) -> &[u8] {
    split_item(block).0
}

fn name_and_value(block: &[u8]) -> (&[u8], &[u8]) {
    let (name, rest) = split_item(block);
    (name, split_item(rest).0)
}

/// A large hash with its key. Not `Clone`: the accounts of slab and index count capacities, which a derived clone
/// does not keep.
#[derive(Debug)]
pub(crate) struct Table {
    key: Box<[u8]>,
    fields: Blocks,
    index: Index,
    hasher: KeyHasher,
}

impl Table {
    /// The table of a packed hash.
    pub(crate) fn from_packed(packed: Packed<'_>, hasher: &KeyHasher) -> Self {
        let mut table = Table::new(packed.key(), hasher);
        packed.fields().for_each(|(name, value)| table.add(name, value));
        table
    }

    /// A table with the same fields. Nothing is looked at one by one: a million fields are copied in milliseconds.
    pub(crate) fn copy(&self) -> Self {
        let Table { key, fields, index, hasher } = self;
        Table { key: key.clone(), fields: fields.copy(), index: index.copy(), hasher: hasher.clone() }
    }

    fn new(key: &[u8], hasher: &KeyHasher) -> Self {
        Table { key: key.into(), fields: Blocks::default(), index: Index::default(), hasher: hasher.clone() }
    }

    /// Adds a field that is not there.
    fn add(&mut self, name: &[u8], value: &[u8]) {
        let number = field_parts(name, value, |parts| {
            let length = parts.iter().map(|part| part.len()).sum();
            let number = self.fields.allocate(length);
            fill(&mut self.fields.block_mut(number)[..length], parts);
            number
        });
        let names = Names { fields: &self.fields, hasher: &self.hasher };
        self.index.insert(self.hasher.hash(name), number, &names);
    }

    /// Sets a field; true if it is new.
    pub(crate) fn set(&mut self, name: &[u8], value: &[u8]) -> bool {
        let hash = self.hasher.hash(name);
        let Some(number) = self.find(name, hash) else {
            self.add(name, value);
            return true;
        };
        let block = self.fields.block_mut(number);
        let (_, rest) = split_item(block);
        let (old, unused) = split_item(rest);
        let (name_end, end) = (block.len() - rest.len(), block.len() - unused.len());
        let start = end - old.len();
        if old.len() == value.len() {
            block[start..end].copy_from_slice(value);
            return false;
        }
        let moved = value_parts(value, |parts| self.fields.splice(number, end, name_end..end, parts));
        if moved != number {
            self.index.replace(hash, number, moved);
        }
        false
    }

    /// Removes a field; false if there is none of this name.
    pub(crate) fn remove(&mut self, name: &[u8]) -> bool {
        let hash = self.hasher.hash(name);
        let Some(number) = self.find(name, hash) else { return false };
        self.index.remove(hash, number);
        self.fields.free(number);
        true
    }

    /// Changes the name of the whole hash.
    pub(crate) fn set_key(&mut self, key: &[u8]) {
        self.key = key.into();
    }

    /// Frees one piece of a table that nobody uses any more; false when only a small rest is left to drop.
    pub(crate) fn take_apart(&mut self) -> bool {
        self.fields.take_apart() || self.index.take_apart()
    }

    /// The key.
    #[inline]
    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }

    /// Fields.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether freeing this table takes long enough to be done in pieces.
    pub(crate) fn is_freed_in_pieces(&self) -> bool {
        self.len() > FREED_AT_ONCE_MAX
    }

    /// The value of a field.
    pub(crate) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        let number = self.find(name, self.hasher.hash(name))?;
        Some(self.field(number).1)
    }

    /// All fields with their values.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.index.iter().map(|number| self.field(number))
    }

    /// A field close to uniformly at random, `None` only in an empty table.
    pub(crate) fn at_random(&self, random: u64) -> Option<(&[u8], &[u8])> {
        let number = self.index.at_random(random, &mut |_| true)?;
        Some(self.field(number))
    }

    /// Visits the fields of one line of the index, see [`Index::scan_line`].
    pub(crate) fn scan_line(&self, cursor: u64, visit: &mut dyn FnMut(&[u8], &[u8])) -> u64 {
        self.index.scan_line(cursor, &mut |number| {
            let (name, value) = self.field(number);
            visit(name, value);
        })
    }

    /// Bytes allocated, the table itself included.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.key.len() + self.fields.bytes() + self.index.bytes()
    }

    /// Asserts S1, S6, S8 and S9 for the fields.
    pub(crate) fn check(&self) {
        self.fields.check();
        self.index.check(&Names { fields: &self.fields, hasher: &self.hasher });
        assert_eq!(self.fields.len(), self.index.len(), "S1: the index knows every field");
        for number in self.index.iter() {
            let name = self.field(number).0;
            let found = self.find(name, self.hasher.hash(name));
            assert_eq!(found, Some(number), "S1: a field is found by its name");
        }
    }

    fn field(&self, number: u32) -> (&[u8], &[u8]) {
        name_and_value(self.fields.block(number))
    }

    fn find(&self, name: &[u8], hash: u64) -> Option<u32> {
        self.index.find(hash, |number| name_of(self.fields.block(number)) == name)
    }
}
