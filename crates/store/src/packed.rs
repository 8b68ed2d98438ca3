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

use crate::varint::{VARINT_MORE, Varint, split_item};

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
    item_bytes(field) + item_bytes(value)
}

/// Bytes that an item takes with its length.
#[inline]
fn item_bytes(item: &[u8]) -> usize {
    (usize::BITS - (item.len() | 1).leading_zeros()).div_ceil(7) as usize + item.len()
}

/// The bytes of a key with its length, and of fields as [`Packed::fields_block`] gave them.
pub(crate) fn key_parts<T>(key: &[u8], fields: &[u8], with: impl FnOnce(&[&[u8]]) -> T) -> T {
    with(&[Varint::encode(key.len()).bytes(), key, fields])
}

/// The key that a block starts with.
#[inline]
pub(crate) fn key_of(block: &[u8]) -> &[u8] {
    split_item(block).0
}

/// Whether a block starts with this key.
#[inline]
pub(crate) fn starts_with_key(block: &[u8], key: &[u8]) -> bool {
    // A short length is its own varint.
    if key.len() < usize::from(VARINT_MORE) {
        return usize::from(block[0]) == key.len() && block.get(1..=key.len()) == Some(key);
    }
    key_of(block) == key
}

/// A packed block, without anything behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packed<'a>(pub(crate) &'a [u8]);

impl<'a> Packed<'a> {
    /// How to set a field within the limits.
    pub(crate) fn plan(self, field: &[u8], value: &[u8], limits: PackedLimits) -> Plan {
        if let Some((old, end)) = self.find(field) {
            if old.len() == value.len() {
                return Plan::Overwrite(end - old.len()..end);
            }
            let old = end - item_bytes(old)..end;
            let fits = self.0.len() - old.len() + item_bytes(value) <= limits.bytes_max;
            return if fits { Plan::Resize(old) } else { Plan::TooLarge };
        }
        // Every field has two lengths: in a short block there is no need to count.
        let is_one_more = self.0.len() / 2 < limits.fields_max || self.fields().count() < limits.fields_max;
        let fits = is_one_more && self.0.len() + packed_bytes(field, value) <= limits.bytes_max;
        if fits { Plan::Append } else { Plan::TooLarge }
    }

    /// Where a field is, its value and both lengths included.
    pub(crate) fn place_of(self, field: &[u8]) -> Option<Range<usize>> {
        let (value, end) = self.find(field)?;
        Some(end - packed_bytes(field, value)..end)
    }

    /// Where the value of a field is.
    #[inline]
    pub(crate) fn place_of_value(self, field: &[u8]) -> Option<Range<usize>> {
        let (value, end) = self.find(field)?;
        Some(end - value.len()..end)
    }

    /// The value of a field.
    #[inline]
    pub(crate) fn get(self, field: &[u8]) -> Option<&'a [u8]> {
        self.find(field).map(|(value, _)| value)
    }

    /// The value of a field, and where it ends in the block.
    #[inline]
    fn find(self, field: &[u8]) -> Option<(&'a [u8], usize)> {
        let mut fields = self.fields();
        while let Some((name, value)) = fields.next_field() {
            if name == field {
                return Some((value, self.0.len() - fields.rest.len()));
            }
        }
        None
    }

    /// The key.
    #[inline]
    pub(crate) fn key(self) -> &'a [u8] {
        key_of(self.0)
    }

    /// Fields with their values, in the order in which they were added.
    #[inline]
    pub(crate) fn fields(self) -> PackedFields<'a> {
        PackedFields { rest: self.fields_block() }
    }

    /// The fields without the key, for a hash that changes its name.
    #[inline]
    pub(crate) fn fields_block(self) -> &'a [u8] {
        split_item(self.0).1
    }

    /// Asserts S5: the block decodes exactly to its end and holds no name twice.
    pub(crate) fn check(self) {
        // The walk ends where an item ends with the block, or it panics.
        let mut names: Vec<&[u8]> = self.fields().map(|(name, _)| name).collect();
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

/// Walks the fields of a packed block.
#[derive(Clone, Debug)]
pub(crate) struct PackedFields<'a> {
    rest: &'a [u8],
}

impl<'a> PackedFields<'a> {
    /// The next field; inside the loops that look for one.
    #[inline(always)]
    fn next_field(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        if self.rest.is_empty() {
            return None;
        }
        let (name, rest) = split_item(self.rest);
        let (value, rest) = split_item(rest);
        self.rest = rest;
        Some((name, value))
    }
}

impl<'a> Iterator for PackedFields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.next_field()
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
