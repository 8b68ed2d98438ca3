//! A small hash: key and fields in one allocation, searched from front to back.
//!
//! ```text
//! ┌────────────┬─────┬──────────────┬───────┬──────────────┬───────┬──────────────┬─────
//! │ key length │ key │ field length │ field │ value length │ value │ field length │ …
//! └────────────┴─────┴──────────────┴───────┴──────────────┴───────┴──────────────┴─────
//!   varint             varint                 varint
//! ```
//!
//! Most hashes here are written once and overwritten with values of the same length, which happens in place.
//! Where a change makes the block longer or shorter, it is only planned here: the block's owner moves the bytes.
//! Larger hashes are in [`table`](crate::table).

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

/// How to set a field.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Plan {
    /// Write the value here; the old one is as long.
    Overwrite(Range<usize>),
    /// Put [`value_parts`] here: the field has another value.
    Resize(Range<usize>),
    /// Put [`field_parts`] at the end: the field is new.
    Append,
    /// Nothing: the hash would pass a limit and has to become a table first.
    TooLarge,
}

/// The bytes of a value with its length.
pub(crate) fn value_parts<T>(value: &[u8], with: impl FnOnce(&[&[u8]]) -> T) -> T {
    with(&[Varint::encode(value.len()).bytes(), value])
}

/// The bytes of a field and its value, with their lengths.
pub(crate) fn field_parts<T>(field: &[u8], value: &[u8], with: impl FnOnce(&[&[u8]]) -> T) -> T {
    with(&[Varint::encode(field.len()).bytes(), field, Varint::encode(value.len()).bytes(), value])
}

/// Bytes that a field and its value take in a packed hash.
#[inline]
pub fn packed_bytes(field: &[u8], value: &[u8]) -> usize {
    let length = |length: usize| (usize::BITS - (length | 1).leading_zeros()).div_ceil(7) as usize;
    length(field.len()) + field.len() + length(value.len()) + value.len()
}

/// The bytes of a key with its length, and of fields as [`Packed::fields_block`] gave them.
pub(crate) fn key_parts<T>(key: &[u8], fields: &[u8], with: impl FnOnce(&[&[u8]]) -> T) -> T {
    with(&[Varint::encode(key.len()).bytes(), key, fields])
}

/// The key that a block starts with.
#[inline]
pub(crate) fn key_of(block: &[u8]) -> &[u8] {
    let (start, end) = item(block, 0);
    &block[start..end]
}

/// A packed block, without anything behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packed<'a>(pub(crate) &'a [u8]);

impl<'a> Packed<'a> {
    /// How to set a field within the limits.
    pub(crate) fn plan(self, field: &[u8], value: &[u8], limits: PackedLimits) -> Plan {
        let mut fields = self.fields();
        let mut count = 0;
        while let Some(place) = fields.next_place() {
            count += 1;
            if self.0[place.field] != *field {
                continue;
            }
            if place.value.len() == value.len() {
                return Plan::Overwrite(place.value);
            }
            let old = place.value_length_at..place.value.end;
            let added = packed_bytes(b"", value) - 1;
            let fits = self.0.len() - old.len() + added <= limits.bytes_max;
            return if fits { Plan::Resize(old) } else { Plan::TooLarge };
        }
        let added = packed_bytes(field, value);
        let fits = count < limits.fields_max && self.0.len() + added <= limits.bytes_max;
        if fits { Plan::Append } else { Plan::TooLarge }
    }

    /// Where a field is, its value and both lengths included.
    pub(crate) fn place_of(self, field: &[u8]) -> Option<Range<usize>> {
        let mut fields = self.fields();
        while let Some(place) = fields.next_place() {
            if self.0[place.field] == *field {
                return Some(place.field_length_at..place.value.end);
            }
        }
        None
    }

    /// The key.
    #[inline]
    pub(crate) fn key(self) -> &'a [u8] {
        key_of(self.0)
    }

    /// The value of a field.
    #[inline]
    pub(crate) fn get(self, field: &[u8]) -> Option<&'a [u8]> {
        self.fields().find(|(name, _)| *name == field).map(|(_, value)| value)
    }

    /// Fields with their values, in the order in which they were added.
    #[inline]
    pub(crate) fn fields(self) -> PackedFields<'a> {
        PackedFields { block: self.0, at: item(self.0, 0).1 }
    }

    /// The fields without the key, for a hash that changes its name.
    pub(crate) fn fields_block(self) -> &'a [u8] {
        &self.0[item(self.0, 0).1..]
    }

    /// Asserts S5: the block decodes exactly to its end and holds no name twice.
    pub(crate) fn check(self) {
        let mut fields = self.fields();
        let mut names: Vec<&[u8]> = fields.by_ref().map(|(name, _)| name).collect();
        assert_eq!(fields.at, self.0.len(), "S5: a packed block ends with its last value");
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "S5: a packed block holds a name once");
    }
}

