//! When a hash was last used, or how often: 24 bits of its entry, written as Redis writes them.
//!
//! ```text
//!   recency     23 ────────── seconds, modulo 2^24 (194 days) ────────── 0
//!   frequency   23 ── minutes, modulo 2^16 ── 8   7 ── logarithmic counter ── 0
//! ```
//!
//! One word serves both, by the policy that holds when it is written; after a change of policy a word reads as
//! nonsense until the hash is used again. The counter rises with a probability that falls as it rises, and falls
//! by one for every period without use. What goes first is decided in [`eviction`](crate::eviction).

use crate::time::UnixMillis;

/// Bytes of a word in an entry.
pub(crate) const ACCESS_BYTES: usize = 3;
const CLOCK_BITS: u32 = 24;
const CLOCK_MASK: u32 = (1 << CLOCK_BITS) - 1;
const COUNTER_BITS: u32 = 8;
const MINUTES_MASK: u32 = CLOCK_MASK >> COUNTER_BITS;
/// The counter of a new hash: it should not be the first to go.
const COUNTER_START: u32 = 5;

/// What is kept of the use of a hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AccessPolicy {
    /// When it was used last: LRU.
    #[default]
    Recency,
    /// How often it is used: LFU.
    Frequency {
        /// The larger, the more uses it takes to raise the counter.
        log_factor: u32,
        /// Minutes without use after which the counter falls by one; 0: it never falls.
        decay_minutes: u32,
    },
}

/// The word of one hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Access(u32);

impl Access {
    /// The word of a hash that is made at `now`.
    pub(crate) fn new(policy: AccessPolicy, now: UnixMillis) -> Self {
        match policy {
            AccessPolicy::Recency => Access(clock(now)),
            AccessPolicy::Frequency { .. } => Access::with_frequency(COUNTER_START as u8, now),
        }
    }

    /// The word of a hash that has not been used for so long.
    pub(crate) fn with_idle_seconds(seconds: u64, now: UnixMillis) -> Self {
        let clock = clock(now);
        // What the clock cannot tell from the future is as idle as it can tell.
        let idle = u32::try_from(seconds).ok().and_then(|seconds| clock.checked_sub(seconds));
        Access(idle.unwrap_or((clock + CLOCK_MASK / 2) % CLOCK_MASK))
    }

    /// The word of a hash that is used so often.
    pub(crate) fn with_frequency(counter: u8, now: UnixMillis) -> Self {
        Access(minutes(now) << COUNTER_BITS | u32::from(counter))
    }

    /// The word after one more use. `random` is asked under the policy of frequency only.
    #[inline]
    pub(crate) fn used(self, policy: AccessPolicy, now: UnixMillis, random: impl FnOnce() -> u32) -> Self {
        let AccessPolicy::Frequency { log_factor, .. } = policy else { return Access(clock(now)) };
        let counter = self.frequency(policy, now);
        let above_start = u64::from(u32::from(counter).saturating_sub(COUNTER_START));
        // One of so many uses raises the counter.
        let uses = above_start * u64::from(log_factor) + 1;
        let rises = u64::from(random()) * uses < 1 << u32::BITS;
        Access::with_frequency(counter.saturating_add(u8::from(rises)), now)
    }

    /// Seconds since the last use, under the policy of recency.
    pub(crate) fn idle_seconds(self, now: UnixMillis) -> u64 {
        let clock = clock(now);
        u64::from(if clock >= self.0 { clock - self.0 } else { clock + (CLOCK_MASK - self.0) })
    }

    /// The counter at `now`, under the policy of frequency; under the other one it says nothing.
    pub(crate) fn frequency(self, policy: AccessPolicy, now: UnixMillis) -> u8 {
        let counter = self.0 & ((1 << COUNTER_BITS) - 1);
        let AccessPolicy::Frequency { decay_minutes, .. } = policy else { return counter as u8 };
        let (now, then) = (minutes(now), self.0 >> COUNTER_BITS);
        let passed = if now >= then { now - then } else { MINUTES_MASK - then + now };
        counter.saturating_sub(passed.checked_div(decay_minutes).unwrap_or(0)) as u8
    }

