//! When a snapshot begins by itself: the log has grown, or a `save` point is reached.

use std::time::Duration;

use mayfly_config::{PersistenceConfig, SavePoints};

/// Behind one that has failed a `save` point waits longer than this, as in Redis.
const RETRY_SECONDS: u64 = 5;

/// What has come since the last snapshot. Bytes are those of the log, instants nanoseconds of the clock.
#[derive(Debug)]
pub struct Growth {
    /// Of the log that was loaded.
    loaded: u64,
    /// What this process had written when the last snapshot was begun.
    appended_before: u64,
    /// Of the last snapshot.
    snapshot: u64,
    /// Of the log, when a snapshot failed; 0 behind one that did not.
    failed_at: u64,
    saved_nanos: u64,
    failed_nanos: Option<u64>,
}

impl Growth {
    /// Behind a log and a snapshot that were loaded.
    pub fn new(loaded: u64, snapshot: u64, now_nanos: u64) -> Self {
        Growth {
            loaded,
            appended_before: 0,
            snapshot,
            failed_at: 0,
            saved_nanos: now_nanos,
            failed_nanos: None,
        }
    }

    /// A snapshot of so many bytes is done, which was begun when so much had been written.
    pub fn saved(&mut self, appended_before: u64, snapshot: u64, now_nanos: u64) {
        *self = Growth { loaded: 0, appended_before, ..Growth::new(0, snapshot, now_nanos) };
    }

    /// A snapshot has failed, when so much was written.
    pub fn failed(&mut self, appended: u64, now_nanos: u64) {
        self.failed_at = self.log(appended);
        self.failed_nanos = Some(now_nanos);
    }

    /// Bytes of the log behind the last snapshot.
    pub fn log(&self, appended: u64) -> u64 {
        self.loaded + appended - self.appended_before
    }

    /// Bytes of the last snapshot.
    pub fn snapshot(&self) -> u64 {
        self.snapshot
    }

    /// Whether the log has grown enough. A snapshot that has failed is tried again when it is twice as long.
    pub fn is_enough(&self, appended: u64, config: &PersistenceConfig) -> bool {
        let (log, percent) = (self.log(appended), config.log_growth_percent);
        let part = u128::from(self.snapshot) * u128::from(percent) / 100;
        percent > 0 && log >= config.log_bytes_min && log >= 2 * self.failed_at && u128::from(log) >= part
    }

    /// Whether a `save` point is reached.
    pub fn is_saving_time(&self, points: &SavePoints, changes: u64, now_nanos: u64) -> bool {
        let since = |then: u64| Duration::from_nanos(now_nanos.saturating_sub(then)).as_secs();
        let may_try = self.failed_nanos.is_none_or(|failed| since(failed) > RETRY_SECONDS);
        may_try && points.is_reached(changes, since(self.saved_nanos))
    }
}

#[cfg(test)]
mod tests {
    use mayfly_config::Config;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn points() -> SavePoints {
        let mut config = Config::default();
        config.set_redis_parameters(&[(b"save", b"60 10")]).expect("it is well formed");
        config.persistence.save
    }

    #[test]
    fn a_save_point_counts_from_the_last_snapshot_and_waits_behind_one_that_failed() {
        let mut growth = Growth::new(0, 0, SECOND);
        let at =
            |growth: &Growth, changes, seconds| growth.is_saving_time(&points(), changes, seconds * SECOND);
        assert!(!at(&growth, 9, 100) && !at(&growth, 10, 61) && at(&growth, 10, 62));
        growth.failed(0, 62 * SECOND);
        assert!(!at(&growth, 10, 67) && at(&growth, 10, 68));
        growth.saved(0, 0, 68 * SECOND);
        assert!(!at(&growth, 10, 128) && at(&growth, 10, 129));
    }

    #[test]
    fn the_log_is_measured_by_the_snapshot_and_a_failure_lets_it_grow_to_twice_its_length() {
        let mut config =
            PersistenceConfig { log_growth_percent: 50, log_bytes_min: 10, ..Config::default().persistence };
        let mut growth = Growth::new(20, 100, 0);
        assert!(!growth.is_enough(29, &config) && growth.is_enough(30, &config));
        growth.failed(30, 0);
        assert!(!growth.is_enough(79, &config) && growth.is_enough(80, &config));
        growth.saved(40, 10, 0);
        assert!(!growth.is_enough(49, &config) && growth.is_enough(50, &config));
        config.log_growth_percent = 0;
        assert!(!growth.is_enough(1 << 40, &config));
    }
}
