//! Blocks of bytes under a number of 32 bits, many of one size in a chunk: what a hash holds lives here.
//!
//! ```text
//!   number = chunk · 2048 + slot                 a block starts at slot · size in its chunk
//!
//!   size  76 ─┬─ [ b b . b … ]   open: has room, linked with the other open chunks of its size
//!             └─ [ b b b b … ]   full: in no list
//!   size  80 ─── [ b b b     ]   a size's chunk grows up to 64 KiB, then there is another one
//!   large    ─── [ b ]           above 16 KiB a block has a chunk of its own, of its own length
//! ```
//!
//! A block is known by four bytes where a pointer with a length is sixteen, and sizes are closer together than
//! those of a general allocator: steps of 4 bytes up to 128, of a sixteenth to an eighth of a power of two above.
//! Vacant slots are linked through their own first two bytes. A chunk that empties goes back to the allocator.
//!
//! How much of a block is in use its owner knows. Not here: what the bytes mean.

use std::ops::Range;

use crate::prefetch::prefetch_bytes;

/// Bits of a number that name the slot of a chunk.
const SLOT_BITS: u32 = 11;
/// Slots of a chunk.
const SLOTS_MAX: usize = 1 << SLOT_BITS;
/// Bytes of a chunk.
const CHUNK_BYTES_MAX: usize = 64 << 10;
/// Bytes up to which a chunk stays although it is empty and the only one of its size.
const KEPT_BYTES_MAX: usize = 1024;
/// Chunks whose own data lies together: a list of all of them would stall when it grows.
const PAGE: usize = 1024;
/// No chunk.
const NONE: u32 = u32::MAX;
/// No slot.
const NO_SLOT: u16 = u16::MAX;

/// Blocks up to this length come in steps of [`FINE_STEP`].
const FINE_MAX: usize = 128;
const FINE_STEP: usize = 4;
/// Sizes from one power of two to the next, above that.
const STEPS: usize = 16;
/// Blocks above this length have a chunk of their own.
const SHARED_MAX: usize = 16 << 10;
/// The class of those.
const LARGE: usize = FINE_MAX / FINE_STEP + STEPS * (SHARED_MAX / FINE_MAX).trailing_zeros() as usize + 1;

/// A chunk: its slots, the first vacant one, and the neighbours in the list of open chunks of its size.
#[derive(Clone, Debug)]
struct Chunk {
    bytes: Box<[u8]>,
    /// Bytes of a slot.
    size: u32,
    class: u16,
    /// Slots that were used at least once; those behind are vacant as well.
    touched: u16,
    live: u16,
    vacant: u16,
    previous: u32,
    next: u32,
}

impl Chunk {
    /// A chunk without memory, for slots of this size.
    fn new(class: usize, size: usize) -> Self {
        Chunk {
            bytes: Box::default(),
            size: size as u32,
            class: class as u16,
            touched: 0,
            live: 0,
            vacant: NO_SLOT,
            previous: NONE,
            next: NONE,
        }
    }

    #[inline]
    fn range(&self, slot: usize) -> Range<usize> {
        let size = self.size as usize;
        slot * size..(slot + 1) * size
    }

    fn slots(&self) -> usize {
        self.bytes.len() / self.size as usize
    }

    fn is_full(&self) -> bool {
        usize::from(self.live) == slots_max(self.size as usize)
    }

    fn has_vacant(&self) -> bool {
        self.vacant != NO_SLOT || usize::from(self.touched) < self.slots()
    }

    /// The slot that `slot` names as the next vacant one.
    fn link(&self, slot: u16) -> u16 {
        let at = self.range(usize::from(slot)).start;
        u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]])
    }
}

/// The chunks of one size.
#[derive(Clone, Copy, Debug)]
struct Class {
    first_open: u32,
    chunks: u32,
}

/// Blocks under numbers below `u32::MAX`; a number is valid until its block is freed or moved.
#[derive(Debug)]
pub(crate) struct Blocks {
    pages: Vec<Vec<Chunk>>,
    classes: Vec<Class>,
    /// Chunks that are not used, linked by `next`.
    unused: u32,
    len: usize,
    /// Bytes of all chunks.
    chunks_bytes: usize,
    /// Bytes of all blocks.
    blocks_bytes: usize,
}

