//! Which tables of a database are large, without a walk over all of them.
//!
//! Tables of 16 KiB and more are kept in the order of their sizes, to the power of two: a table moves in it only when
//! it has doubled or halved, so that a field that is set costs a comparison. At most 16 bytes for 16 KiB.

use std::collections::BTreeSet;

/// Bytes from which a table is large.
pub const LARGE_BYTES_MIN: usize = 16 << 10;
/// Bytes that an item of the tree takes, about: 8 of its own in nodes two thirds full, and its part of the inner ones.
const ITEM_BYTES: usize = 16;

/// The numbers of the large tables, by size. A tree, because it never moves all of its content at once.
#[derive(Debug, Default)]
pub(crate) struct LargeTables(BTreeSet<(u8, u32)>);

impl LargeTables {
    /// A table has another size; 0 before it was there, and after it is gone.
    #[inline]
    pub(crate) fn changed(&mut self, number: u32, before: usize, after: usize) {
        let (before, after) = (class(before), class(after));
        if before != after {
            self.moved(number, before, after);
        }
    }

    #[inline(never)]
    fn moved(&mut self, number: u32, before: u8, after: u8) {
        if before > 0 {
            let was_there = self.0.remove(&(before, number));
            assert!(was_there, "S10: table {number} was large, and is known to be");
        }
        if after > 0 {
            self.0.insert((after, number));
        }
    }

    /// Classes and numbers, the largest first; those of one class in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u8, u32)> {
        self.0.iter().rev().copied()
    }

    /// Bytes allocated.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        self.0.len() * ITEM_BYTES
    }

    /// Forgets one, for who frees all; false if there is none.
    pub(crate) fn take_apart(&mut self) -> bool {
        self.0.pop_first().is_some()
    }

    /// Asserts S10: it knows the large ones of these tables, and no others.
    pub(crate) fn check(&self, tables: impl Iterator<Item = (u32, usize)>) {
        let large = tables.map(|(number, bytes)| (class(bytes), number)).filter(|(class, _)| *class > 0);
        let large: BTreeSet<_> = large.collect();
        assert_eq!(self.0, large, "S10: the large tables are known by their sizes");
    }
}

/// The power of two of a size; 0 of one that is not large.
#[inline]
fn class(bytes: usize) -> u8 {
    if bytes < LARGE_BYTES_MIN { 0 } else { bytes.ilog2() as u8 }
}
