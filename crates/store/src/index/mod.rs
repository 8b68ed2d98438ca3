//! From a hash to the number of what has it: segments under a directory, each a few kilobytes.
//!
//! Knows hashes and numbers only; what a number stands for, and whether it is the one that is looked for, the
//! caller says. The keyspace uses it for keys, a large hash for its fields.
//!
//! ```text
//!   hash   63 …      depth bits │ 16 bits               │ …        15 … 0
//!          directory            │ place in the segment  │ not used here
//!              │
//!   directory [0][0][1][2]      2^depth segment numbers, by the top bits of the hash
//!              └──┼──┘  └──────────────┐
//!   segments    [ 0 ]    [ 1 ]        [ 2 ]     1 to 128 lines of 64 bytes and a short overflow list
//!                          │
//!   line        [ 10 numbers │ 10 tags │ marks ]
//! ```
//!
//! A young index is one segment of one line. A segment that gets full doubles its lines up to 64, adds 16 from
//! there on, up to 128, then it splits in two of 80. The tag of an entry is its place in the segment and says which
//! line it belongs to, however many there are: only a split looks at keys. An insert touches the entries of one
//! segment, about a thousand, whatever the size of the whole; the directory that doubles now and then is 4 bytes a
//! segment. A segment that empties halves its lines, down to one. Segments do not merge: what stays of an index
//! that was large is under 1 % of it, and it goes when the owner takes an index apart that has become empty
//! ([`Index::is_oversized`]).
//!
//! A walk goes by rising hash. Its cursor is the prefix of a hash and not a place, so growth and shrinking
//! between two calls do not disturb it.

mod line;
mod segment;
#[cfg(test)]
mod tests;

use self::segment::{LINES_OF_HALF, PLACE_BITS, Segment};
use crate::prefetch::prefetch;

/// Bits of a cursor; a cursor is the top bits of a hash.
pub const CURSOR_BITS: u32 = 48;
/// Depth of the deepest directory: together with the lines of a segment, 32 bits of the hash.
const DEPTH_MAX: u32 = 25;
/// The directory doubles only from this many entries a slot on. With hashes that are any good there are 500;
/// where all hashes are alike, the segment's overflow list takes what comes instead.
const ENTRIES_PER_SLOT_MIN: usize = 8;
/// Random places that are tried before a walk looks for the nearest one.
const RANDOM_TRIES: u32 = 64;
/// Entries whose memory is asked for together while a segment is hashed again.
const BATCH: usize = 32;

/// What an index asks its owner when a segment grows.
pub trait Hashes {
    /// The hash under which this reference was inserted.
    fn hash(&self, reference: u32) -> u64;
    /// Prefetches what [`Hashes::hash`] reads.
    fn prefetch(&self, _reference: u32) {}
}

/// An index over 64-bit hashes. References are numbers below `u32::MAX`.
#[derive(Debug, Default)]
pub struct Index {
    /// Segment numbers by the top `depth` bits of the hash; empty before the first insert.
    directory: Vec<u32>,
    depth: u32,
    segments: Vec<Segment>,
    /// Bytes that the segments point to.
    segments_bytes: usize,
    len: usize,
}

impl Index {
    /// Adds a reference that is not in the index under this hash. Gives how many entries had to move to make
    /// room, for those who want to know what an insert costs.
    pub fn insert(&mut self, hash: u64, reference: u32, hashes: &impl Hashes) -> usize {
        if self.directory.is_empty() {
            self.directory = vec![0];
            self.segments = vec![Segment::new(0, 1)];
            self.segments_bytes = self.segments[0].bytes();
        }
        let moved = self.make_room(hash, hashes);
        let segment = &mut self.segments[slot(&self.directory, self.depth, hash)];
        self.segments_bytes -= segment.bytes();
        segment.insert(hash, reference);
        self.segments_bytes += segment.bytes();
        self.len += 1;
        moved
    }

