//! A small hash: key and fields in one allocation, searched from front to back.
//!
//! ```text
//! ┌────────────┬─────┬──────────────┬───────┬──────────────┬───────┬──────────────┬─────
//! │ key length │ key │ field length │ field │ value length │ value │ field length │ …
//! └────────────┴─────┴──────────────┴───────┴──────────────┴───────┴──────────────┴─────
//!   varint             varint                 varint
//! ```
//!
//! The block is exactly as long as its content: most hashes here are written once and overwritten with values of
//! the same length, which happens in place. Larger hashes are in [`table`](crate::table).

use std::ops::Range;

use crate::varint::{Varint, item};

/// Up to where a hash stays packed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PackedLimits {
    /// Fields.
    pub(crate) fields_max: usize,
    /// Bytes of the block, key included.
    pub(crate) bytes_max: usize,
}

/// What [`Packed::set`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PackedSet {
    /// The field is new.
    Added,
    /// The field had a value before.
    Overwritten,
    /// Nothing: the hash would pass a limit and has to become a table first.
    TooLarge,
}

/// A packed block. Empty only in a vacant slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packed(Box<[u8]>);

impl Packed {
    /// A hash without fields, of this key.
    pub(crate) fn new(key: &[u8]) -> Self {
        Packed::from_parts(key, &[])
    }

    /// A hash of this key with the fields as [`Packed::fields_block`] gave them.
    pub(crate) fn from_parts(key: &[u8], fields: &[u8]) -> Self {
        let length = Varint::encode(key.len());
        Packed([length.bytes(), key, fields].concat().into_boxed_slice())
    }

    /// Sets a field, within the limits.
    pub(crate) fn set(&mut self, field: &[u8], value: &[u8], limits: PackedLimits) -> PackedSet {
        let mut fields = self.fields();
        let mut count = 0;
        while let Some(place) = fields.next_place() {
            count += 1;
            if self.0[place.field] != *field {
                continue;
            }
            if place.value.len() == value.len() {
                self.0[place.value].copy_from_slice(value);
                return PackedSet::Overwritten;
            }
            let length = Varint::encode(value.len());
            let old = place.value_length_at..place.value.end;
            if self.0.len() - old.len() + length.bytes().len() + value.len() > limits.bytes_max {
                return PackedSet::TooLarge;
            }
            self.replace(old, &[length.bytes(), value]);
            return PackedSet::Overwritten;
        }
        let lengths = (Varint::encode(field.len()), Varint::encode(value.len()));
        let parts = [lengths.0.bytes(), field, lengths.1.bytes(), value];
        let added: usize = parts.iter().map(|part| part.len()).sum();
        if count >= limits.fields_max || self.0.len() + added > limits.bytes_max {
            return PackedSet::TooLarge;
        }
        self.replace(self.0.len()..self.0.len(), &parts);
        PackedSet::Added
    }

    /// Removes a field; false if there is none of this name.
    pub(crate) fn remove(&mut self, field: &[u8]) -> bool {
        let mut fields = self.fields();
        while let Some(place) = fields.next_place() {
            if self.0[place.field] == *field {
                self.replace(place.field_length_at..place.value.end, &[]);
                return true;
            }
        }
        false
    }

    /// The key.
    #[inline]
    pub(crate) fn key(&self) -> &[u8] {
        let (start, end) = item(&self.0, 0);
        &self.0[start..end]
    }

    /// The value of a field.
    #[inline]
    pub(crate) fn get(&self, field: &[u8]) -> Option<&[u8]> {
        self.fields().find(|(name, _)| *name == field).map(|(_, value)| value)
    }

