//! Waiting for something to become so. Nothing else in these tests sleeps.

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up. Far beyond what is expected: it bounds a hanging test and
/// says nothing about speed.
pub const fn patience() -> Duration {
    Duration::from_secs(60)
}

/// Looks until there is something to see, and returns it.
///
/// # Panics
/// Nothing was to be seen in time.
#[allow(clippy::disallowed_methods, reason = "a test waits by looking again")]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    const LOOK_EVERY: Duration = Duration::from_millis(5);
    let start = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(start.elapsed() < patience(), "waited in vain: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}