/// A packed hash that has no key yet, in memory of its own.
#[derive(Debug)]
pub(crate) struct PackedBuffer(Vec<u8>);

impl Default for PackedBuffer {
    fn default() -> Self {
        PackedBuffer(key_parts(b"", b"", |parts| parts.concat()))
    }
}

impl PackedBuffer {
    /// A copy of a packed hash.
    pub(crate) fn copy_of(packed: Packed<'_>) -> Self {
        PackedBuffer(key_parts(b"", packed.fields_block(), |parts| parts.concat()))
    }

    /// The hash, under an empty key.
    pub(crate) fn packed(&self) -> Packed<'_> {
        Packed(&self.0)
    }

    /// Sets a field; true if it is new, `None` if the hash has to become a table first.
    pub(crate) fn set(&mut self, field: &[u8], value: &[u8], limits: PackedLimits) -> Option<bool> {
        let plan = self.packed().plan(field, value, limits);
        let is_new = plan == Plan::Append;
        match plan {
            Plan::Overwrite(place) => self.0[place].copy_from_slice(value),
            Plan::Resize(old) => value_parts(value, |parts| drop(self.0.splice(old, parts.concat()))),
            Plan::Append => field_parts(field, value, |parts| {
                parts.iter().for_each(|part| self.0.extend(*part));
            }),
            Plan::TooLarge => return None,
        }
        Some(is_new)
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
    fn fields_are_added_and_overwritten_in_place() {
        let mut buffer = PackedBuffer::default();
        assert_eq!(buffer.set(b"a", b"1", LIMITS), Some(true));
        assert_eq!(buffer.set(b"", b"", LIMITS), Some(true));
        assert_eq!(buffer.set(b"c", &[7; 300], LIMITS), Some(true));
        assert_eq!(buffer.set(b"a", b"longer than before", LIMITS), Some(false));
        assert_eq!(buffer.set(b"c", b"3", LIMITS), Some(false));
        assert_eq!(buffer.set(b"c", b"4", LIMITS), Some(false));
        let fields: Vec<_> = buffer.packed().fields().collect();
        assert_eq!(fields, [(&b"a"[..], &b"longer than before"[..]), (b"", b""), (b"c", b"4")]);
        buffer.packed().check();
        let copy = PackedBuffer::copy_of(buffer.packed());
        assert_eq!(copy.0, buffer.0);
        assert_eq!(copy.0.len(), 1 + (2 + 19) + 2 + (2 + 2));
    }

    #[test]
    fn the_bytes_of_a_field_are_those_of_its_parts() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152] {
            let (field, value) = (vec![b'f'; length], vec![b'v'; length / 2]);
            assert_eq!(
                packed_bytes(&field, &value),
                field_parts(&field, &value, |parts| parts.concat()).len()
            );
        }
    }

    #[test]
    fn a_field_is_found_with_its_value_and_lengths() {
        let block = b"\x03key\x01a\x011\x00\x00\x01c\x012";
        let packed = Packed(block);
        packed.check();
        assert_eq!((packed.key(), packed.fields_block()), (&b"key"[..], &block[4..]));
        assert_eq!((packed.place_of(b"a"), packed.place_of(b"")), (Some(4..8), Some(8..10)));
        assert_eq!((packed.place_of(b"c"), packed.place_of(b"b")), (Some(10..14), None));
        assert_eq!(packed.get(b"c"), Some(&b"2"[..]));
    }

    #[test]
    fn a_hash_past_a_limit_is_left_as_it_is() {
        let mut buffer = PackedBuffer::default();
        for field in [b"a", b"b", b"c", b"d"] {
            buffer.set(field, b"1", LIMITS);
        }
        assert_eq!(buffer.set(b"e", b"1", LIMITS), None);
        assert_eq!(buffer.set(b"a", &[0; 1_000], LIMITS), None);
        assert_eq!(buffer.set(b"a", b"2", LIMITS), Some(false));
        assert_eq!(buffer.packed().fields().count(), 4);
    }
}