    /// Fields with their values, in the order in which they were added.
    #[inline]
    pub(crate) fn fields(&self) -> PackedFields<'_> {
        PackedFields { block: &self.0, at: item(&self.0, 0).1 }
    }

    /// The fields without the key, for a hash that changes its name.
    pub(crate) fn fields_block(&self) -> &[u8] {
        &self.0[item(&self.0, 0).1..]
    }

    /// Bytes of the block.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        self.0.len()
    }

    /// The block, for hints to the processor.
    #[inline]
    pub(crate) fn block(&self) -> &[u8] {
        &self.0
    }

    /// Asserts S5: the block decodes exactly to its end and holds no name twice.
    pub(crate) fn check(&self) {
        let mut fields = self.fields();
        let mut names: Vec<&[u8]> = fields.by_ref().map(|(name, _)| name).collect();
        assert_eq!(fields.at, self.0.len(), "S5: a packed block ends with its last value");
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "S5: a packed block holds a name once");
    }

    /// Puts `parts` in the place of `old`.
    fn replace(&mut self, old: Range<usize>, parts: &[&[u8]]) {
        let added: usize = parts.iter().map(|part| part.len()).sum();
        let len = self.0.len() - old.len() + added;
        let mut block = std::mem::take(&mut self.0).into_vec();
        let tail = old.end..block.len();
        if len > block.len() {
            block.reserve_exact(len - block.len());
            block.resize(len, 0);
        }
        block.copy_within(tail, old.start + added);
        block.truncate(len);
        let mut at = old.start;
        for part in parts {
            block[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        self.0 = block.into_boxed_slice();
    }
}

/// Where the parts of a field are in its block.
struct Place {
    field_length_at: usize,
    field: Range<usize>,
    value_length_at: usize,
    value: Range<usize>,
}

/// Walks the fields of a packed block.
#[derive(Clone, Debug)]
pub(crate) struct PackedFields<'a> {
    block: &'a [u8],
    at: usize,
}

impl PackedFields<'_> {
    #[inline]
    fn next_place(&mut self) -> Option<Place> {
        if self.at >= self.block.len() {
            return None;
        }
        let field_length_at = self.at;
        let field = item(self.block, field_length_at);
        let value = item(self.block, field.1);
        self.at = value.1;
        Some(Place {
            field_length_at,
            field: field.0..field.1,
            value_length_at: field.1,
            value: value.0..value.1,
        })
    }
}

impl<'a> Iterator for PackedFields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let place = self.next_place()?;
        Some((&self.block[place.field], &self.block[place.value]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PackedLimits = PackedLimits { fields_max: 4, bytes_max: 1_000 };

    #[test]
    fn fields_are_added_overwritten_and_removed_in_place() {
        let mut packed = Packed::new(b"key");
        assert_eq!(packed.set(b"a", b"1", LIMITS), PackedSet::Added);
        assert_eq!(packed.set(b"", b"", LIMITS), PackedSet::Added);
        assert_eq!(packed.set(b"c", &[7; 300], LIMITS), PackedSet::Added);
        assert_eq!(packed.set(b"a", b"longer than before", LIMITS), PackedSet::Overwritten);
        assert_eq!(packed.set(b"c", b"3", LIMITS), PackedSet::Overwritten);
        assert_eq!(packed.key(), b"key");
        let fields: Vec<_> = packed.fields().collect();
        assert_eq!(fields, [(&b"a"[..], &b"longer than before"[..]), (b"", b""), (b"c", b"3")]);
        assert!(packed.remove(b"") && !packed.remove(b"nothing"));
        packed.check();
        assert_eq!(packed.bytes(), 4 + 2 + 19 + 2 + 2);
    }

    #[test]
    fn a_hash_past_a_limit_is_left_as_it_is() {
        let mut packed = Packed::new(b"key");
        for field in [b"a", b"b", b"c", b"d"] {
            packed.set(field, b"1", LIMITS);
        }
        assert_eq!(packed.set(b"e", b"1", LIMITS), PackedSet::TooLarge);
        assert_eq!(packed.set(b"a", &[0; 1_000], LIMITS), PackedSet::TooLarge);
        assert_eq!(packed.set(b"a", b"2", LIMITS), PackedSet::Overwritten);
        assert_eq!(packed.fields().count(), 4);
    }
}
