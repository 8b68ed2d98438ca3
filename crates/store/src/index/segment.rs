//! A segment: the lines that share a prefix of the hash.
//!
//! An entry is in its home line, or in the next line ("spilled" there, marked as displaced), or in the
//! segment's list. The home line counts both, so that a look-up knows when to stop: nearly always after one
//! line.

use super::line::{Line, PLACES};
use super::{BATCH, Hashes};

/// Lines of a full-grown segment: 8 KiB, a thousand entries and more.
pub(super) const LINES_MAX: usize = 128;
/// Lines from which on a segment grows by as many as [`LINES_STEP`], and no longer to twice its lines.
const LINES_DOUBLED: usize = 64;
const LINES_STEP: usize = 16;
/// Lines of each half of a segment that splits.
pub(super) const LINES_OF_HALF: usize = 80;
/// Entries a line, on average, from which on a segment is full: 90 % of the places.
pub(super) const FULL: usize = 9;
/// Entries a line, on average, below which a segment gives half of its lines back.
const SPARSE: usize = 2;
/// `Line::listed` counts up to here.
const LISTED_MAX: u8 = u8::MAX;

/// An entry for which neither its line nor the next had room.
#[derive(Clone, Debug)]
struct Listed {
    reference: u32,
    tag: u16,
    home: u16,
}

/// Bits of the hash, behind those of the directory, that say where in a segment an entry belongs: its tag.
pub(super) const PLACE_BITS: u32 = 16;

/// A segment of 1 to [`LINES_MAX`] lines. They share its part of the hashes evenly, in rising order.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    lines: Box<[Line]>,
    list: Vec<Listed>,
    len: u32,
    /// Bits of the hash that the directory spends on this segment.
    depth: u8,
}

impl Segment {
    pub(super) fn new(depth: u32, lines: usize) -> Self {
        Segment { lines: vec![Line::default(); lines].into(), list: Vec::new(), len: 0, depth: depth as u8 }
    }

    /// Adds an entry, wherever there is room.
    #[inline]
    pub(super) fn insert(&mut self, hash: u64, reference: u32) {
        self.insert_at(self.tag(hash), reference);
    }

    /// Removes an entry; false if it is not here.
    pub(super) fn remove(&mut self, hash: u64, reference: u32) -> bool {
        let home = self.home(hash);
        let next = self.next(home);
        let line = &mut self.lines[home];
        if line.take(reference, false) {
            self.fill_up(home);
        } else if line.spilled > 0 && self.lines[next].take(reference, true) {
            self.lines[home].spilled -= 1;
            self.fill_up(next);
        } else {
            let listed = |listed: &Listed| listed.reference == reference && usize::from(listed.home) == home;
            let Some(place) = self.list.iter().position(listed) else { return false };
            self.take_listed(place);
        }
        self.len -= 1;
        true
    }

    /// Puts an entry in the place of another one of the same hash; false if that is not here.
    pub(super) fn replace(&mut self, hash: u64, old: u32, new: u32) -> bool {
        let home = self.home(hash);
        let next = self.next(home);
        if self.lines[home].replace(old, new, false)
            || self.lines[home].spilled > 0 && self.lines[next].replace(old, new, true)
        {
            return true;
        }
        let is_it = |listed: &&mut Listed| listed.reference == old && usize::from(listed.home) == home;
        let listed = self.list.iter_mut().find(is_it);
        listed.map(|listed| listed.reference = new).is_some()
    }

