//! The one place that reads a clock.
//!
//! Deadlines are wall-clock milliseconds, because clients state them so (`EXPIREAT`) and because they must mean
//! the same after a restart. The wall clock may be set back; this one never goes backwards: while the system's
//! clock is behind what was already seen, time stands still. Durations come from a monotonic clock.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mayfly_store::UnixMillis;

/// The clock of the process; shared by all threads.
#[derive(Debug)]
pub struct Clock {
    start: Instant,
    /// The latest millisecond that was seen. All threads share it, so it is written once a millisecond at most.
    latest_millis: AtomicI64,
}

impl Clock {
    /// A clock that starts now.
    #[allow(clippy::disallowed_methods, reason = "the one place that reads a clock")]
    pub fn start() -> Self {
        Clock { start: Instant::now(), latest_millis: AtomicI64::new(0) }
    }

    /// Unix microseconds; their milliseconds are never less than before.
    #[allow(clippy::disallowed_methods, reason = "the one place that reads a clock")]
    pub fn now_micros(&self) -> i64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let now = i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX);
        let (millis, latest) = (now / 1_000, self.latest_millis.load(Relaxed));
        if millis < latest {
            return latest * 1_000;
        }
        if millis > latest {
            // Two threads may read at the same time; the later reading stays.
            self.latest_millis.fetch_max(millis, Relaxed);
        }
        now
    }

    /// Unix milliseconds, never less than before.
    pub fn now(&self) -> UnixMillis {
        UnixMillis(self.now_micros() / 1_000)
    }

    /// Nanoseconds since the start, monotonic.
    pub fn nanos(&self) -> u64 {
        u64::try_from(self.uptime().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Time since the start, monotonic.
    #[allow(clippy::disallowed_methods, reason = "the one place that reads a clock")]
    pub fn uptime(&self) -> Duration {
        Instant::now().duration_since(self.start)
    }

    /// How long until `deadline`; zero where it is past.
    pub fn until(&self, deadline: UnixMillis) -> Duration {
        let micros = deadline.0.saturating_mul(1_000).saturating_sub(self.now_micros());
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stands_still_rather_than_go_back() {
        let clock = Clock::start();
        let now = clock.now_micros();
        let ahead = now + 3_600_000_000;
        clock.latest_millis.store(ahead / 1_000, Relaxed);
        assert_eq!(clock.now(), UnixMillis(ahead / 1_000));
        assert_eq!(clock.until(UnixMillis(ahead / 1_000 - 1)), Duration::ZERO);
        assert!(clock.until(UnixMillis(i64::MAX)) > Duration::from_secs(1 << 40));
    }
}
