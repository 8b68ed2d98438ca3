//! What the process knows of work that took long: the log of slow calls and the events of latency.
//!
//! Whoever measures asks for the [`Precision`] that is wanted, which is two numbers, and brings what reaches it. Only
//! then is a lock taken; so nothing here is on the way of a call that is not slow. Here: the two collections. Elsewhere:
//! who measures (`mayfly-engine`), and `SLOWLOG` and `LATENCY` (`commands`).

mod latency;
mod slow_log;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use mayfly_store::UnixMillis;

use crate::client::ClientCard;
use crate::spec::Flags;
use crate::table::Command;
use crate::words::Words;

pub use latency::{Event, LatencyEvents, SAMPLES_MAX};
pub use slow_log::{SlowCall, SlowLog};

/// Calls that are measured together at most, where the threshold allows it: a reading of the clock takes about 25 ns,
/// so that 16 calls at a time make it less than a hundredth of what they take.
const TOGETHER_MAX: u32 = 16;

/// From this threshold on calls may be measured together: so many that are flagged fast take a hundredth of it.
const TOGETHER_NANOS_MIN: u64 = 1_000_000;

/// What is looked at, from the config.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DiagnosticsOptions {
    /// Calls that take as long are logged; `None`: none are.
    pub slow_call_nanos_min: Option<u64>,
    /// How many of the latest are kept.
    pub slow_log_entries_max: usize,
    /// What takes as long is an event; 0: nothing is.
    pub latency_millis_min: u64,
}

/// How closely calls are to be measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Precision {
    /// Calls that take as long are to be brought; `u64::MAX`: none are.
    pub slow_nanos: u64,
    /// How many calls that are fast by nature may be measured together.
    pub together_max: u32,
}

impl Precision {
    /// Nobody asks.
    pub const NONE: Precision = Precision { slow_nanos: u64::MAX, together_max: u32::MAX };

    /// Whether somebody asks.
    #[inline]
    pub fn is_wanted(self) -> bool {
        self.slow_nanos < u64::MAX
    }

    /// Whether a call is measured by itself: what may take long by its nature is always.
    #[inline]
    pub fn is_alone(self, command: &Command) -> bool {
        self.together_max == 1 || !command.spec.flags.has(Flags::FAST)
    }
}

/// A call that took long.
pub struct Measured<'a> {
    /// What was called.
    pub command: &'static Command,
    /// Its words.
    pub words: Words<'a>,
    /// How many calls took that long together, with this one.
    pub together: usize,
    /// How long, in nanoseconds.
    pub nanos: u64,
    /// When it ended.
    pub now: UnixMillis,
    /// Who called, if it is connected still.
    pub client: Option<Arc<ClientCard>>,
}

/// What is known of slow work; shared by all threads.
#[derive(Debug)]
pub struct Diagnostics {
    slow_call_nanos_min: AtomicU64,
    latency_nanos_min: AtomicU64,
    /// Slow calls since the start, whether or not they are still in the log.
    slow_calls: AtomicU64,
    slow_log: Mutex<SlowLog>,
    latency: Mutex<LatencyEvents>,
}

impl Default for Diagnostics {
    /// One that looks at nothing.
    fn default() -> Self {
        Diagnostics {
            slow_call_nanos_min: AtomicU64::new(u64::MAX),
            latency_nanos_min: AtomicU64::new(u64::MAX),
            slow_calls: AtomicU64::new(0),
            slow_log: Mutex::default(),
            latency: Mutex::default(),
        }
    }
}

static BLIND: LazyLock<Diagnostics> = LazyLock::new(Diagnostics::default);

/// That of a process which looks at nothing.
pub fn blind() -> &'static Diagnostics {
    &BLIND
}

impl Diagnostics {
    /// Has these settings hold from now on.
    pub fn set_options(&self, options: DiagnosticsOptions) {
        self.slow_call_nanos_min.store(options.slow_call_nanos_min.unwrap_or(u64::MAX), Relaxed);
        let latency = match options.latency_millis_min {
            0 => u64::MAX,
            millis => millis.saturating_mul(1_000_000),
        };
        self.latency_nanos_min.store(latency, Relaxed);
        self.slow_log().set_entries_max(options.slow_log_entries_max);
    }

