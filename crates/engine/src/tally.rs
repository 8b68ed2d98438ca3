//! How often values of each size occurred: the counting side of a histogram.

use crate::counters::Counter;

/// Counts and sums of values by powers of two: bucket i holds those in `(2^(i-1), 2^i]`, bucket 0 holds 0 and 1.
///
/// One thread writes, any may take a [`TallySnapshot`]. With the sum kept beside the count, the mean of every
/// bucket and the sum of all values are exact.
#[derive(Debug)]
pub struct Tally {
    buckets: [Bucket; BUCKETS],
}

impl Default for Tally {
    fn default() -> Self {
        Tally { buckets: std::array::from_fn(|_| Bucket::default()) }
    }
}

#[derive(Debug, Default)]
struct Bucket {
    count: Counter,
    sum: Counter,
}

/// Values above 2^39 count in the last bucket: nine minutes in nanoseconds.
const BUCKETS: usize = 40;

/// The bucket that counts a value.
#[inline]
fn bucket_of(value: u64) -> usize {
    let above = value.saturating_sub(1).min(1 << (BUCKETS - 2));
    (above << 1 | 1).ilog2() as usize
}

impl Tally {
    /// Counts one value.
    #[inline]
    pub fn record(&self, value: u64) {
        self.record_many(value, 1);
    }

    /// Counts `count` values (at least one) that add up to `sum`, as that many times their mean.
    #[inline]
    pub fn record_many(&self, sum: u64, count: u64) {
        // A division takes longer than all the rest; mostly there is one value.
        let mean = if count > 1 { sum / count } else { sum };
        let bucket = &self.buckets[bucket_of(mean)];
        bucket.count.add(count);
        bucket.sum.add(sum);
    }

    /// Sum of all values.
    pub fn sum(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.sum.get()).sum()
    }

    /// What was counted so far.
    pub fn snapshot(&self) -> TallySnapshot {
        TallySnapshot(std::array::from_fn(|index| {
            let bucket = &self.buckets[index];
            (bucket.count.get(), bucket.sum.get())
        }))
    }
}

/// What a [`Tally`] had counted at one moment.
#[derive(Clone, Copy, Debug)]
pub struct TallySnapshot([(u64, u64); BUCKETS]);

impl Default for TallySnapshot {
    fn default() -> Self {
        TallySnapshot([(0, 0); BUCKETS])
    }
}

impl TallySnapshot {
    /// Number and sum of the values of every bucket, ascending.
    pub fn buckets(&self) -> &[(u64, u64)] {
        &self.0
    }

    /// What came since `earlier`: the mean and the number of the values of every bucket that got some.
    pub fn since(&self, earlier: &TallySnapshot) -> impl Iterator<Item = (f64, u64)> {
        self.0.iter().zip(earlier.0).filter_map(|(now, then)| {
            let (count, sum) = (now.0.saturating_sub(then.0), now.1.saturating_sub(then.1));
            (count > 0).then(|| (sum as f64 / count as f64, count))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fall_into_the_smallest_power_of_two_that_holds_them() {
        let tally = Tally::default();
        for value in [0, 1, 2, 3, 4, 5, 1024, 1025] {
            tally.record(value);
        }
        let first = tally.snapshot();
        let seen: Vec<_> = first.since(&TallySnapshot::default()).collect();
        assert_eq!(seen, [(0.5, 2), (2.0, 1), (3.5, 2), (5.0, 1), (1024.0, 1), (1025.0, 1)]);
        tally.record_many(1 << 50, 1);
        tally.record_many(1 << 63, 1);
        tally.record_many(70, 10);
        tally.record_many(1 << 38, 1);
        tally.record_many((1 << 38) + 1, 1);
        let counted: Vec<_> = tally.snapshot().since(&first).collect();
        assert_eq!(counted[..2], [(7.0, 10), ((1u64 << 38) as f64, 1)]);
        assert_eq!((counted.len(), counted[2].1), (3, 3));
    }
}
