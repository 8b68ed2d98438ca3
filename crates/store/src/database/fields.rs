//! The fields of one hash.

use crate::database::Database;
use crate::entry::{Body, EntryId};
use crate::index::scale;
use crate::packed::PackedFields;
use crate::table::Field;

impl Database {
    /// Sets a field; true if it is new. A hash past the packed limits becomes a table, and stays one.
    pub fn set_field(&mut self, id: EntryId, field: &[u8], value: &[u8]) -> bool {
        let body = self.entries.body_mut(id.0);
        let before = body.bytes();
        let is_new = body.set(field, value, self.limits, &self.hasher);
        self.bodies_bytes = self.bodies_bytes + body.bytes() - before;
        is_new
    }

    /// Removes a field; false if there is none of this name. This can leave the hash empty: the caller then
    /// removes the entry ([`field_count`](Database::field_count) is 0).
    pub fn remove_field(&mut self, id: EntryId, field: &[u8]) -> bool {
        let body = self.entries.body_mut(id.0);
        let before = body.bytes();
        let was_there = match body {
            Body::Packed(packed) => packed.remove(field),
            Body::Table(table) => table.remove(field),
        };
        self.bodies_bytes = self.bodies_bytes + body.bytes() - before;
        was_there
    }

    /// The value of a field.
    #[inline]
    pub fn field(&self, id: EntryId, field: &[u8]) -> Option<&[u8]> {
        match self.entries.body(id.0) {
            Body::Packed(packed) => packed.get(field),
            Body::Table(table) => table.get(field),
        }
    }

    /// Fields of the hash. Packed hashes are counted through, up to the configured number of fields.
    pub fn field_count(&self, id: EntryId) -> usize {
        match self.entries.body(id.0) {
            Body::Packed(packed) => packed.fields().count(),
            Body::Table(table) => table.len(),
        }
    }

    /// All fields with their values.
    pub fn fields(&self, id: EntryId) -> Fields<'_> {
        let left = self.field_count(id);
        let walk = match self.entries.body(id.0) {
            Body::Packed(packed) => Walk::Packed(packed.fields()),
            Body::Table(table) => Walk::Table(Box::new(table.slots().iter().map(|(_, field)| field))),
        };
        Fields { walk, left }
    }

    /// A field at random with its value, always the same for the same `random`: uniform in a packed hash, close
    /// to it in a table. `None` only in an empty hash.
    pub fn field_at_random(&self, id: EntryId, random: u64) -> Option<(&[u8], &[u8])> {
        match self.entries.body(id.0) {
            Body::Packed(packed) => {
                let count = packed.fields().count();
                packed.fields().nth(scale((random >> 32) as u32, count))
            }
            Body::Table(table) => table.at_random(random),
        }
    }

    /// Walks the fields of a hash: cursor 0 starts, the returned cursor continues, 0 ends. A field that is there
    /// during the whole walk is visited at least once. A call visits about `count` fields; a packed hash is
    /// visited as a whole, from any cursor.
    pub fn scan_fields(
        &self,
        id: EntryId,
        cursor: u64,
        count: usize,
        visit: &mut dyn FnMut(&[u8], &[u8]),
    ) -> u64 {
        match self.entries.body(id.0) {
            Body::Packed(packed) => {
                packed.fields().for_each(|(field, value)| visit(field, value));
                0
            }
            Body::Table(table) => super::walk::scan_lines(cursor, count, |cursor, visited| {
                table.scan_line(cursor, &mut |field, value| {
                    *visited += 1;
                    visit(field, value);
                })
            }),
        }
    }

    /// Whether the hash is in its small form; as OBJECT ENCODING says it: a listpack, else a hashtable.
    pub fn is_packed(&self, id: EntryId) -> bool {
        matches!(self.entries.body(id.0), Body::Packed(_))
    }
}

/// The fields of a hash with their values, in no particular order.
pub struct Fields<'a> {
    walk: Walk<'a>,
    left: usize,
}

enum Walk<'a> {
    Packed(PackedFields<'a>),
    Table(Box<dyn Iterator<Item = &'a Field> + 'a>),
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let field = match &mut self.walk {
            Walk::Packed(fields) => fields.next()?,
            Walk::Table(fields) => fields.next()?.name_and_value(),
        };
        self.left -= 1;
        Some(field)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Fields<'_> {}
