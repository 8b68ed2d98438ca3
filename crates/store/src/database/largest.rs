//! The largest hashes.

use std::cmp::Reverse;

use crate::database::Database;
use crate::entry::EntryId;
use crate::key::Key;
use crate::keyspace::Keyspace;
use crate::time::UnixMillis;

/// Hashes that a search looks at: less than a millisecond, when none of them is in a cache.
const LOOKS_MAX: usize = 2_048;

/// A large hash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BigKey {
    /// Its key.
    pub key: Vec<u8>,
    /// The logical database that it is in.
    pub database: u16,
    /// What it takes, see [`Database::entry_bytes`].
    pub bytes: usize,
    /// Its fields.
    pub fields: usize,
}

impl Keyspace {
    /// The hashes of most bytes in all databases that are not expired, at most `count`, largest first; only tables
    /// of [`LARGE_BYTES_MIN`](crate::LARGE_BYTES_MIN) or more. Looks at a bounded number: where a database holds more
    /// than 2,048 within a power of two of the largest, they are some of these.
    pub fn largest(&self, count: usize, now: UnixMillis) -> Vec<BigKey> {
        let mut looks = LOOKS_MAX;
        let mut found = Vec::new();
        for (database, number) in self.used().zip(0..) {
            found.extend(database.largest(count, now, &mut looks).into_iter().map(|id| BigKey {
                key: database.key(id).to_vec(),
                database: number,
                bytes: database.entry_bytes(id),
                fields: database.field_count(id),
            }));
        }
        found.sort_by_key(|big| Reverse(big.bytes));
        found.truncate(count);
        found
    }
}

impl Database {
    /// The same of one database; takes one of `looks` for each hash that it looks at.
    fn largest(&self, count: usize, now: UnixMillis, looks: &mut usize) -> Vec<EntryId> {
        let mut found = Vec::new();
        let mut last_class = None;
        for (class, key) in self.entries.large_keys() {
            let is_next_class = last_class.replace(class) != Some(class);
            if *looks == 0 || is_next_class && found.len() >= count {
                break;
            }
            *looks -= 1;
            let id = self.find_at_any_time(Key::new(key, &self.hasher)).expect("S1: a table is in the index");
            if !self.is_expired(id.0, now) {
                found.push((Reverse(self.entry_bytes(id)), id));
            }
        }
        found.sort_unstable_by_key(|(bytes, _)| *bytes);
        found.into_iter().take(count).map(|(_, id)| id).collect()
    }
}