impl Default for Blocks {
    fn default() -> Self {
        Blocks {
            pages: Vec::new(),
            classes: Vec::new(),
            unused: NONE,
            len: 0,
            chunks_bytes: 0,
            blocks_bytes: 0,
        }
    }
}

impl Blocks {
    /// A block of at least `length` bytes, with anything in them.
    pub(crate) fn allocate(&mut self, length: usize) -> u32 {
        let (class, size) = class_of(length);
        let at = self.chunk_with_room(class, size);
        let chunk = self.chunk_mut(at);
        let slot = if chunk.vacant == NO_SLOT {
            chunk.touched += 1;
            chunk.touched - 1
        } else {
            let slot = chunk.vacant;
            chunk.vacant = chunk.link(slot);
            slot
        };
        chunk.live += 1;
        if chunk.is_full() {
            self.unlink(at);
        }
        self.len += 1;
        self.blocks_bytes += size;
        at << SLOT_BITS | u32::from(slot)
    }

    /// Frees a block.
    pub(crate) fn free(&mut self, number: u32) {
        let (at, slot) = (number >> SLOT_BITS, number as usize % SLOTS_MAX);
        let chunk = self.chunk_mut(at);
        let was_full = chunk.is_full();
        assert!(chunk.live > 0 && slot < usize::from(chunk.touched), "S9: block {number} is freed once only");
        chunk.live -= 1;
        let size = chunk.size as usize;
        let is_empty = chunk.live == 0;
        if is_empty {
            (chunk.touched, chunk.vacant) = (0, NO_SLOT);
        } else {
            let start = chunk.range(slot).start;
            chunk.bytes[start..start + 2].copy_from_slice(&chunk.vacant.to_le_bytes());
            chunk.vacant = slot as u16;
        }
        if was_full {
            self.link_first(at);
        }
        self.len -= 1;
        self.blocks_bytes -= size;
        if is_empty && self.is_dispensable(at) {
            self.release(at);
        }
        if self.len == 0 && self.bytes() > KEPT_BYTES_MAX {
            *self = Blocks::default();
        }
    }

    /// Puts `parts` in the place of `old` in a block of which `used` bytes are in use; gives the number that the
    /// block has from now on. One that grows stays where it is if it can, one that shrinks if less than an eighth
    /// of it is unused then.
    pub(crate) fn splice(&mut self, number: u32, used: usize, old: Range<usize>, parts: &[&[u8]]) -> u32 {
        let added: usize = parts.iter().map(|part| part.len()).sum();
        let length = used - old.len() + added;
        let size = self.size(number);
        let fits =
            length <= size && (length >= used || size - length <= size / 8 || class_of(length).1 == size);
        let tail = old.start + added;
        if fits {
            let block = self.block_mut(number);
            block.copy_within(old.end..used, tail);
            fill(&mut block[old.start..tail], parts);
            return number;
        }
        let moved = self.allocate(length);
        // Blocks of different sizes are in different chunks.
        let (at, slot) = (moved >> SLOT_BITS, moved as usize % SLOTS_MAX);
        let mut bytes = std::mem::take(&mut self.chunk_mut(at).bytes);
        let range = self.chunk(at).range(slot);
        let (from, to) = (self.block(number), &mut bytes[range]);
        to[..old.start].copy_from_slice(&from[..old.start]);
        fill(&mut to[old.start..tail], parts);
        to[tail..length].copy_from_slice(&from[old.end..used]);
        self.chunk_mut(at).bytes = bytes;
        self.free(number);
        moved
    }

    /// The same blocks under the same numbers: chunks are copied as they are.
    pub(crate) fn copy(&self) -> Self {
        let Blocks { ref pages, ref classes, unused, len, chunks_bytes, blocks_bytes } = *self;
        Blocks { pages: pages.clone(), classes: classes.clone(), unused, len, chunks_bytes, blocks_bytes }
    }

    /// Frees one chunk of blocks that nobody uses any more; false when only a small rest is left to drop.
    pub(crate) fn take_apart(&mut self) -> bool {
        while let Some(page) = self.pages.last_mut() {
            if let Some(chunk) = page.pop() {
                self.chunks_bytes -= chunk.bytes.len();
                self.blocks_bytes -= usize::from(chunk.live) * chunk.size as usize;
                return true;
            }
            self.pages.pop();
        }
        false
    }

