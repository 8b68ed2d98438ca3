//! The sweep over everything that must hold in a database.

use crate::database::Database;
use crate::entry::{Body, Keys};
use crate::wheel::{FAR, Timers};

impl Database {
    /// Asserts S1 to S9, in time proportional to the content. Not inside a command: a hash that is just being
    /// made or emptied breaks S2.
    pub fn check(&self) {
        self.entries.check();
        self.index.check(&Keys { entries: &self.entries, hasher: &self.hasher });
        self.wheel.check(&self.entries);
        self.graveyard.check();
        assert_eq!(self.index.len(), self.entries.len(), "S1: the index knows every entry");
        let (mut tables, mut deadlines, mut deadlines_sum, mut far) = (0, 0, 0, 0);
        for number in self.index.iter() {
            let (body, links) = (self.entries.body(number), self.entries.links(number));
            let key = body.key();
            let is_this = |found: u32| self.entries.key(found) == key;
            let found = self.index.find(self.hasher.hash(key), is_this);
            assert_eq!(found, Some(number), "S1: an entry is found by its key");
            let fields = match body {
                Body::Packed(packed) => {
                    packed.check();
                    packed.fields().count()
                }
                Body::Table(table) => {
                    table.check();
                    tables += 1;
                    table.len()
                }
            };
            assert!(fields > 0, "S2: no hash is empty between commands");
            let deadline = self.entries.deadline(number);
            assert_eq!(deadline.is_some(), links.is_linked(), "S3: in the wheel if there is a deadline");
            if let Some(deadline) = deadline {
                deadlines += 1;
                deadlines_sum += i128::from(deadline.0);
            }
            far += usize::from(links.deadline() == FAR);
        }
        assert_eq!(self.entries.tables().count(), tables, "S1: a table belongs to an entry");
        assert_eq!((self.deadlines, self.deadlines_sum), (deadlines, deadlines_sum), "S7: deadlines");
        assert_eq!(self.wheel.len(), deadlines, "S3: the wheel holds the entries with a deadline");
        assert_eq!(self.entries.far_len(), far, "S7: far deadlines belong to entries");
    }
}