    /// All references.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        let lines = self.lines.iter().flat_map(|line| (0..PLACES).filter_map(|place| line.place(place)));
        lines.chain(self.list.iter().map(|listed| listed.reference))
    }

    /// The same entries in so many lines. None has to be hashed: its tag is its place.
    pub(super) fn resized(&self, lines: usize) -> Self {
        let mut resized = Segment::new(self.depth(), lines);
        for line in &self.lines {
            line.for_each(|tag, reference| resized.insert_at(tag, reference));
        }
        for listed in &self.list {
            resized.insert_at(listed.tag, listed.reference);
        }
        resized
    }

    /// Gives half of the lines back.
    pub(super) fn halve(&mut self) {
        *self = self.resized(self.lines.len() / 2);
    }

    pub(super) fn find(&self, hash: u64, is_it: &mut impl FnMut(u32) -> bool) -> Option<u32> {
        let tag = self.tag(hash);
        let home = self.home_of(tag);
        let line = &self.lines[home];
        if let Some(found) = line.find(tag, is_it) {
            return Some(found);
        }
        if line.spilled > 0
            && let Some(found) = self.lines[self.next(home)].find(tag, is_it)
        {
            return Some(found);
        }
        if line.listed == 0 {
            return None;
        }
        let alike = self.list.iter().filter(|listed| listed.tag == tag && usize::from(listed.home) == home);
        alike.map(|listed| listed.reference).find(|&reference| is_it(reference))
    }

    #[inline]
    pub(super) fn guess(&self, hash: u64) -> Option<u32> {
        let tag = self.tag(hash);
        self.lines[self.home_of(tag)].find(tag, &mut |_| true)
    }

    #[inline]
    pub(super) fn home_line(&self, hash: u64) -> &Line {
        &self.lines[self.home(hash)]
    }

    /// The bits after the directory's: they choose the line, and tell its entries apart.
    #[inline]
    fn tag(&self, hash: u64) -> u16 {
        ((hash << self.depth) >> (u64::BITS - PLACE_BITS)) as u16
    }

    #[inline]
    fn home_of(&self, tag: u16) -> usize {
        (usize::from(tag) * self.lines.len()) >> PLACE_BITS
    }

    /// The line where an entry of this hash belongs.
    #[inline]
    pub(super) fn home(&self, hash: u64) -> usize {
        self.home_of(self.tag(hash))
    }

    /// Where the part of the hashes ends that a line has, in [`PLACE_BITS`] bits.
    pub(super) fn end_of(&self, home: usize) -> u64 {
        (((home + 1) << PLACE_BITS).div_ceil(self.lines.len())) as u64
    }

    /// Lines of a larger segment; `None` if it has to split.
    pub(super) fn larger(&self) -> Option<usize> {
        let lines = self.lines.len();
        let larger = if lines < LINES_DOUBLED { lines * 2 } else { lines + LINES_STEP };
        (larger <= LINES_MAX).then_some(larger)
    }

    pub(super) fn visit_line(&self, home: usize, visit: &mut dyn FnMut(u32)) {
        for (_, reference) in self.entries_of(home) {
            visit(reference);
        }
    }

    /// Gives every entry with its hash.
    pub(super) fn hash_again(&self, hashes: &impl Hashes, mut give: impl FnMut(u64, u32)) {
        let mut references = Vec::with_capacity(self.len());
        for home in 0..self.lines.len() {
            references.extend(self.entries_of(home).map(|(_, reference)| reference));
        }
        for batch in references.chunks(BATCH) {
            batch.iter().for_each(|&reference| hashes.prefetch(reference));
            batch.iter().for_each(|&reference| give(hashes.hash(reference), reference));
        }
    }

    /// Places at which an entry can be, for choosing one at random.
    pub(super) fn places(&self) -> usize {
        self.lines.len() * PLACES + self.list.len()
    }

    /// What is at such a place.
    pub(super) fn place(&self, place: usize) -> Option<u32> {
        match self.lines.get(place / PLACES) {
            Some(line) => line.place(place % PLACES),
            None => Some(self.list[place - self.lines.len() * PLACES].reference),
        }
    }

    pub(super) fn depth(&self) -> u32 {
        u32::from(self.depth)
    }

    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.lines.len() * FULL
    }

    pub(super) fn is_sparse(&self) -> bool {
        self.lines.len() > 1 && self.len() < self.lines.len() * SPARSE
    }

    /// Bytes that the segment points to.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        self.lines.len() * size_of::<Line>() + self.list.capacity() * size_of::<Listed>()
    }

    /// Asserts S8 for this segment, see the crate's documentation.
    pub(super) fn check(&self, hashes: &impl Hashes, is_of_this: impl Fn(u64) -> bool) {
        let mut len = 0;
        for (home, line) in self.lines.iter().enumerate() {
            for (tag_here, reference) in self.entries_of(home) {
                let hash = hashes.hash(reference);
                assert!(is_of_this(hash), "S8: the directory leads to the segment of an entry");
                assert_eq!(
                    (self.home(hash), self.tag(hash)),
                    (home, tag_here),
                    "S8: home and tag follow the hash"
                );
                len += 1;
            }
            let spilled = self.lines[self.next(home)].iter(true).count();
            assert_eq!(usize::from(line.spilled), spilled, "S8: spilled entries of line {home}");
            let listed = self.list.iter().filter(|listed| usize::from(listed.home) == home).count();
            let is_counted = line.listed == LISTED_MAX || usize::from(line.listed) == listed;
            assert!(is_counted, "S8: listed entries of line {home}");
        }
        assert_eq!(len, self.len(), "S8: entries of a segment");
    }

    fn next(&self, home: usize) -> usize {
        if home + 1 == self.lines.len() { 0 } else { home + 1 }
    }

    #[inline]
    fn insert_at(&mut self, tag: u16, reference: u32) {
        let home = self.home_of(tag);
        self.len += 1;
        if self.lines[home].put(tag, reference, false) {
            return;
        }
        let next = self.next(home);
        if next != home && self.lines[next].put(tag, reference, true) {
            self.lines[home].spilled += 1;
            return;
        }
        let line = &mut self.lines[home];
        line.listed = line.listed.saturating_add(1);
        self.list.push(Listed { reference, tag, home: home as u16 });
    }

    /// After a place in a line became free: brings one of the line's own entries back.
    fn fill_up(&mut self, home: usize) {
        let next = self.next(home);
        if self.lines[home].spilled > 0 {
            let (tag, reference) =
                self.lines[next].take_displaced().expect("S8: a spilled entry is displaced");
            self.lines[home].spilled -= 1;
            self.lines[home].put(tag, reference, false);
        } else if self.lines[home].listed > 0
            && let Some(place) = self.list.iter().position(|listed| usize::from(listed.home) == home)
        {
            let Listed { tag, reference, .. } = self.take_listed(place);
            self.lines[home].put(tag, reference, false);
        }
    }

    fn take_listed(&mut self, place: usize) -> Listed {
        let listed = self.list.swap_remove(place);
        let line = &mut self.lines[usize::from(listed.home)];
        if line.listed < LISTED_MAX {
            line.listed -= 1;
        }
        if self.list.is_empty() {
            self.list = Vec::new();
        }
        listed
    }

    /// The entries whose home is this line, wherever they are.
    fn entries_of(&self, home: usize) -> impl Iterator<Item = (u16, u32)> {
        let line = &self.lines[home];
        let spilled = (line.spilled > 0).then(|| self.lines[self.next(home)].iter(true));
        let listed = (line.listed > 0).then(|| {
            let of_home = self.list.iter().filter(move |listed| usize::from(listed.home) == home);
            of_home.map(|listed| (listed.tag, listed.reference))
        });
        line.iter(false).chain(spilled.into_iter().flatten()).chain(listed.into_iter().flatten())
    }
}
