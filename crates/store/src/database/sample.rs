//! Keys at random, a few at a time: what eviction chooses from.
//!
//! A line of the index holds some eight keys that have nothing in common but the beginning of their hash, which is as
//! good as chance. So a sample is whole lines at random: each costs one look at the index.

use crate::database::Database;
use crate::entry::EntryId;
use crate::index::{CURSOR_BITS, scramble};
use crate::time::UnixMillis;

/// Lines of the index that are looked at for one sample.
const LINES_MAX: usize = 64;
/// Where fewer than one key in so many has a deadline, such keys are taken from the wheel.
const SCARCE: usize = 64;
/// Entries of a list of the wheel that are passed over at most.
const WALK_MAX: usize = 256;

impl Database {
    /// Visits about `count` keys at random that are not expired; with `with_deadline` those that have one. At least one,
    /// if there is one.
    pub(crate) fn sample(
        &self,
        mut random: u64,
        count: usize,
        with_deadline: bool,
        now: UnixMillis,
        visit: &mut dyn FnMut(EntryId),
    ) {
        let is_good = |number| {
            let deadline = self.entries.deadline(number);
            !crate::is_expired(deadline, now) && (!with_deadline || deadline.is_some())
        };
        let mut visited = 0;
        let is_scarce = with_deadline && self.deadlines < self.len() / SCARCE;
        for _ in 0..LINES_MAX {
            if is_scarce || visited >= count {
                break;
            }
            random = scramble(random);
            self.index.scan_line(random >> (u64::BITS - CURSOR_BITS), &mut |number| {
                if is_good(number) {
                    visited += 1;
                    visit(EntryId(number));
                }
            });
        }
        for _ in visited..count {
            random = scramble(random);
            let found = match with_deadline {
                true => {
                    self.wheel.somewhere(&self.entries, random, WALK_MAX).filter(|&number| is_good(number))
                }
                false => self.index.at_random(random, &mut |number| is_good(number)),
            };
            found.into_iter().for_each(|number| visit(EntryId(number)));
        }
    }
}