    /// How closely calls are to be measured.
    #[inline]
    pub fn precision(&self) -> Precision {
        let slow_nanos = self.slow_call_nanos_min.load(Relaxed).min(self.latency_nanos_min.load(Relaxed));
        let together_max = match slow_nanos {
            u64::MAX => u32::MAX,
            nanos if nanos >= TOGETHER_NANOS_MIN => TOGETHER_MAX,
            _ => 1,
        };
        Precision { slow_nanos, together_max }
    }

    /// The least that makes an event, in milliseconds; 0: nothing does.
    pub fn latency_millis_min(&self) -> u64 {
        match self.latency_nanos_min.load(Relaxed) {
            u64::MAX => 0,
            nanos => nanos / 1_000_000,
        }
    }

    /// The least that makes a call slow, in microseconds; `None`: none is.
    pub fn slow_call_micros_min(&self) -> Option<u64> {
        Some(self.slow_call_nanos_min.load(Relaxed))
            .filter(|nanos| *nanos < u64::MAX)
            .map(|nanos| nanos / 1_000)
    }

    /// Takes a call that has reached the wanted precision's limit. `secret` are the positions of its words that nobody
    /// may read.
    pub fn called(&self, call: &Measured<'_>, secret: &[usize]) {
        let flags = call.command.spec.flags;
        let event = if flags.has(Flags::FAST) { "fast-command" } else { "command" };
        self.took(event, call.nanos, call.now);
        if call.nanos >= self.slow_call_nanos_min.load(Relaxed) && !flags.has(Flags::SKIP_SLOWLOG) {
            self.slow_calls.fetch_add(1, Relaxed);
            self.slow_log().add(SlowCall::new(call, secret));
        }
    }

    /// Takes something else that took so many nanoseconds: an event, if it is long enough.
    #[inline]
    pub fn took(&self, event: &'static str, nanos: u64, now: UnixMillis) {
        if nanos >= self.latency_nanos_min.load(Relaxed) {
            self.latency().add(event, nanos / 1_000_000, now);
        }
    }

    /// Slow calls since the start.
    pub fn slow_calls(&self) -> u64 {
        self.slow_calls.load(Relaxed)
    }

    /// The log of slow calls.
    pub fn slow_log(&self) -> MutexGuard<'_, SlowLog> {
        self.slow_log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The events of latency.
    pub fn latency(&self) -> MutexGuard<'_, LatencyEvents> {
        self.latency.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_threshold_says_how_closely_is_measured() {
        let diagnostics = Diagnostics::default();
        assert_eq!(diagnostics.precision(), Precision::NONE);
        assert!(!diagnostics.precision().is_wanted());
        for (slow_call_nanos_min, latency_millis_min, expected) in [
            (Some(10_000_000), 0, (10_000_000, TOGETHER_MAX)),
            (Some(10_000_000), 2, (2_000_000, TOGETHER_MAX)),
            (None, 3, (3_000_000, TOGETHER_MAX)),
            (Some(999_000), 100, (999_000, 1)),
            (Some(0), 0, (0, 1)),
            (None, 0, (u64::MAX, u32::MAX)),
        ] {
            let slow_log_entries_max = 1;
            diagnostics.set_options(DiagnosticsOptions {
                slow_call_nanos_min,
                slow_log_entries_max,
                latency_millis_min,
            });
            let precision = diagnostics.precision();
            assert_eq!((precision.slow_nanos, precision.together_max), expected);
            assert_eq!(diagnostics.latency_millis_min(), latency_millis_min);
            assert_eq!(diagnostics.slow_call_micros_min(), slow_call_nanos_min.map(|nanos| nanos / 1_000));
        }
    }

    #[test]
    fn only_what_takes_long_enough_is_an_event() {
        let diagnostics = Diagnostics::default();
        diagnostics.took("expire-cycle", u64::MAX - 1, UnixMillis(0));
        let slow_log_entries_max = 0;
        diagnostics.set_options(DiagnosticsOptions {
            slow_call_nanos_min: None,
            slow_log_entries_max,
            latency_millis_min: 5,
        });
        diagnostics.took("expire-cycle", 4_999_999, UnixMillis(0));
        assert_eq!(diagnostics.latency().iter().count(), 0);
        diagnostics.took("expire-cycle", 5_000_000, UnixMillis(7_000));
        let latency = diagnostics.latency();
        let (name, event) = latency.iter().next().unwrap();
        assert_eq!((name, event.latest(), event.highest_ms), ("expire-cycle", (7, 5), 5));
    }
}