    /// Removes a reference that is in the index under this hash.
    pub fn remove(&mut self, hash: u64, reference: u32) {
        let number = slot(&self.directory, self.depth, hash);
        let segment = &mut self.segments[number];
        self.segments_bytes -= segment.bytes();
        let removed = segment.remove(hash, reference);
        assert!(removed, "S1: reference {reference} is in the index under its hash");
        if segment.is_sparse() {
            segment.halve();
        }
        self.segments_bytes += segment.bytes();
        self.len -= 1;
    }

    /// Puts a reference in the place of another, under the same hash.
    pub fn replace(&mut self, hash: u64, old: u32, new: u32) {
        let number = slot(&self.directory, self.depth, hash);
        let replaced = self.segments[number].replace(hash, old, new);
        assert!(replaced, "S1: reference {old} is in the index under its hash");
    }

    /// All references, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.segments.iter().flat_map(Segment::iter)
    }

    /// An index with the same content.
    pub fn copy(&self) -> Self {
        let (directory, segments) = (self.directory.clone(), self.segments.clone());
        let segments_bytes = segments.iter().map(Segment::bytes).sum();
        Index { directory, depth: self.depth, segments, segments_bytes, len: self.len }
    }

    /// Frees one segment of an index that nobody uses any more; false when only a small rest is left to drop.
    pub fn take_apart(&mut self) -> bool {
        let Some(segment) = self.segments.pop() else { return false };
        self.segments_bytes -= segment.bytes();
        true
    }

    /// The reference under this hash for which `is_it` says yes. `is_it` sees few others: a tag of 16 bits is
    /// compared first.
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        self.segment(hash)?.find(hash, &mut is_it)
    }

    /// The first reference that the home line of this hash holds under its tag. Nearly always it is the one that
    /// [`find`](Index::find) finds if there is one.
    #[inline]
    pub fn guess(&self, hash: u64) -> Option<u32> {
        self.segment(hash)?.guess(hash)
    }

    /// Asks the processor for the home line of this hash.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        if let Some(segment) = self.segment(hash) {
            prefetch(segment.home_line(hash));
        }
    }

    /// Visits all entries of one line: the one that covers `cursor`, which is the top [`CURSOR_BITS`] of a hash
    /// (0 to start, higher bits are not looked at). Gives the cursor of the next line, 0 after the last one.
    ///
    /// A reference that is in the index from the first call to the last is visited at least once, whatever is
    /// inserted and removed between the calls.
    pub fn scan_line(&self, cursor: u64, visit: &mut dyn FnMut(u32)) -> u64 {
        let cursor = cursor & ((1 << CURSOR_BITS) - 1);
        let hash = cursor << (u64::BITS - CURSOR_BITS);
        let Some(segment) = self.segment(hash) else { return 0 };
        let home = segment.home(hash);
        segment.visit_line(home, visit);
        let bits = CURSOR_BITS - segment.depth();
        let next = (cursor >> bits << bits) + (segment.end_of(home) << (bits - PLACE_BITS));
        next & ((1 << CURSOR_BITS) - 1)
    }

    /// A reference that `is_good`, close to uniformly at random, always the same for the same `random` and
    /// content. After a number of misses the nearest good one is searched: `None` only if there is none.
    pub fn at_random(&self, mut random: u64, is_good: &mut dyn FnMut(u32) -> bool) -> Option<u32> {
        if self.len == 0 {
            return None;
        }
        for _ in 0..RANDOM_TRIES {
            random = scramble(random);
            let segment = &self.segments[scale(random as u32, self.segments.len())];
            let reference = segment.place(scale((random >> 32) as u32, segment.places()));
            if let Some(reference) = reference.filter(|reference| is_good(*reference)) {
                return Some(reference);
            }
        }
        let start = scramble(random) >> (u64::BITS - CURSOR_BITS);
        let (mut cursor, mut has_wrapped) = (start, false);
        while !has_wrapped || cursor <= start {
            let mut found = None;
            cursor = self.scan_line(cursor, &mut |reference| {
                if found.is_none() && is_good(reference) {
                    found = Some(reference);
                }
            });
            if found.is_some() {
                return found;
            }
            if cursor == 0 {
                if has_wrapped {
                    return None;
                }
                has_wrapped = true;
            }
        }
        None
    }

    /// References held.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is held.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether a directory is left that only a larger content is worth.
    pub fn is_oversized(&self) -> bool {
        self.directory.len() > 1 && self.len == 0
    }

    /// Bytes allocated.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.directory.capacity() * size_of::<u32>()
            + self.segments.capacity() * size_of::<Segment>()
            + self.segments_bytes
    }

    /// Asserts S8 and the index's part of S6.
    pub fn check(&self, hashes: &impl Hashes) {
        let mut len = 0;
        let mut bytes = 0;
        let mut slots = vec![0; self.segments.len()];
        for &number in &self.directory {
            slots[number as usize] += 1;
        }
        for (number, segment) in self.segments.iter().enumerate() {
            let expected = 1 << (self.depth - segment.depth());
            assert_eq!(slots[number], expected, "S8: slots of segment {number} in the directory");
            segment.check(hashes, |hash| slot(&self.directory, self.depth, hash) == number);
            len += segment.len();
            bytes += segment.bytes();
        }
        assert_eq!(len, self.len, "S8: entries of all segments");
        assert_eq!(bytes, self.segments_bytes, "S6: bytes of all segments");
    }

    #[inline]
    fn segment(&self, hash: u64) -> Option<&Segment> {
        let number = self.directory.get(slot_number(self.depth, hash))?;
        Some(&self.segments[*number as usize])
    }

    /// Grows or splits the segment of this hash if it is full; gives how many entries moved.
    fn make_room(&mut self, hash: u64, hashes: &impl Hashes) -> usize {
        let number = slot(&self.directory, self.depth, hash);
        let segment = &self.segments[number];
        if !segment.is_full() {
            return 0;
        }
        let (before, moved) = (segment.bytes(), segment.len());
        if let Some(lines) = segment.larger() {
            let larger = segment.resized(lines);
            self.segments_bytes = self.segments_bytes - before + larger.bytes();
            self.segments[number] = larger;
            return moved;
        }
        let depth = segment.depth();
        if depth == self.depth && !self.deepen() {
            return 0;
        }
        let segment = &self.segments[number];
        let mut halves = [Segment::new(depth + 1, LINES_OF_HALF), Segment::new(depth + 1, LINES_OF_HALF)];
        segment.hash_again(hashes, |hash, reference| {
            let half = hash >> (u64::BITS - 1 - depth) & 1;
            halves[half as usize].insert(hash, reference);
        });
        self.segments_bytes = self.segments_bytes - before + halves[0].bytes() + halves[1].bytes();
        // The segment's slots are neighbours; the upper half of them gets the new segment.
        let slots = 1 << (self.depth - depth);
        let first = slot_number(self.depth, hash) & !(slots - 1);
        self.directory[first + slots / 2..first + slots].fill(self.segments.len() as u32);
        let [lower, upper] = halves;
        self.segments[number] = lower;
        self.segments.push(upper);
        moved
    }

    /// Doubles the directory; false where that would be out of proportion to the entries.
    fn deepen(&mut self) -> bool {
        if self.depth == DEPTH_MAX || self.directory.len() * ENTRIES_PER_SLOT_MIN > self.len {
            return false;
        }
        self.directory = self.directory.iter().flat_map(|&number| [number, number]).collect();
        self.depth += 1;
        true
    }
}

/// The slot of the directory for a hash.
#[inline]
fn slot_number(depth: u32, hash: u64) -> usize {
    ((hash >> 32) >> (32 - depth)) as usize
}

/// The number of the segment for a hash.
#[inline]
fn slot(directory: &[u32], depth: u32, hash: u64) -> usize {
    directory[slot_number(depth, hash)] as usize
}

/// A number below `limit` from 32 random bits.
pub(crate) fn scale(random: u32, limit: usize) -> usize {
    ((u64::from(random) * limit as u64) >> 32) as usize
}

/// The next random number of a sequence (splitmix64, <https://prng.di.unimi.it/splitmix64.c>).
pub(crate) fn scramble(random: u64) -> u64 {
    let z = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