    /// A block, with the bytes behind those in use.
    #[inline]
    pub(crate) fn block(&self, number: u32) -> &[u8] {
        let chunk = self.chunk(number >> SLOT_BITS);
        let size = chunk.size as usize;
        &chunk.bytes[number as usize % SLOTS_MAX * size..][..size]
    }

    /// A block to be written.
    #[inline]
    pub(crate) fn block_mut(&mut self, number: u32) -> &mut [u8] {
        let chunk = self.chunk_mut(number >> SLOT_BITS);
        let size = chunk.size as usize;
        &mut chunk.bytes[number as usize % SLOTS_MAX * size..][..size]
    }

    /// Bytes of a block.
    #[inline]
    pub(crate) fn size(&self, number: u32) -> usize {
        self.chunk(number >> SLOT_BITS).size as usize
    }

    /// Asks for the first cache lines of a block, if there is one of this number.
    #[inline]
    pub(crate) fn prefetch(&self, number: u32) {
        let at = (number >> SLOT_BITS) as usize;
        if let Some(chunk) = self.pages.get(at / PAGE).and_then(|page| page.get(at % PAGE))
            && let Some(block) = chunk.bytes.get(number as usize % SLOTS_MAX * chunk.size as usize..)
        {
            prefetch_bytes(block, chunk.size as usize);
        }
    }

