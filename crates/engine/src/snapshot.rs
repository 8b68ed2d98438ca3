//! A snapshot of one shard, slice by slice between its batches.
//!
//! ```text
//!  databases   0 ──────► 1 ─► …              as SCAN walks: growth and shrinking do not disturb the order
//!  keys          ● ● ◉ ●                     ● packed: written at once, with all fields and the deadline
//!                    └─► large: fields in pieces, as HSCAN walks, looked up by the key for each piece
//! ```
//!
//! A walk visits what is there all the time. What comes, goes or changes meanwhile is in the log, which is replayed
//! over the snapshot; `mayfly-persistence` says why that converges. So it does not matter here if the hash that a
//! piece is taken from is another one than that of the piece before, was renamed, or is gone.

use std::collections::VecDeque;

use mayfly_command::{Recorder, Router};
use mayfly_store::{Keyspace, UnixMillis};

/// Fields of a large hash that are visited before the size of the slice is looked at again.
const FIELDS_PER_STEP: usize = 16;
/// What a step counts at least: where databases were emptied it finds nothing, and takes time.
const STEP_BYTES: usize = 64;

/// What a shard has for its snapshot.
#[derive(PartialEq, Eq, Debug)]
pub enum Slice {
    /// The body of the next record.
    Body(Vec<u8>),
    /// Nothing at this time; there may be more.
    Nothing,
    /// All its keys were handed out.
    End,
    /// Two databases have changed places since the snapshot was begun: it is worth nothing, nor are those of the other
    /// shards. All are begun anew, behind a new segment of the log.
    Swapped,
}

/// Where the snapshot of one shard has come.
#[derive(Debug)]
pub struct SnapshotCursor {
    swaps: u64,
    database: u16,
    /// In the keys of the database.
    keys: u64,
    /// Large hashes that the walk has come by, and are not written to their end.
    large: Vec<Large>,
    recorder: Recorder,
    ready: VecDeque<Vec<u8>>,
}

#[derive(Debug)]
struct Large {
    database: u16,
    key: Box<[u8]>,
    /// In its fields.
    fields: u64,
}

impl SnapshotCursor {
    /// Begins the snapshot of a shard. `swaps` is what [`Shard::swaps`](crate::Shard::swaps) of any shard said
    /// **before** the segment of the log was begun that is replayed over this snapshot: a swap behind that is in the
    /// log, and may not be in the snapshot, too.
    pub fn new(swaps: u64) -> Self {
        SnapshotCursor {
            swaps,
            database: 0,
            keys: 0,
            large: Vec::new(),
            recorder: Recorder::for_snapshot(),
            ready: VecDeque::new(),
        }
    }

    pub(crate) fn slice(
        &mut self,
        keyspace: &Keyspace,
        router: &Router,
        bytes_max: usize,
        now: UnixMillis,
    ) -> Slice {
        if keyspace.swaps() != self.swaps {
            return Slice::Swapped;
        }
        let mut is_over = false;
        if self.ready.is_empty() {
            self.recorder.begin(now);
            let mut steps = 0;
            while !is_over && (steps == 0 || self.recorder.len() + steps * STEP_BYTES < bytes_max) {
                is_over = !self.step(keyspace, router, now);
                steps += 1;
            }
            self.ready.extend(self.recorder.take());
        }
        match self.ready.pop_front() {
            Some(body) => Slice::Body(body),
            None if is_over => Slice::End,
            None => Slice::Nothing,
        }
    }

    /// Goes on by a few keys or fields; false if there are no more.
    fn step(&mut self, keyspace: &Keyspace, router: &Router, now: UnixMillis) -> bool {
        if let Some(large) = self.large.last_mut() {
            if large.step(keyspace, router, &mut self.recorder) {
                self.large.pop();
            }
            return true;
        }
        if self.database == keyspace.databases() {
            return false;
        }
        let (number, database) = (self.database, keyspace.database(self.database));
        self.keys = database.scan(self.keys, 1, now, &mut |id| {
            if database.is_packed(id) {
                self.recorder.whole(number, database, id);
            } else {
                self.large.push(Large { database: number, key: database.key(id).into(), fields: 0 });
            }
        });
        self.database += u16::from(self.keys == 0);
        true
    }
}

impl Large {
    /// Writes a piece; true if it was the last.
    fn step(&mut self, keyspace: &Keyspace, router: &Router, recorder: &mut Recorder) -> bool {
        let (number, database) = (self.database, keyspace.database(self.database));
        let Some(id) = database.find_at_any_time(router.key(&self.key)) else { return true };
        self.fields = database.scan_fields(id, self.fields, FIELDS_PER_STEP, &mut |field, value| {
            recorder.set(number, database, id, field, value);
        });
        self.fields == 0
    }
}
