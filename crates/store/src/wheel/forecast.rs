//! Samples of what comes due, for who wants to know before the time has come.

use super::{DUE, NONE, Timers, Wheel};

impl Wheel {
    /// Visits entries of every list that comes due until then, at most `steps_max` in all but at least one of each
    /// list: their number, their deadline, and how many entries of the list each of them stands for. A list that is
    /// not longer than its part of the steps is visited as a whole. The deadline of an entry whose time has moved
    /// since it was linked may lie behind `until`.
    ///
    /// The lists are sampled from their heads, where the entries are that were linked last.
    pub fn sample(
        &self,
        timers: &impl Timers,
        until: u64,
        steps_max: usize,
        visit: &mut dyn FnMut(u32, u64, f64),
    ) {
        if self.len == 0 {
            return;
        }
        let comes_due = |slot: u16| self.len_of(slot) > 0 && (slot == DUE || self.start(slot) <= until);
        let slots: Vec<u16> = (0..=DUE).filter(|&slot| comes_due(slot)).collect();
        let mut steps = steps_max;
        for (index, &slot) in slots.iter().enumerate() {
            // What short lists leave is for the longer ones behind them.
            let part = (steps / (slots.len() - index)).max(1);
            let visited = self.len_of(slot).min(part);
            let weight = self.len_of(slot) as f64 / visited as f64;
            let mut number = self.slots[usize::from(slot)].head;
            for _ in 0..visited {
                debug_assert_ne!(number, NONE, "S3: a list is as long as its slot says");
                let links = timers.links(number);
                if links.next != NONE {
                    timers.prefetch(links.next);
                }
                visit(number, timers.deadline(number, links), weight);
                number = links.next;
            }
            steps = steps.saturating_sub(visited);
        }
    }
}
