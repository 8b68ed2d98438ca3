//! Instants as the store sees them, and the one function that decides what is expired.
//!
//! Nothing here reads a clock: `now` comes in as an argument, from the one reader in the server.

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Default)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// The instant as the wheel counts it: unsigned, everything before 1970 being 1970.
    pub(crate) fn ticks(self) -> u64 {
        u64::try_from(self.0).unwrap_or(0)
    }

    /// The instant of a tick of the wheel; past the end of `i64` it is the end of `i64`.
    pub(crate) fn from_ticks(ticks: u64) -> Self {
        UnixMillis(i64::try_from(ticks).unwrap_or(i64::MAX))
    }
}

/// Whether a hash with this deadline is expired at `now`: from the deadline itself on.
///
/// Redis asks `now > deadline` and so keeps a key for one millisecond longer. With `>=` the wheel's turn at
/// exactly the deadline finds the hash expired, and `PTTL` never answers 0 for a hash that is still there.
#[inline]
pub fn is_expired(deadline: Option<UnixMillis>, now: UnixMillis) -> bool {
    deadline.is_some_and(|deadline| now >= deadline)
}
