//! What is kept of the use of a hash.

use crate::access::{Access, AccessPolicy};
use crate::database::Database;
use crate::entry::EntryId;
use crate::index::scramble;
use crate::time::UnixMillis;

impl Database {
    /// Notes a use of a hash. Looking for one does not: who looks decides.
    #[inline]
    pub fn touch(&mut self, id: EntryId, now: UnixMillis) {
        self.note_use(id.0, self.entries.access(id.0), now);
    }

    /// Notes a use of an entry with this word. One that stays the same is not written: a read leaves the line
    /// clean.
    #[inline]
    pub(super) fn note_use(&mut self, number: u32, before: Access, now: UnixMillis) {
        let random = &mut self.random;
        let after = before.used(self.access, now, || {
            *random = scramble(*random);
            *random as u32
        });
        if after != before {
            self.entries.write_access(number, after);
        }
    }

    /// Seconds since the last use of a hash. Only [`AccessPolicy::Recency`] keeps it.
    pub fn idle_seconds(&self, id: EntryId, now: UnixMillis) -> u64 {
        self.entries.access(id.0).idle_seconds(now)
    }

    /// How often a hash is used, on a logarithmic scale. Only [`AccessPolicy::Frequency`] keeps it.
    pub fn frequency(&self, id: EntryId, now: UnixMillis) -> u8 {
        self.entries.access(id.0).frequency(self.access, now)
    }

    pub(crate) fn set_access_policy(&mut self, policy: AccessPolicy) {
        self.access = policy;
    }
}
