//! What was removed and is too large to be freed at once: it is taken apart piece by piece.

use crate::entry::Entries;
use crate::index::Index;
use crate::table::Table;

#[cfg(doc)]
use crate::Keyspace;

/// Removed tables and flushed databases, freed by [`Keyspace::reclaim`].
#[derive(Debug, Default)]
pub(crate) struct Graveyard {
    // Boxed already where they come from.
    #[allow(clippy::vec_box)]
    tables: Vec<Box<Table>>,
    databases: Vec<Entries>,
    indexes: Vec<Index>,
    /// Bytes of all of these.
    bytes: usize,
}

impl Graveyard {
    /// Takes the table of a removed entry: small ones are freed here, large ones later.
    #[allow(clippy::boxed_local)] // boxed where it comes from, and here where it is kept
    pub(crate) fn bury(&mut self, table: Box<Table>) {
        if table.is_freed_in_pieces() {
            self.bytes += table.bytes();
            self.tables.push(table);
        }
    }

    /// Takes all entries of a database.
    pub(crate) fn bury_database(&mut self, entries: Entries, index: Index) {
        self.bytes += entries.bytes();
        self.databases.push(entries);
        self.bury_index(index);
    }

    /// Takes an index.
    pub(crate) fn bury_index(&mut self, index: Index) {
        self.bytes += index.bytes();
        self.indexes.push(index);
    }

    /// Frees one piece; false if there is none.
    pub(crate) fn free_piece(&mut self) -> bool {
        if let Some(table) = self.tables.last_mut() {
            let before = table.bytes();
            if table.take_apart() {
                self.bytes = self.bytes + table.bytes() - before;
            } else {
                self.bytes -= before;
                self.tables.pop();
            }
        } else if let Some(entries) = self.databases.last_mut() {
            let before = entries.bytes();
            if let Some(table) = entries.take_apart() {
                self.bytes = self.bytes + entries.bytes() - before;
                if let Some(table) = table {
                    self.bury(table);
                }
            } else {
                self.bytes -= before;
                self.databases.pop();
            }
        } else if let Some(index) = self.indexes.last_mut() {
            let before = index.bytes();
            if index.take_apart() {
                self.bytes = self.bytes + index.bytes() - before;
            } else {
                self.bytes -= before;
                self.indexes.pop();
            }
        } else {
            self.release();
            return false;
        }
        true
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.databases.is_empty() && self.indexes.is_empty()
    }

    /// Bytes that wait to be freed.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Asserts the graveyard's part of S6.
    pub(crate) fn check(&self) {
        let tables: usize = self.tables.iter().map(|table| table.bytes()).sum();
        let indexes: usize = self.indexes.iter().map(Index::bytes).sum();
        let databases: usize = self.databases.iter().map(Entries::bytes).sum();
        assert_eq!(self.bytes, tables + indexes + databases, "S6: bytes of the graveyard");
    }

    /// Gives the memory of the empty lists back.
    fn release(&mut self) {
        if self.tables.capacity() + self.databases.capacity() + self.indexes.capacity() > 0 {
            *self = Graveyard::default();
        }
    }
}
