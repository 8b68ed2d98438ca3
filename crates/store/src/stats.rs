//! What a shard counts, in plain integers that it owns; the publisher drains them on its tick.

/// Lags below this are counted to the millisecond.
const EXACT_MS: usize = 1024;
/// One bucket for every power of two from there on: 2^10 to 2^63.
const COARSE: usize = u64::BITS as usize - EXACT_MS.trailing_zeros() as usize;

/// Counters of one [`Keyspace`](crate::Keyspace), since it was made.
#[derive(Clone, Debug, Default)]
pub struct KeyspaceStats {
    /// Keys that the wheel removed at their deadline.
    pub expired_by_wheel: u64,
    /// Keys that were found past their deadline by an access, before the wheel came to them.
    pub expired_on_access: u64,
    /// Keys that were evicted for the memory they took.
    pub evicted: u64,
    /// How late the wheel removed them.
    pub expiry_lag: LagCounts,
    /// Look-ups of keys to read that found one; counted by whoever looks up.
    pub hits: u64,
    /// Look-ups of keys to read that found none, or one past its deadline; counted by whoever looks up.
    pub misses: u64,
}

/// Lags in whole ms, removal minus deadline: exact below 1,024 ms, beyond as the mean of all lags with the same
/// highest bit.
#[derive(Clone, Debug)]
pub struct LagCounts {
    exact: Box<[u64]>,
    /// The largest exact lag since the last drain, plus one.
    exact_len: usize,
    coarse: Box<[Coarse]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Coarse {
    count: u64,
    sum_ms: u128,
}

impl Default for LagCounts {
    fn default() -> Self {
        LagCounts {
            exact: vec![0; EXACT_MS].into(),
            exact_len: 0,
            coarse: vec![Coarse::default(); COARSE].into(),
        }
    }
}

impl LagCounts {
    /// Counts one removal.
    #[inline]
    pub fn count(&mut self, lag_ms: u64) {
        if lag_ms < EXACT_MS as u64 {
            self.exact[lag_ms as usize] += 1;
            self.exact_len = self.exact_len.max(lag_ms as usize + 1);
        } else {
            let bucket = &mut self.coarse[lag_ms.ilog2() as usize - EXACT_MS.trailing_zeros() as usize];
            bucket.count += 1;
            bucket.sum_ms += u128::from(lag_ms);
        }
    }

    /// Gives every lag with its count, rising, and starts again from nothing.
    pub fn drain(&mut self, record: &mut dyn FnMut(u64, u64)) {
        for (count, lag_ms) in self.exact[..self.exact_len].iter_mut().zip(0..) {
            if *count > 0 {
                record(lag_ms, std::mem::take(count));
            }
        }
        self.exact_len = 0;
        for bucket in self.coarse.iter_mut().filter(|bucket| bucket.count > 0) {
            let Coarse { count, sum_ms } = std::mem::take(bucket);
            record((sum_ms / u128::from(count)) as u64, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lags_come_out_once_with_their_counts() {
        let mut lags = LagCounts::default();
        for lag in [0, 0, 7, 1023, 1024, 1026, u64::MAX] {
            lags.count(lag);
        }
        let mut drained = Vec::new();
        lags.drain(&mut |lag, count| drained.push((lag, count)));
        assert_eq!(drained, [(0, 2), (7, 1), (1023, 1), (1025, 2), (u64::MAX, 1)]);
        lags.drain(&mut |lag, _| panic!("lag {lag} came twice"));
    }
}
