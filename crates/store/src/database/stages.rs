//! Hints for looking up many keys: each stage asks for the memory that the next one reads.
//!
//! ```text
//!   for all keys: prefetch_index   → the index line
//!   for all keys: prefetch_entry   → reads the line, asks for the entry
//!   for all keys: prefetch_fields  → reads the entry, asks for key and fields
//!   for all keys: find, …            in order
//! ```
//!
//! A hint changes nothing, and nothing goes wrong if the key is absent or the database changes in between.

use crate::database::Database;
use crate::wheel::Timers;

impl Database {
    /// Stage 1: asks for the index line of a hash.
    #[inline]
    pub fn prefetch_index(&self, hash: u64) {
        self.index.prefetch(hash);
    }

    /// Stage 2: reads the index line and asks for the entries that could be meant.
    #[inline]
    pub fn prefetch_entry(&self, hash: u64) {
        self.index.guess(hash, |number| self.entries.prefetch_near(number));
    }

    /// Stage 3: reads those entries and asks for their keys and fields.
    #[inline]
    pub fn prefetch_fields(&self, hash: u64) {
        self.index.guess(hash, |number| self.entries.prefetch_far(number));
    }
}
