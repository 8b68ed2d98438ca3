//! Slots for values under a stable number, in chunks: growth moves nothing, and an emptied chunk is given back.
//!
//! ```text
//!   number = chunk · 1024 + slot
//!   chunks ─┬─ [ v v . v . … ]   open: has vacant slots, linked with the other open chunks
//!           ├─ [ v v v v v … ]   full: in no list
//!           └─ released          no memory; open, but at the end of the list
//! ```
//!
//! Vacant slots are linked through the slots themselves ([`Slot`]); each chunk has its own list, so that a chunk
//! can leave without anybody searching for its slots. Knows nothing of hashes and time.

/// Slots of a chunk. 1,024 of 16 bytes are 16 KiB.
const CHUNK: usize = 1024;
/// No slot, no chunk.
const NONE: u32 = u32::MAX;

/// What can be kept in a slab: a value that can also be a vacant slot, with a link in it.
pub(crate) trait Slot {
    /// A vacant slot that points to the next one of its chunk.
    fn vacant(next: u32) -> Self;
    /// The link of a vacant slot, `None` in a slot that holds a value.
    fn next_vacant(&self) -> Option<u32>;
}

/// A chunk: its slots, the first vacant one, and the neighbours in the list of open chunks.
#[derive(Debug)]
struct Chunk<T> {
    slots: Vec<T>,
    vacant: u32,
    live: u32,
    previous: u32,
    next: u32,
}

impl<T> Chunk<T> {
    fn is_full(&self) -> bool {
        self.live as usize == CHUNK
    }
}

/// Values under numbers. Fewer than 2³² values; a number is valid until its value is removed.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Chunk<T>>,
    first_open: u32,
    last_open: u32,
    len: usize,
    capacity: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { chunks: Vec::new(), first_open: NONE, last_open: NONE, len: 0, capacity: 0 }
    }
}

impl<T: Slot> Slab<T> {
    /// Keeps `value` and gives its number.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        if self.first_open == NONE {
            self.add_chunk();
        }
        let number = self.first_open;
        let chunk = &mut self.chunks[number as usize];
        let slot = if chunk.vacant == NONE {
            let capacity = chunk.slots.capacity();
            if capacity == 0 && number > 0 {
                chunk.slots.reserve_exact(CHUNK);
            }
            chunk.slots.push(value);
            self.capacity += chunk.slots.capacity() - capacity;
            chunk.slots.len() - 1
        } else {
            let slot = chunk.vacant as usize;
            chunk.vacant = chunk.slots[slot].next_vacant().expect("S9: a slot in the vacant list is vacant");
            chunk.slots[slot] = value;
            slot
        };
        chunk.live += 1;
        self.len += 1;
        if chunk.is_full() {
            self.unlink(number);
        }
        number * CHUNK as u32 + slot as u32
    }

    /// Takes the value of this number out.
    pub(crate) fn remove(&mut self, number: u32) -> T {
        let (at, slot) = (number / CHUNK as u32, number as usize % CHUNK);
        let chunk = &mut self.chunks[at as usize];
        assert!(chunk.slots[slot].next_vacant().is_none(), "S9: slot {number} is removed once only");
        let was_full = chunk.is_full();
        let value = std::mem::replace(&mut chunk.slots[slot], T::vacant(chunk.vacant));
        chunk.vacant = slot as u32;
        chunk.live -= 1;
        let is_empty = chunk.live == 0;
        self.len -= 1;
        if was_full {
            self.link_first(at);
        }
        if self.len == 0 && self.capacity > CHUNK / 16 {
            *self = Slab::default();
        } else if is_empty && self.another_chunk_has_room(at) {
            self.release(at);
        }
        value
    }

    /// Takes slots away from the end, one a call, `None` when nothing is left: to free a slab in pieces. A slab
    /// that is taken apart must not be used for anything else.
    pub(crate) fn take_apart(&mut self) -> Option<T> {
        loop {
            let chunk = self.chunks.last_mut()?;
            if let Some(slot) = chunk.slots.pop() {
                return Some(slot);
            }
            self.capacity -= chunk.slots.capacity();
            self.chunks.pop();
        }
    }

    /// All values with their numbers, in the order of the numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.chunks.iter().zip(0_u32..).flat_map(|(chunk, at)| {
            let slots = chunk.slots.iter().zip(at * CHUNK as u32..);
            slots.filter(|(slot, _)| slot.next_vacant().is_none()).map(|(slot, number)| (number, slot))
        })
    }

    /// Values kept.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes allocated, without what the values point to.
    pub(crate) fn bytes(&self) -> usize {
        self.chunks.capacity() * size_of::<Chunk<T>>() + self.capacity * size_of::<T>()
    }

    /// Asserts S9: counts, capacities and both kinds of lists agree with the slots.
    pub(crate) fn check(&self) {
        let mut open = 0;
        let (mut at, mut previous) = (self.first_open, NONE);
        while at != NONE {
            let chunk = &self.chunks[at as usize];
            assert!(!chunk.is_full(), "S9: chunk {at} is open and full");
            assert_eq!(chunk.previous, previous, "S9: the open chunks are linked both ways");
            (previous, at, open) = (at, chunk.next, open + 1);
        }
        assert_eq!(self.last_open, previous, "S9: the last open chunk is known");
        let not_full = self.chunks.iter().filter(|chunk| !chunk.is_full()).count();
        assert_eq!(open, not_full, "S9: every chunk with room is open");
        for chunk in &self.chunks {
            let (mut vacant, mut slot) = (0, chunk.vacant);
            while slot != NONE {
                slot = chunk.slots[slot as usize].next_vacant().expect("S9: vacant slots only in the list");
                vacant += 1;
            }
            assert_eq!(chunk.live as usize + vacant, chunk.slots.len(), "S9: a slot is live or in the list");
        }
        let live: usize = self.chunks.iter().map(|chunk| chunk.live as usize).sum();
        let capacity: usize = self.chunks.iter().map(|chunk| chunk.slots.capacity()).sum();
        assert_eq!((self.len, self.capacity), (live, capacity), "S9: counts agree");
    }

    fn add_chunk(&mut self) {
        assert!(self.chunks.len() < NONE as usize / CHUNK, "a slab holds fewer than 2^32 values");
        if self.chunks.is_empty() {
            self.chunks.reserve_exact(1);
        }
        let number = self.chunks.len() as u32;
        self.chunks.push(Chunk { slots: Vec::new(), vacant: NONE, live: 0, previous: NONE, next: NONE });
        self.link_first(number);
    }

    /// Whether a chunk other than the open chunk `at` has room without allocating.
    fn another_chunk_has_room(&self, at: u32) -> bool {
        let other = if self.first_open == at { self.chunks[at as usize].next } else { self.first_open };
        self.chunks.get(other as usize).is_some_and(|chunk| chunk.slots.capacity() > 0)
    }

    /// Gives the memory of an empty chunk back and makes it the last one to be used again.
    fn release(&mut self, at: u32) {
        let chunk = &mut self.chunks[at as usize];
        self.capacity -= chunk.slots.capacity();
        (chunk.slots, chunk.vacant) = (Vec::new(), NONE);
        self.unlink(at);
        self.link_last(at);
    }

    fn link_first(&mut self, at: u32) {
        let next = std::mem::replace(&mut self.first_open, at);
        let chunk = &mut self.chunks[at as usize];
        (chunk.previous, chunk.next) = (NONE, next);
        match self.chunks.get_mut(next as usize) {
            Some(next) => next.previous = at,
            None => self.last_open = at,
        }
    }

    fn link_last(&mut self, at: u32) {
        let previous = std::mem::replace(&mut self.last_open, at);
        let chunk = &mut self.chunks[at as usize];
        (chunk.previous, chunk.next) = (previous, NONE);
        match self.chunks.get_mut(previous as usize) {
            Some(previous) => previous.next = at,
            None => self.first_open = at,
        }
    }

    fn unlink(&mut self, at: u32) {
        let Chunk { previous, next, .. } = self.chunks[at as usize];
        match self.chunks.get_mut(previous as usize) {
            Some(previous) => previous.next = next,
            None => self.first_open = next,
        }
        match self.chunks.get_mut(next as usize) {
            Some(next) => next.previous = previous,
            None => self.last_open = previous,
        }
    }
}

