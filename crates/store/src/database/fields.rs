//! The fields of one hash.

use crate::database::Database;
use crate::entry::{Body, EntryId};
use crate::index::scale;
use crate::packed::PackedFields;
use crate::time::UnixMillis;

impl Database {
    /// Sets a field; true if it is new. A hash past the packed limits becomes a table, and stays one.
    pub fn set_field(&mut self, id: &mut EntryId, field: &[u8], value: &[u8]) -> bool {
        let old = id.0;
        let is_new = self.entries.set(&mut id.0, field, value, self.limits, &self.hasher);
        self.renumber(old, *id);
        is_new
    }

    /// Sets a field, and the deadline of the whole hash; true if the field is new. As
    /// [`set_field`](Database::set_field) and [`set_deadline`](Database::set_deadline) do, with one look at the entry
    /// where a value is overwritten with one as long and the deadline moves later.
    #[inline]
    pub fn set_field_until(
        &mut self,
        id: &mut EntryId,
        field: &[u8],
        value: &[u8],
        deadline: UnixMillis,
    ) -> bool {
        let deadline = deadline.max(UnixMillis(0));
        let suits = |links| !self.nearest.is_kept() && self.wheel.suits(links, deadline.ticks());
        if let Some(before) = self.entries.overwrite_until(id.0, field, value, deadline, suits) {
            self.sum_moved(before, deadline);
            return false;
        }
        let is_new = self.set_field(id, field, value);
        self.set_deadline(*id, Some(deadline));
        is_new
    }

    /// Removes a field; false if there is none of this name. This can leave the hash empty: the caller then
    /// removes the entry ([`field_count`](Database::field_count) is 0).
    pub fn remove_field(&mut self, id: &mut EntryId, field: &[u8]) -> bool {
        let old = id.0;
        let was_there = self.entries.remove_field(&mut id.0, field);
        self.renumber(old, *id);
        was_there
    }

    /// Tells everything that knows an entry by its number which one it has now.
    #[inline]
    fn renumber(&mut self, old: u32, id: EntryId) {
        if id.0 != old {
            let hash = self.hasher.hash(self.entries.key(id.0));
            self.index.replace(hash, old, id.0);
            self.wheel.renumber(&mut self.entries, id.0);
        }
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
            Body::Table(table) => Walk::Table(Box::new(table.fields())),
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
    Table(Box<dyn Iterator<Item = (&'a [u8], &'a [u8])> + 'a>),
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let field = match &mut self.walk {
            Walk::Packed(fields) => fields.next()?,
            Walk::Table(fields) => fields.next()?,
        };
        self.left -= 1;
        Some(field)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Fields<'_> {}
