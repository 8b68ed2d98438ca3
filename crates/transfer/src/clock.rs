//! The one place here that reads a clock: whether a key is past its deadline, and when to log progress.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
#[allow(clippy::disallowed_methods, reason = "this file is the one that reads a clock")]
pub(crate) fn unix_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// For measuring what has passed.
#[allow(clippy::disallowed_methods, reason = "this file is the one that reads a clock")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}