    /// Blocks.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes allocated.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        let page = |page: &Vec<Chunk>| page.capacity() * size_of::<Chunk>();
        // All pages but the last are full.
        let pages = self
            .pages
            .last()
            .map_or(0, |last| (self.pages.len() - 1) * PAGE * size_of::<Chunk>() + page(last));
        self.chunks_bytes
            + pages
            + self.pages.capacity() * size_of::<Vec<Chunk>>()
            + self.classes.capacity() * size_of::<Class>()
    }

    /// Bytes of chunks that no block takes: room for the next ones.
    #[inline]
    pub(crate) fn vacant_bytes(&self) -> usize {
        self.chunks_bytes - self.blocks_bytes
    }

    /// Asserts S9: counts, bytes and both kinds of lists agree with the chunks.
    pub(crate) fn check(&self) {
        let (mut live, mut bytes, mut blocks_bytes, mut open) = (0, 0, 0, 0);
        for chunk in self.pages.iter().flatten().filter(|chunk| chunk.size > 0) {
            let (mut vacant, mut slot) = (0, chunk.vacant);
            while slot != NO_SLOT {
                (slot, vacant) = (chunk.link(slot), vacant + 1);
            }
            assert_eq!(chunk.live + vacant, chunk.touched, "S9: a slot is live or in the list");
            assert!(usize::from(chunk.touched) <= chunk.slots(), "S9: a slot is in its chunk");
            live += usize::from(chunk.live);
            bytes += chunk.bytes.len();
            blocks_bytes += usize::from(chunk.live) * chunk.size as usize;
            open += usize::from(!chunk.is_full());
        }
        assert_eq!((self.len, self.chunks_bytes), (live, bytes), "S9: counts agree");
        assert_eq!(self.blocks_bytes, blocks_bytes, "S6: bytes of all blocks");
        for (class, list) in self.classes.iter().enumerate() {
            let (mut at, mut previous) = (list.first_open, NONE);
            while at != NONE {
                let chunk = self.chunk(at);
                assert!(!chunk.is_full() && usize::from(chunk.class) == class, "S9: chunk {at} is open");
                assert_eq!(chunk.previous, previous, "S9: the open chunks are linked both ways");
                (previous, at, open) = (at, chunk.next, open - 1);
            }
        }
        assert_eq!(open, 0, "S9: every chunk with room is open");
    }

    #[inline]
    fn chunk(&self, at: u32) -> &Chunk {
        &self.pages[at as usize / PAGE][at as usize % PAGE]
    }

    #[inline]
    fn chunk_mut(&mut self, at: u32) -> &mut Chunk {
        &mut self.pages[at as usize / PAGE][at as usize % PAGE]
    }

    /// A chunk of this size in which a slot is vacant.
    #[inline]
    fn chunk_with_room(&mut self, class: usize, size: usize) -> u32 {
        if let Some(&Class { first_open, .. }) = self.classes.get(class)
            && first_open != NONE
            && self.chunk(first_open).has_vacant()
        {
            return first_open;
        }
        self.make_room(class, size)
    }

    /// Grows the open chunk of a size, or adds one.
    #[cold]
    fn make_room(&mut self, class: usize, size: usize) -> u32 {
        if self.classes.len() <= class {
            self.classes.reserve_exact(class + 1 - self.classes.len());
            self.classes.resize(class + 1, Class { first_open: NONE, chunks: 0 });
        }
        let mut at = self.classes[class].first_open;
        if at == NONE {
            at = self.add_chunk(class, size);
        }
        // Where there is much of a size, there will be more.
        let start = self.classes[class].chunks as usize * CHUNK_BYTES_MAX / 8 - CHUNK_BYTES_MAX / 8;
        let chunk = self.chunk_mut(at);
        let old = chunk.bytes.len();
        let bytes = grown(old, size, start);
        let mut larger = vec![0; bytes].into_boxed_slice();
        larger[..old].copy_from_slice(&chunk.bytes);
        chunk.bytes = larger;
        self.chunks_bytes += bytes - old;
        at
    }

    fn add_chunk(&mut self, class: usize, size: usize) -> u32 {
        let chunk = Chunk::new(class, size);
        let at = if self.unused == NONE {
            if self.pages.last().is_none_or(|page| page.len() == PAGE) {
                assert!(self.pages.len() < (NONE >> SLOT_BITS) as usize / PAGE, "a number has 32 bits");
                self.pages.push(Vec::new());
            }
            let last = self.pages.len() - 1;
            let page = &mut self.pages[last];
            page.push(chunk);
            (last * PAGE + page.len() - 1) as u32
        } else {
            let at = self.unused;
            self.unused = self.chunk(at).next;
            *self.chunk_mut(at) = chunk;
            at
        };
        self.classes[class].chunks += 1;
        self.link_first(at);
        at
    }

    /// Gives the memory of an empty chunk back.
    fn release(&mut self, at: u32) {
        self.unlink(at);
        let next = std::mem::replace(&mut self.unused, at);
        let chunk = std::mem::replace(self.chunk_mut(at), Chunk { next, ..Chunk::new(0, 0) });
        self.chunks_bytes -= chunk.bytes.len();
        self.classes[usize::from(chunk.class)].chunks -= 1;
    }

    /// Whether an empty chunk can go without coming back with the next block: another one has room, or it is
    /// the only one, which would start small again.
    fn is_dispensable(&self, at: u32) -> bool {
        let chunk = self.chunk(at);
        let class = usize::from(chunk.class);
        let is_first = self.classes[class].chunks == 1 && chunk.bytes.len() > KEPT_BYTES_MAX;
        class == LARGE || is_first || chunk.next != NONE || chunk.previous != NONE
    }

    fn link_first(&mut self, at: u32) {
        let class = usize::from(self.chunk(at).class);
        let next = std::mem::replace(&mut self.classes[class].first_open, at);
        let chunk = self.chunk_mut(at);
        (chunk.previous, chunk.next) = (NONE, next);
        if next != NONE {
            self.chunk_mut(next).previous = at;
        }
    }

    fn unlink(&mut self, at: u32) {
        let chunk = self.chunk_mut(at);
        let (class, previous, next) = (usize::from(chunk.class), chunk.previous, chunk.next);
        (chunk.previous, chunk.next) = (NONE, NONE);
        match previous {
            NONE => self.classes[class].first_open = next,
            _ => self.chunk_mut(previous).next = next,
        }
        if next != NONE {
            self.chunk_mut(next).previous = previous;
        }
    }
}

