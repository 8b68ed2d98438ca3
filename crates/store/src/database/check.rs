//! The sweep over everything that must hold in a database.

use crate::database::Database;
use crate::entry::{Body, Keys};
use crate::wheel::FAR;

impl Database {
    /// Asserts S1 to S9, in time proportional to the content. Not inside a command: a hash that is just being
    /// made or emptied breaks S2.
    pub fn check(&self) {
        self.entries.slab.check();
        self.index.check(&Keys { entries: &self.entries, hasher: &self.hasher });
        self.wheel.check(&self.entries);
        self.graveyard.check();
        assert_eq!(self.index.len(), self.entries.slab.len(), "S1: the index knows every entry");
        let (mut bodies_bytes, mut deadlines, mut deadlines_sum, mut far) = (0, 0, 0, 0);
        for (number, entry) in self.entries.slab.iter() {
            let key = entry.body.key();
            let is_this = |found: u32| self.entries.body(found).key() == key;
            let found = self.index.find(self.hasher.hash(key), is_this);
            assert_eq!(found, Some(number), "S1: an entry is found by its key");
            let fields = match &entry.body {
                Body::Packed(packed) => {
                    packed.check();
                    packed.fields().count()
                }
                Body::Table(table) => {
                    table.check();
                    table.len()
                }
            };
            assert!(fields > 0, "S2: no hash is empty between commands");
            bodies_bytes += entry.body.bytes();
            let deadline = self.entries.deadline(number);
            assert_eq!(
                deadline.is_some(),
                entry.links.is_linked(),
                "S3: in the wheel if there is a deadline"
            );
            if let Some(deadline) = deadline {
                deadlines += 1;
                deadlines_sum += i128::from(deadline.0);
            }
            far += usize::from(entry.links.written() == FAR);
        }
        assert_eq!(self.bodies_bytes, bodies_bytes, "S6: bytes of all hashes");
        assert_eq!((self.deadlines, self.deadlines_sum), (deadlines, deadlines_sum), "S7: deadlines");
        assert_eq!(self.wheel.len(), deadlines, "S3: the wheel holds the entries with a deadline");
        assert_eq!(self.entries.far_len(), far, "S7: far deadlines belong to entries");
    }
}
