//! What the wheel keeps inside every entry: 16 bytes.
//!
//! ```text
//!   63                       16 15    9 8    0    31      0   31        0
//!   ├── deadline, 48 bits ─────┼ spare ┼ slot ┤   ├─ next ─┤  ├─ previous ┤
//! ```
//!
//! 48 bits of milliseconds end in the year 10889. A later deadline is written as [`FAR`], and its true value is
//! with the owner of the entry; no deadline is written as [`NEVER`]. The spare bits are the owner's.

use super::NONE;

/// A deadline that 48 bits do not hold.
pub(crate) const FAR: u64 = (1 << 48) - 2;
/// No deadline.
pub(crate) const NEVER: u64 = (1 << 48) - 1;
/// Bits of a slot.
const SLOT_BITS: u32 = 9;
/// The slot of an entry that is in no list.
pub(super) const UNLINKED: u16 = (1 << SLOT_BITS) - 1;
/// Bits below the deadline.
const LOW_BITS: u32 = 16;
/// Bytes of written links.
pub(crate) const LINKS_BYTES: usize = 16;

/// Deadline, slot, and neighbours in the list of that slot.
#[derive(Clone, Copy, Debug)]
pub struct Links {
    deadline_and_slot: u64,
    pub(super) next: u32,
    pub(super) previous: u32,
}

impl Default for Links {
    fn default() -> Self {
        Links { deadline_and_slot: NEVER << LOW_BITS | u64::from(UNLINKED), next: NONE, previous: NONE }
    }
}

impl Links {
    /// The links that [`Links::write`] wrote.
    #[inline]
    pub(crate) fn read(bytes: &[u8; LINKS_BYTES]) -> Self {
        let word = u128::from_le_bytes(*bytes);
        Links { deadline_and_slot: word as u64, next: (word >> 64) as u32, previous: (word >> 96) as u32 }
    }

    /// Writes the links down.
    #[inline]
    pub(crate) fn write(self, bytes: &mut [u8; LINKS_BYTES]) {
        let word = u128::from(self.previous) << 96
            | u128::from(self.next) << 64
            | u128::from(self.deadline_and_slot);
        *bytes = word.to_le_bytes();
    }

    /// The deadline as it is kept here: [`FAR`] and [`NEVER`] are not instants.
    #[inline]
    pub(crate) fn deadline(self) -> u64 {
        self.deadline_and_slot >> LOW_BITS
    }

    /// Keeps a deadline; the wheel has to hear of it, too.
    #[inline]
    pub(crate) fn set_deadline(&mut self, deadline: u64) {
        assert!(deadline <= NEVER, "a written deadline has 48 bits");
        let low = self.deadline_and_slot & ((1 << LOW_BITS) - 1);
        self.deadline_and_slot = deadline << LOW_BITS | low;
    }

    /// Whether the entry is in one of the wheel's lists.
    #[inline]
    pub(crate) fn is_linked(self) -> bool {
        self.slot() != UNLINKED
    }

    /// The bits that the wheel leaves to the owner.
    #[inline]
    pub(crate) fn spare(self) -> u8 {
        (self.deadline_and_slot as u16 >> SLOT_BITS) as u8
    }

    /// Keeps the owner's bits, seven of them.
    #[inline]
    pub(crate) fn set_spare(&mut self, spare: u8) {
        debug_assert!(spare < 1 << (LOW_BITS - SLOT_BITS), "seven bits are spare");
        let others = self.deadline_and_slot & !(0x7f << SLOT_BITS);
        self.deadline_and_slot = others | u64::from(spare) << SLOT_BITS;
    }

    /// The same links, in no list.
    #[inline]
    pub(super) fn unlinked(mut self) -> Self {
        self.set_slot(UNLINKED);
        self
    }

    #[inline]
    pub(super) fn slot(self) -> u16 {
        self.deadline_and_slot as u16 & UNLINKED
    }

    #[inline]
    pub(super) fn set_slot(&mut self, slot: u16) {
        self.deadline_and_slot = self.deadline_and_slot & !u64::from(UNLINKED) | u64::from(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_kept_beside_the_others() {
        let mut links = Links { next: 7, previous: u32::MAX - 1, ..Links::default() };
        links.set_spare(0x55);
        links.set_slot(448);
        links.set_deadline(FAR);
        let mut bytes = [0; LINKS_BYTES];
        links.write(&mut bytes);
        let read = Links::read(&bytes);
        assert_eq!((read.deadline(), read.spare(), read.slot()), (FAR, 0x55, 448));
        assert_eq!((read.next, read.previous), (7, u32::MAX - 1));
        assert!(read.is_linked() && !Links::default().is_linked());
    }
}