impl<T: Slot> std::ops::Index<u32> for Slab<T> {
    type Output = T;

    #[inline]
    fn index(&self, number: u32) -> &T {
        let slot = &self.chunks[number as usize / CHUNK].slots[number as usize % CHUNK];
        debug_assert!(slot.next_vacant().is_none(), "S9: slot {number} holds a value");
        slot
    }
}

impl<T: Slot> std::ops::IndexMut<u32> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, number: u32) -> &mut T {
        let slot = &mut self.chunks[number as usize / CHUNK].slots[number as usize % CHUNK];
        debug_assert!(slot.next_vacant().is_none(), "S9: slot {number} holds a value");
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    enum Number {
        Value(u64),
        Vacant(u32),
    }

    impl Slot for Number {
        fn vacant(next: u32) -> Self {
            Number::Vacant(next)
        }
        fn next_vacant(&self) -> Option<u32> {
            match self {
                Number::Value(_) => None,
                Number::Vacant(next) => Some(*next),
            }
        }
    }

    #[test]
    fn numbers_stay_valid_while_the_slab_grows_and_shrinks() {
        let mut slab = Slab::default();
        let numbers: Vec<u32> = (0..10_000).map(|value| slab.insert(Number::Value(value))).collect();
        slab.check();
        for value in (0..10_000).filter(|value| value % 3 != 0) {
            assert_eq!(slab.remove(numbers[value as usize]), Number::Value(value));
        }
        slab.check();
        for value in (0..10_000).filter(|value| value % 3 == 0) {
            assert_eq!(slab[numbers[value as usize]], Number::Value(value));
        }
    }

    #[test]
    fn emptied_chunks_are_given_back_and_used_again() {
        let mut slab = Slab::default();
        let numbers: Vec<u32> = (0..50_000).map(|value| slab.insert(Number::Value(value))).collect();
        let full = slab.bytes();
        for &number in &numbers[2_000..] {
            slab.remove(number);
        }
        slab.check();
        assert!(slab.bytes() < full / 10, "{} of {full} bytes kept", slab.bytes());
        for value in 0..48_000 {
            slab.insert(Number::Value(value));
        }
        slab.check();
        assert_eq!(slab.bytes(), full);
    }

    #[test]
    fn an_empty_slab_holds_next_to_nothing() {
        let mut slab = Slab::default();
        let numbers: Vec<u32> = (0..5_000).map(|value| slab.insert(Number::Value(value))).collect();
        for number in numbers {
            slab.remove(number);
        }
        slab.check();
        assert_eq!((slab.len(), slab.bytes()), (0, 0));
    }
}
