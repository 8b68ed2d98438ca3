//! A large hash: every field in an allocation of its own, found through the same index as keys are.
//!
//! A hash of millions of fields grows a segment at a time and is freed a field at a time, so neither stalls
//! anybody. A field's allocation is `[varint name length][name][value]`. A table stays a table when it shrinks.
//! Small hashes are in [`packed`](crate::packed).

use crate::index::{Hashes, Index};
use crate::key::KeyHasher;
use crate::packed::Packed;
use crate::prefetch::{prefetch, prefetch_bytes};
use crate::slab::{Slab, Slot};
use crate::varint::{Varint, item};

/// Fields up to which a table is freed at once, with the command that removes it.
const FREED_AT_ONCE_MAX: usize = 64;

/// A field's slot.
#[derive(Debug)]
pub(crate) enum Field {
    Block(Box<[u8]>),
    Vacant(u32),
}

impl Field {
    fn new(name: &[u8], value: &[u8]) -> Self {
        Field::Block([Varint::encode(name.len()).bytes(), name, value].concat().into_boxed_slice())
    }

    fn block(&self) -> &[u8] {
        match self {
            Field::Block(block) => block,
            Field::Vacant(_) => &[],
        }
    }

    fn name(&self) -> &[u8] {
        self.name_and_value().0
    }

    pub(crate) fn name_and_value(&self) -> (&[u8], &[u8]) {
        let block = self.block();
        let (start, end) = item(block, 0);
        (&block[start..end], &block[end..])
    }
}

impl Slot for Field {
    fn vacant(next: u32) -> Self {
        Field::Vacant(next)
    }

    fn next_vacant(&self) -> Option<u32> {
        match self {
            Field::Block(_) => None,
            Field::Vacant(next) => Some(*next),
        }
    }
}

/// How the index of a table hashes its fields again.
struct Names<'a> {
    fields: &'a Slab<Field>,
    hasher: &'a KeyHasher,
}

impl Hashes for Names<'_> {
    fn hash(&self, reference: u32) -> u64 {
        self.hasher.hash(self.fields[reference].name())
    }

    fn prefetch_near(&self, reference: u32) {
        if let Some(field) = self.fields.slot(reference) {
            prefetch(field);
        }
    }

    fn prefetch_far(&self, reference: u32) {
        prefetch_bytes(self.fields[reference].block());
    }
}

/// A large hash with its key. Not `Clone`: the accounts of slab and index count capacities, which a derived clone
/// does not keep.
#[derive(Debug)]
pub(crate) struct Table {
    key: Box<[u8]>,
    fields: Slab<Field>,
    index: Index,
    /// Bytes of all fields' blocks.
    blocks_bytes: usize,
    hasher: KeyHasher,
}

impl Table {
    /// The table of a packed hash.
    pub(crate) fn from_packed(packed: &Packed, hasher: &KeyHasher) -> Self {
        let mut table = Table::new(packed.key(), hasher);
        packed.fields().for_each(|(name, value)| table.add(name, value));
        table
    }

    /// A table with the same fields, built from the start: as compact as it can be.
    pub(crate) fn copy(&self) -> Self {
        let mut table = Table::new(&self.key, &self.hasher);
        for (_, field) in self.fields.iter() {
            let (name, value) = field.name_and_value();
            table.add(name, value);
        }
        table
    }

    fn new(key: &[u8], hasher: &KeyHasher) -> Self {
        Table {
            key: key.into(),
            fields: Slab::default(),
            index: Index::default(),
            blocks_bytes: 0,
            hasher: hasher.clone(),
        }
    }

    /// Adds a field that is not there.
    fn add(&mut self, name: &[u8], value: &[u8]) {
        let field = Field::new(name, value);
        self.blocks_bytes += field.block().len();
        let number = self.fields.insert(field);
        let names = Names { fields: &self.fields, hasher: &self.hasher };
        self.index.insert(self.hasher.hash(name), number, &names);
    }

    /// Sets a field; true if it is new.
    pub(crate) fn set(&mut self, name: &[u8], value: &[u8]) -> bool {
        let Some(number) = self.find(name, self.hasher.hash(name)) else {
            self.add(name, value);
            return true;
        };
        let field = &mut self.fields[number];
        let value_start = item(field.block(), 0).1;
        match field {
            Field::Block(block) if block.len() - value_start == value.len() => {
                block[value_start..].copy_from_slice(value);
            }
            _ => {
                let longer = Field::new(name, value);
                self.blocks_bytes = self.blocks_bytes - field.block().len() + longer.block().len();
                *field = longer;
            }
        }
        false
    }

    /// Removes a field; false if there is none of this name.
    pub(crate) fn remove(&mut self, name: &[u8]) -> bool {
        let hash = self.hasher.hash(name);
        let Some(number) = self.find(name, hash) else { return false };
        self.index.remove(hash, number);
        self.blocks_bytes -= self.fields.remove(number).block().len();
        true
    }

    /// Changes the name of the whole hash.
    pub(crate) fn set_key(&mut self, key: &[u8]) {
        self.key = key.into();
    }

    /// Frees one piece of a table that nobody uses any more; false when only a small rest is left to drop.
    pub(crate) fn take_apart(&mut self) -> bool {
        if let Some(field) = self.fields.take_apart() {
            self.blocks_bytes -= field.block().len();
            return true;
        }
        self.index.take_apart()
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
        Some(self.fields[number].name_and_value().1)
    }

    /// A field close to uniformly at random, `None` only in an empty table.
    pub(crate) fn at_random(&self, random: u64) -> Option<(&[u8], &[u8])> {
        let number = self.index.at_random(random, &mut |_| true)?;
        Some(self.fields[number].name_and_value())
    }

    /// Visits the fields of one line of the index, see [`Index::scan_line`].
    pub(crate) fn scan_line(&self, cursor: u64, visit: &mut dyn FnMut(&[u8], &[u8])) -> u64 {
        self.index.scan_line(cursor, &mut |number| {
            let (name, value) = self.fields[number].name_and_value();
            visit(name, value);
        })
    }

    /// All fields' slots.
    pub(crate) fn slots(&self) -> &Slab<Field> {
        &self.fields
    }

    /// Bytes allocated, the table itself included.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.key.len() + self.blocks_bytes + self.fields.bytes() + self.index.bytes()
    }

    /// Asserts S1, S6, S8 and S9 for the fields.
    pub(crate) fn check(&self) {
        self.fields.check();
        self.index.check(&Names { fields: &self.fields, hasher: &self.hasher });
        assert_eq!(self.fields.len(), self.index.len(), "S1: the index knows every field");
        let mut blocks_bytes = 0;
        for (number, field) in self.fields.iter() {
            let found = self.find(field.name(), self.hasher.hash(field.name()));
            assert_eq!(found, Some(number), "S1: a field is found by its name");
            blocks_bytes += field.block().len();
        }
        assert_eq!(self.blocks_bytes, blocks_bytes, "S6: bytes of fields");
    }

    fn find(&self, name: &[u8], hash: u64) -> Option<u32> {
        self.index.find(hash, |number| self.fields[number].name() == name)
    }
}
