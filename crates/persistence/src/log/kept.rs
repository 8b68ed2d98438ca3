//! Records that a log keeps in memory until the disk has them for certain. When they are written and dropped is in
//! `writer`.
//!
//! They lie in blocks: one buffer for all would be copied as it grows, and be up to twice as large as what is in it.

use crate::frame::{self, FRAME_HEADER_BYTES};

/// How long a block is, unless a record is longer: then it has one for itself. One block is kept for what comes next.
const BLOCK_BYTES: usize = 1 << 20;

/// Whole records, one behind the other, as they stand in a file.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// None is empty, but for one that is alone.
    blocks: Vec<Vec<u8>>,
    bytes: usize,
}

impl Kept {
    /// Bytes of all records.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes a record behind the others; see [`frame::push`].
    pub fn push(&mut self, sequence: u64, unsynced: u64, body: &[u8]) {
        let bytes = FRAME_HEADER_BYTES + body.len();
        let mut block = match self.blocks.pop() {
            Some(block) if block.len() + bytes <= block.capacity() => block,
            last => {
                self.blocks.extend(last.filter(|block| !block.is_empty()));
                Vec::with_capacity(bytes.max(BLOCK_BYTES))
            }
        };
        frame::push(&mut block, sequence, unsynced, body);
        self.blocks.push(block);
        self.bytes += bytes;
    }

    /// What comes behind so many bytes, block by block.
    pub fn behind(&self, bytes: usize) -> impl Iterator<Item = &[u8]> {
        let mut before = bytes;
        self.blocks.iter().filter_map(move |block| {
            let skipped = before.min(block.len());
            before -= skipped;
            (skipped < block.len()).then_some(&block[skipped..])
        })
    }

    /// Forgets all records, and gives back what a burst has taken.
    pub fn clear(&mut self) {
        self.blocks.truncate(1);
        self.blocks.retain_mut(|block| {
            block.clear();
            block.capacity() <= BLOCK_BYTES
        });
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(kept: &Kept) -> usize {
        kept.blocks.iter().map(Vec::capacity).sum()
    }

    #[test]
    fn a_burst_takes_hardly_more_than_its_bytes_and_leaves_one_block() {
        let mut kept = Kept::default();
        for sequence in 1..=10_000 {
            kept.push(sequence, sequence, &[7; 3_000]);
        }
        assert_eq!(kept.bytes(), 10_000 * (FRAME_HEADER_BYTES + 3_000));
        let behind = kept.bytes() + BLOCK_BYTES + 3_020 * kept.blocks.len();
        assert!(held(&kept) <= behind, "{} bytes are held, {behind} would do", held(&kept));
        kept.clear();
        assert_eq!((kept.bytes(), held(&kept)), (0, BLOCK_BYTES));
    }

    #[test]
    fn what_is_behind_any_byte_is_all_that_comes_behind_it() {
        let mut kept = Kept::default();
        let mut all = Vec::new();
        for (sequence, length) in (1..).zip([10, BLOCK_BYTES, 0, 1_000, BLOCK_BYTES - 100, 500]) {
            kept.push(sequence, 1, &vec![sequence as u8; length]);
            frame::push(&mut all, sequence, 1, &vec![sequence as u8; length]);
        }
        for bytes in (0..all.len()).step_by(997).chain([all.len() - 1, all.len()]) {
            assert!(kept.behind(bytes).all(|block| !block.is_empty()));
            assert!(kept.behind(bytes).flatten().eq(&all[bytes..]), "behind {bytes} bytes");
        }
    }

    #[test]
    fn a_long_record_leaves_nothing_behind() {
        let mut kept = Kept::default();
        kept.push(1, 1, &vec![0; 3 * BLOCK_BYTES]);
        kept.clear();
        assert_eq!((kept.bytes(), held(&kept)), (0, 0));
        kept.push(2, 1, b"short");
        assert_eq!(kept.behind(0).flatten().count(), FRAME_HEADER_BYTES + 5);
    }
}
