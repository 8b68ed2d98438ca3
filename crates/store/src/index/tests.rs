//! The index alone: good hashes and bad ones, growth in bounded steps, walks that growth does not disturb.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::line::Line;
use super::segment::{FULL, LINES_MAX};
use super::{Hashes, Index, scramble};

/// Hashes by reference.
#[derive(Default)]
struct Table(Vec<u64>);

impl Hashes for Table {
    fn hash(&self, reference: u32) -> u64 {
        self.0[reference as usize]
    }
}

impl Table {
    fn good(len: u64) -> Self {
        Table((0..len).map(scramble).collect())
    }

    fn index(&self) -> Index {
        let mut index = Index::default();
        for (&hash, reference) in self.0.iter().zip(0..) {
            index.insert(hash, reference, self);
        }
        index
    }

    fn find(&self, index: &Index, reference: u32) -> Option<u32> {
        index.find(self.hash(reference), |found| found == reference)
    }
}

/// A full walk, a line a call.
fn walk(index: &Index, visit: &mut dyn FnMut(u32)) {
    let mut cursor = 0;
    loop {
        cursor = index.scan_line(cursor, visit);
        if cursor == 0 {
            return;
        }
    }
}

#[test]
fn a_line_is_a_cache_line() {
    assert_eq!((size_of::<Line>(), align_of::<Line>()), (64, 64));
}

#[test]
fn an_insert_moves_a_bounded_number_of_entries_however_many_there_are() {
    let table = Table::good(1_500_000);
    let mut index = Index::default();
    let (mut moved_max, mut moved_sum) = (0, 0);
    for (&hash, reference) in table.0.iter().zip(0..) {
        let moved = index.insert(hash, reference, &table);
        moved_max = moved_max.max(moved);
        moved_sum += moved;
    }
    assert!(moved_max <= LINES_MAX * FULL, "{moved_max} entries moved at once");
    assert!(moved_sum < 9 * table.0.len(), "{moved_sum} entries moved in all");
    assert!(index.bytes() < 10 * table.0.len(), "{} bytes", index.bytes());
    for reference in (0..1_500_000).step_by(997) {
        assert_eq!(table.find(&index, reference), Some(reference));
    }
    index.check(&table);
}

#[test]
fn a_young_index_is_small() {
    let table = Table::good(8);
    assert_eq!(Index::default().bytes(), 0);
    assert!(table.index().bytes() <= 64 + 64);
}

#[test]
fn an_emptied_index_has_given_nearly_all_memory_back() {
    let table = Table::good(300_000);
    let mut index = table.index();
    let full = index.bytes();
    for (&hash, reference) in table.0.iter().zip(0..).skip(10) {
        index.remove(hash, reference);
    }
    index.check(&table);
    assert!(index.bytes() < full / 30, "{} of {full} bytes", index.bytes());
    let mut seen = 0;
    walk(&index, &mut |_| seen += 1);
    assert_eq!(seen, 10);
    for (&hash, reference) in table.0.iter().zip(0..10) {
        index.remove(hash, reference);
    }
    assert!(index.is_oversized());
    while index.take_apart() {}
    assert!(index.bytes() < full / 30);
}

#[test]
fn hashes_that_are_all_alike_are_slow_but_right() {
    let mut table = Table(vec![0x1234_5678_9abc_def0; 3_000]);
    table.0.extend([!0, 0, 1 << 63, 0x1234_5678_0000_0000]);
    let mut index = table.index();
    index.check(&table);
    assert!(index.bytes() < 200_000, "{} bytes: the directory stays in proportion", index.bytes());
    for reference in 0..table.0.len() as u32 {
        assert_eq!(table.find(&index, reference), Some(reference));
    }
    for reference in (0..3_000).rev().step_by(2) {
        index.remove(table.hash(reference), reference);
    }
    index.check(&table);
    let mut seen = BTreeSet::new();
    walk(&index, &mut |reference| assert!(seen.insert(reference)));
    assert_eq!(seen.len(), 1_504);
}

#[test]
fn hashes_that_share_their_top_bits_do_not_blow_the_directory_up() {
    let table = Table((0..20_000).map(|n| scramble(n) >> 24).collect());
    let index = table.index();
    index.check(&table);
    assert!(index.bytes() < 40 * table.0.len(), "{} bytes", index.bytes());
}

#[test]
fn a_walk_during_growth_and_shrinking_visits_what_stays() {
    let table = Table::good(40_000);
    // References below 500 stay; the others come and go while the walk is under way.
    for lines_a_step in [1, 3, 50] {
        let mut index = Index::default();
        for reference in 0..500 {
            index.insert(table.hash(reference), reference, &table);
        }
        let (mut seen, mut cursor, mut others) = (BTreeSet::new(), 0, 500_u32..500);
        for step in 0.. {
            for _ in 0..lines_a_step {
                cursor = index.scan_line(cursor, &mut |reference| {
                    seen.insert(reference);
                });
                if cursor == 0 {
                    break;
                }
            }
            if cursor == 0 {
                break;
            }
            if step / 10 % 2 == 0 {
                let end = (others.end + 2_000).min(40_000);
                for reference in others.end..end {
                    index.insert(table.hash(reference), reference, &table);
                }
                others.end = end;
            } else {
                let start = others.end.saturating_sub(3_000).max(500);
                (start..others.end).for_each(|n| index.remove(table.hash(n), n));
                others.end = start;
            }
        }
        assert!((0..500).all(|reference| seen.contains(&reference)));
    }
}

#[test]
fn random_picks_are_close_to_uniform() {
    let table = Table::good(2_000);
    let index = table.index();
    let mut picks = vec![0; 2_000];
    for random in 0..400_000 {
        picks[index.at_random(random, &mut |_| true).unwrap() as usize] += 1;
    }
    // 200 expected each; five standard deviations are 71.
    let (least, most) = (picks.iter().min().unwrap(), picks.iter().max().unwrap());
    assert!(*least > 125 && *most < 275, "picked {least} to {most} times");
}

#[test]
fn a_single_good_entry_is_found_at_random() {
    let table = Table::good(50_000);
    let index = table.index();
    for random in 0..20 {
        assert_eq!(index.at_random(random, &mut |reference| reference == 33_333), Some(33_333));
        assert_eq!(index.at_random(random, &mut |_| false), None);
    }
    assert_eq!(Index::default().at_random(1, &mut |_| true), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// `bits` of the hash differ, from bit `shift` on: all kinds of bad hashes.
    #[test]
    fn the_index_behaves_like_a_map(
        bits in 1..64_u32,
        shift in 0..64_u32,
        operations in vec((any::<bool>(), 0..3_000_u32, 1..400_u32), 1..30),
    ) {
        let hash = |n| (scramble(n) >> (64 - bits)).rotate_left(shift);
        let table = Table((0..3_000).map(hash).collect());
        let mut index = Index::default();
        let mut model = BTreeMap::new();
        for (is_insert, first, count) in operations {
            for reference in first..(first + count).min(3_000) {
                if is_insert && model.insert(reference, ()).is_none() {
                    index.insert(table.hash(reference), reference, &table);
                } else if !is_insert && model.remove(&reference).is_some() {
                    index.remove(table.hash(reference), reference);
                }
            }
            index.check(&table);
            prop_assert_eq!(index.len(), model.len());
        }
        for reference in 0..3_000 {
            prop_assert_eq!(table.find(&index, reference).is_some(), model.contains_key(&reference));
        }
        let mut seen = BTreeSet::new();
        walk(&index, &mut |reference| assert!(seen.insert(reference)));
        prop_assert!(seen.iter().eq(model.keys()));
    }
}