/// Writes `parts` one after the other; together they are as long as `place`.
pub(crate) fn fill(place: &mut [u8], parts: &[&[u8]]) {
    let mut at = 0;
    for part in parts {
        place[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
}

/// The class of blocks of this length, and their size.
#[inline]
fn class_of(length: usize) -> (usize, usize) {
    if length <= FINE_MAX {
        let class = length.div_ceil(FINE_STEP).max(1);
        return (class, class * FINE_STEP);
    }
    if length > SHARED_MAX {
        return (LARGE, length);
    }
    let power = (length - 1).ilog2();
    let step = (1 << power) / STEPS;
    let size = length.next_multiple_of(step);
    let octave = (power - FINE_MAX.trailing_zeros()) as usize;
    (FINE_MAX / FINE_STEP + octave * STEPS + (size - (1 << power)) / step, size)
}

/// Slots of a full-grown chunk.
#[inline]
fn slots_max(size: usize) -> usize {
    if size > SHARED_MAX { 1 } else { (CHUNK_BYTES_MAX / size).min(SLOTS_MAX) }
}

/// Bytes of a chunk that is to have at least one more slot, and `start` bytes. What is asked of the allocator
/// fills one of its own sizes, of which there are four from one power of two to the next.
fn grown(bytes: usize, size: usize, start: usize) -> usize {
    let wanted = (bytes + size).max(start);
    let step = ((wanted - 1).next_power_of_two() / 8).max(16);
    let slots = (wanted.next_multiple_of(step) / size).min(slots_max(size)).max(bytes / size + 1);
    slots * size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_rise_with_their_classes_and_waste_little() {
        let mut last = (0, 0);
        for length in 0..=SHARED_MAX {
            let (class, size) = class_of(length);
            assert!(
                size >= length.max(2) && size - length <= (length / 16).max(FINE_STEP),
                "{length}: {size}"
            );
            assert!((class, size) == last || (class == last.0 + 1 && size > last.1), "{length}");
            last = (class, size);
        }
        assert_eq!(last, (LARGE - 1, SHARED_MAX));
        assert_eq!(class_of(SHARED_MAX + 1), (LARGE, SHARED_MAX + 1));
    }

    #[test]
    fn blocks_keep_their_bytes_while_others_come_and_go() {
        let mut blocks = Blocks::default();
        let length = |n: usize| 2 + n * 37 % 400 + if n.is_multiple_of(97) { 20_000 } else { 0 };
        let mut kept: Vec<(u32, usize)> = Vec::new();
        for n in 0..5_000 {
            let number = blocks.allocate(length(n));
            blocks.block_mut(number)[..length(n)].fill(n as u8);
            kept.push((number, n));
            if n % 3 == 2 {
                let (number, _) = kept.swap_remove(n * 7 % kept.len());
                blocks.free(number);
            }
        }
        blocks.check();
        assert_eq!(blocks.len(), kept.len());
        for &(number, n) in &kept {
            assert!(blocks.block(number)[..length(n)].iter().all(|&byte| byte == n as u8));
        }
        for (number, _) in kept {
            blocks.free(number);
            blocks.prefetch(number);
        }
        blocks.check();
        assert_eq!((blocks.len(), blocks.chunks_bytes), (0, 0));
    }

    #[test]
    fn a_spliced_block_has_what_was_around_the_splice() {
        let mut blocks = Blocks::default();
        for (old, part) in [(2..2, "inserted"), (0..6, ""), (1..5, "longer than all of it was"), (3..4, "x")]
        {
            let number = blocks.allocate(6);
            blocks.block_mut(number)[..6].copy_from_slice(b"abcdef");
            let mut expected = b"abcdef".to_vec();
            expected.splice(old.clone(), part.bytes());
            let number = blocks.splice(number, 6, old, &[part.as_bytes()]);
            assert_eq!(&blocks.block(number)[..expected.len()], expected);
            blocks.check();
        }
    }

    #[test]
    fn emptied_chunks_are_given_back_and_used_again() {
        let mut blocks = Blocks::default();
        let numbers: Vec<u32> = (0..50_000).map(|_| blocks.allocate(80)).collect();
        let full = blocks.chunks_bytes;
        assert!(full < 50_000 * 80 * 102 / 100, "{full}");
        for &number in &numbers[2_000..] {
            blocks.free(number);
        }
        blocks.check();
        assert!(blocks.chunks_bytes < full / 10, "{} of {full} bytes kept", blocks.chunks_bytes);
        for _ in 0..48_000 {
            blocks.allocate(80);
        }
        blocks.check();
        assert!(blocks.chunks_bytes <= full + CHUNK_BYTES_MAX);
        assert!(blocks.take_apart());
        while blocks.take_apart() {}
        assert_eq!(blocks.chunks_bytes, 0);
    }
}
