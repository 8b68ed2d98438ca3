//! Which calls are looked at to find hot keys: one in so many, after gaps of random length.
//!
//! A call that is not looked at costs a decrement and a branch ([`Sampling::tick`]). Gaps are random so that a client
//! that repeats a pattern of calls is not always caught at the same one of them.

use crate::hot_keys::HotKeys;
use crate::index::scramble;
use crate::key::Key;
use crate::time::UnixMillis;

/// The gap where nothing is sampled: after so many calls it is looked again whether that is still so.
const IDLE_GAP: u32 = u32::MAX;
/// The mean gap can be as long as this.
pub const SAMPLE_CALLS_MAX: u32 = 1 << 20;

/// Samples the calls of a shard, and keeps what was hot in them.
#[derive(Debug)]
pub struct Sampling {
    /// Calls until the next one that is looked at.
    left: u32,
    /// The mean of the gaps; 0 looks at none.
    mean: u32,
    random: u64,
    hot_keys: HotKeys,
}

impl Sampling {
    /// Looks at one call in `mean`, at none if that is 0.
    pub(crate) fn new(mean: u32, seed: u64) -> Self {
        let mut sampling = Sampling { left: IDLE_GAP, mean: 0, random: seed, hot_keys: HotKeys::default() };
        sampling.set_sample_calls(mean);
        sampling
    }

    /// Changes how many calls there are for one that is looked at, for calls from now on. 0 forgets what was hot.
    pub fn set_sample_calls(&mut self, mean: u32) {
        let mean = mean.min(SAMPLE_CALLS_MAX);
        if mean == self.mean {
            return;
        }
        self.mean = mean;
        self.left = self.gap();
        if mean == 0 {
            self.hot_keys = HotKeys::default();
        }
    }

    /// A call is about to run; whether it is to be looked at, with [`Sampling::note`] if it has a key.
    #[inline(always)]
    pub fn tick(&mut self) -> bool {
        self.left -= 1;
        self.left == 0
    }

    /// Begins the next gap, behind a call that was looked at.
    pub fn begin_gap(&mut self) {
        self.left = self.gap();
    }

    /// Counts a call of a key that was looked at, for all those in the gap before it.
    pub fn note(&mut self, database: u16, key: Key<'_>, now: UnixMillis) {
        if self.mean > 0 {
            self.hot_keys.cool(now);
            self.hot_keys.add(database, key, f64::from(self.mean));
        }
    }

    /// What is hot at `now`, counted in calls.
    pub fn hot_keys(&mut self, now: UnixMillis) -> &HotKeys {
        self.hot_keys.cool(now);
        &self.hot_keys
    }

    /// Calls to the next one that is looked at, uniform around the mean.
    fn gap(&mut self) -> u32 {
        if self.mean == 0 {
            return IDLE_GAP;
        }
        self.random = scramble(self.random);
        1 + (self.random % u64::from(2 * self.mean - 1)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyHasher;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    /// Runs calls of the keys that `key_of` names; how many were looked at.
    fn run(sampling: &mut Sampling, calls: usize, key_of: impl Fn(usize) -> String) -> usize {
        let hasher = KeyHasher::from_seed(1);
        let mut looked_at = 0;
        for number in 0..calls {
            if sampling.tick() {
                let name = key_of(number);
                sampling.note(0, Key::new(name.as_bytes(), &hasher), NOW);
                sampling.begin_gap();
                looked_at += 1;
            }
        }
        looked_at
    }

    #[test]
    fn one_call_in_so_many_is_looked_at() {
        for mean in [1, 2, 64, 1_000] {
            let mut sampling = Sampling::new(mean, 1);
            let looked_at = run(&mut sampling, 100_000, |_| "a".to_owned()) as f64 * f64::from(mean);
            assert!(
                (80_000.0..=120_000.0).contains(&looked_at),
                "{looked_at} of 100000 calls, one in {mean}"
            );
            let count = sampling.hot_keys(NOW).top(1)[0].count;
            assert_eq!(count, looked_at, "each stands for {mean}");
        }
    }

    #[test]
    fn a_pattern_as_long_as_the_gap_is_seen_as_it_is() {
        let mut sampling = Sampling::new(64, 1);
        run(&mut sampling, 640_000, |number| format!("key:{}", number % 64));
        let hot_keys = sampling.hot_keys(NOW);
        let highest = &hot_keys.top(1)[0];
        assert!(highest.count < hot_keys.total() / 32.0, "{highest:?} of {}", hot_keys.total());
    }

    #[test]
    fn nothing_is_looked_at_where_it_is_off_and_turning_it_off_forgets() {
        let mut sampling = Sampling::new(0, 1);
        assert_eq!(run(&mut sampling, 100_000, |_| "a".to_owned()), 0);
        sampling.set_sample_calls(1);
        assert_eq!(run(&mut sampling, 10, |_| "a".to_owned()), 10);
        sampling.set_sample_calls(0);
        assert_eq!(sampling.hot_keys(NOW).top(1), []);
        assert_eq!(run(&mut sampling, 10, |_| "a".to_owned()), 0);
    }
}
