//! Hints for looking up many keys: each stage asks for the memory that the next one reads.
//!
//! ```text
//!   for all keys: prefetch_index   → the index line
//!   for all keys: prefetch_entry   → reads the line, asks for the entry: key and fields
//!   for all keys: find, …            in order
//! ```
//!
//! A hint changes nothing, and nothing goes wrong if the key is absent or the database changes in between.

use crate::database::Database;

impl Database {
    /// Stage 1: asks for the index line of a hash.
    #[inline]
    pub fn prefetch_index(&self, hash: u64) {
        self.index.prefetch(hash);
    }

    /// Stage 2: reads the index line and asks for the entry that is probably meant.
    #[inline]
    pub fn prefetch_entry(&self, hash: u64) {
        if let Some(number) = self.index.guess(hash) {
            self.entries.prefetch(number);
        }
    }
}
