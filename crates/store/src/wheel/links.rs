//! What the wheel keeps inside every entry: 16 bytes.
//!
//! ```text
//!   63                       16 15       0    31      0   31        0
//!   ├── deadline, 48 bits ─────┼── slot ──┤   ├─ next ─┤  ├─ previous ┤
//! ```
//!
//! 48 bits of milliseconds end in the year 10889. A later deadline is written as [`FAR`], and its true value is
//! with the owner of the entry; no deadline is written as [`NEVER`].

use super::NONE;

/// A deadline that 48 bits do not hold.
pub(crate) const FAR: u64 = (1 << 48) - 2;
/// No deadline.
pub(crate) const NEVER: u64 = (1 << 48) - 1;
/// The slot of an entry that is in no list.
pub(super) const UNLINKED: u16 = u16::MAX;

/// Deadline, slot, and neighbours in the list of that slot.
#[derive(Clone, Debug)]
pub struct Links {
    deadline_and_slot: u64,
    pub(super) next: u32,
    pub(super) previous: u32,
}

impl Default for Links {
    fn default() -> Self {
        Links { deadline_and_slot: NEVER << 16 | u64::from(UNLINKED), next: NONE, previous: NONE }
    }
}

impl Links {
    /// The deadline as it is written here: [`FAR`] and [`NEVER`] are not instants.
    #[inline]
    pub(crate) fn written(&self) -> u64 {
        self.deadline_and_slot >> 16
    }

    /// Writes a deadline down; the wheel has to hear of it, too.
    #[inline]
    pub(crate) fn write(&mut self, deadline: u64) {
        assert!(deadline <= NEVER, "a written deadline has 48 bits");
        self.deadline_and_slot = deadline << 16 | u64::from(self.slot());
    }

    /// Whether the entry is in one of the wheel's lists.
    #[inline]
    pub(crate) fn is_linked(&self) -> bool {
        self.slot() != UNLINKED
    }

    /// A vacant slot of a slab keeps its link here.
    pub(crate) fn vacant(next: u32) -> Self {
        Links { next, ..Links::default() }
    }

    /// The link of [`Links::vacant`].
    pub(crate) fn next_vacant(&self) -> u32 {
        self.next
    }

    #[inline]
    pub(super) fn slot(&self) -> u16 {
        self.deadline_and_slot as u16
    }

    #[inline]
    pub(super) fn set_slot(&mut self, slot: u16) {
        self.deadline_and_slot = self.deadline_and_slot & !0xffff | u64::from(slot);
    }
}