    #[inline]
    pub(crate) fn read(bytes: [u8; ACCESS_BYTES]) -> Self {
        Access(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]))
    }

    #[inline]
    pub(crate) fn bytes(self) -> [u8; ACCESS_BYTES] {
        let [first, second, third, _] = self.0.to_le_bytes();
        [first, second, third]
    }
}

#[inline]
fn clock(now: UnixMillis) -> u32 {
    (now.ticks() / 1_000) as u32 & CLOCK_MASK
}

#[inline]
fn minutes(now: UnixMillis) -> u32 {
    (now.ticks() / 60_000) as u32 & MINUTES_MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_767_225_600_000);
    const POLICY: AccessPolicy = AccessPolicy::Frequency { log_factor: 10, decay_minutes: 1 };

    fn later(seconds: i64) -> UnixMillis {
        UnixMillis(NOW.0 + seconds * 1_000)
    }

    #[test]
    fn a_hash_is_idle_for_the_seconds_since_its_last_use() {
        let access = Access::new(AccessPolicy::Recency, NOW);
        assert_eq!((access.idle_seconds(NOW), access.idle_seconds(later(90))), (0, 90));
        let access = access.used(AccessPolicy::Recency, later(60), || panic!("no need of chance"));
        assert_eq!(Access::read(access.bytes()).idle_seconds(later(90)), 30);
    }

    #[test]
    fn the_clock_turns_over_and_goes_on() {
        let turn = UnixMillis((1 << CLOCK_BITS) * 1_000 * 100);
        let access = Access::new(AccessPolicy::Recency, UnixMillis(turn.0 - 10_000));
        // As in Redis, a second is lost where the clock turns over.
        assert_eq!(access.idle_seconds(UnixMillis(turn.0 + 10_000)), 19);
    }

    #[test]
    fn an_idle_time_that_is_given_is_read_again() {
        for seconds in [0, 1, 1_000_000] {
            assert_eq!(Access::with_idle_seconds(seconds, NOW).idle_seconds(NOW), seconds);
        }
        for seconds in [1 << 24, 1 << 40, u64::MAX] {
            assert!(Access::with_idle_seconds(seconds, NOW).idle_seconds(NOW) > 90 * 86_400);
        }
    }

    #[test]
    fn the_counter_rises_with_use_ever_more_slowly() {
        let mut access = Access::new(POLICY, NOW);
        assert_eq!(access.frequency(POLICY, NOW), 5);
        let mut random = sequence(1);
        let mut uses_of = |access: &mut Access, uses: u32| {
            (0..uses).for_each(|_| *access = access.used(POLICY, NOW, &mut random));
            access.frequency(POLICY, NOW)
        };
        // Redis' documentation names 10, 18, 142 and 255 for factor 10.
        assert!((8..=13).contains(&uses_of(&mut access, 100)));
        assert!((14..=24).contains(&uses_of(&mut access, 900)));
        assert!((120..=165).contains(&uses_of(&mut access, 99_000)));
        assert_eq!(uses_of(&mut access, 1_000_000), 255);
    }

    #[test]
    fn the_counter_falls_with_time() {
        let access = Access::with_frequency(100, NOW);
        assert_eq!(access.frequency(POLICY, later(600)), 90);
        assert_eq!(access.frequency(POLICY, later(86_400)), 0);
        let never = AccessPolicy::Frequency { log_factor: 10, decay_minutes: 0 };
        assert_eq!(access.frequency(never, later(86_400)), 100);
        let slow = AccessPolicy::Frequency { log_factor: 10, decay_minutes: 10 };
        assert_eq!(access.frequency(slow, later(3_600)), 94);
    }

    /// A sequence of random numbers.
    fn sequence(mut state: u64) -> impl FnMut() -> u32 {
        move || {
            state = crate::index::scramble(state);
            state as u32
        }
    }
}
