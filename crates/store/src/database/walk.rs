//! Walks over all keys.

use crate::database::Database;
use crate::entry::EntryId;
use crate::time::UnixMillis;

/// Lines of the index that a call looks at for every entry it was asked for; in an emptied index most are empty.
const LINES_PER_ENTRY: usize = 10;

impl Database {
    /// Walks the keys: cursor 0 starts, the returned cursor continues (below 2⁴⁸), 0 ends. Any number is a
    /// cursor; its bits above 48 are not looked at.
    ///
    /// A key that is there during the whole walk is visited at least once, however the database grows and
    /// shrinks meanwhile. A call visits about `count` keys: whole lines of the index, of 8 keys on average, until
    /// there are enough. Keys past their deadline are not visited.
    pub fn scan(&self, cursor: u64, count: usize, now: UnixMillis, visit: &mut dyn FnMut(EntryId)) -> u64 {
        scan_lines(cursor, count, |cursor, visited| {
            self.index.scan_line(cursor, &mut |number| {
                *visited += 1;
                if !self.is_expired(number, now) {
                    visit(EntryId(number));
                }
            })
        })
    }

    /// A key that is not expired, close to uniformly at random, always the same for the same `random` and
    /// content. Some 64 places are tried; if there is no live key at any of them, the nearest one is searched.
    pub fn random(&self, random: u64, now: UnixMillis) -> Option<EntryId> {
        self.index.at_random(random, &mut |number| !self.is_expired(number, now)).map(EntryId)
    }
}

/// Scans lines until `count` entries were visited, or ten times as many lines.
pub(super) fn scan_lines(
    mut cursor: u64,
    count: usize,
    mut scan_line: impl FnMut(u64, &mut usize) -> u64,
) -> u64 {
    let mut visited = 0;
    for _ in 0..count.saturating_mul(LINES_PER_ENTRY).max(1) {
        cursor = scan_line(cursor, &mut visited);
        if cursor == 0 || visited >= count {
            break;
        }
    }
    cursor
}
