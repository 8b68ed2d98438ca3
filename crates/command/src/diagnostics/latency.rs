//! Events of latency: for each kind of them the latest samples, at most one a second, as in Redis.

use std::collections::{BTreeMap, VecDeque};

use mayfly_store::UnixMillis;

/// Samples that are kept of an event, as in Redis.
pub const SAMPLES_MAX: usize = 160;

/// What happened of one kind.
#[derive(Clone, Debug, Default)]
pub struct Event {
    /// Second and milliseconds, oldest first. Of a second only the longest is kept.
    samples: VecDeque<(i64, u64)>,
    /// The longest since the start, or since it was reset.
    pub highest_ms: u64,
}

impl Event {
    fn add(&mut self, millis: u64, second: i64) {
        self.highest_ms = self.highest_ms.max(millis);
        if let Some(last) = self.samples.back_mut().filter(|last| last.0 == second) {
            last.1 = last.1.max(millis);
            return;
        }
        if self.samples.len() == SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back((second, millis));
    }

    /// Second and milliseconds of each sample, oldest first.
    pub fn samples(&self) -> impl ExactSizeIterator<Item = (i64, u64)> + '_ {
        self.samples.iter().copied()
    }

    /// The latest sample.
    pub fn latest(&self) -> (i64, u64) {
        self.samples.back().copied().unwrap_or_default()
    }
}

/// All events, by name.
#[derive(Debug, Default)]
pub struct LatencyEvents(BTreeMap<&'static str, Event>);

impl LatencyEvents {
    pub(super) fn add(&mut self, name: &'static str, millis: u64, now: UnixMillis) {
        self.0.entry(name).or_default().add(millis, now.0 / 1_000);
    }

    /// Those of which there are samples, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Event)> {
        self.0.iter().map(|(name, event)| (*name, event))
    }

    /// One of them.
    pub fn find(&self, name: &[u8]) -> Option<(&'static str, &Event)> {
        self.iter().find(|(known, _)| known.as_bytes() == name)
    }

    /// Forgets one; whether there was one.
    pub fn reset(&mut self, name: &[u8]) -> bool {
        let known = self.find(name).map(|(known, _)| known);
        known.is_some_and(|known| self.0.remove(known).is_some())
    }

    /// Forgets all; how many there were.
    pub fn reset_all(&mut self) -> usize {
        std::mem::take(&mut self.0).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_second_the_longest_is_kept_and_of_all_the_latest() {
        let mut events = LatencyEvents::default();
        for (millis, now) in [(5, 1_000), (9, 1_900), (7, 1_999), (2, 2_000)] {
            events.add("command", millis, UnixMillis(now));
        }
        let samples = |events: &LatencyEvents| {
            events.find(b"command").map(|(_, event)| event.samples().collect::<Vec<_>>())
        };
        assert_eq!(samples(&events).unwrap(), [(1, 9), (2, 2)]);
        for second in 0..200 {
            events.add("command", 1, UnixMillis(10_000 + second * 1_000));
        }
        let kept = samples(&events).unwrap();
        assert_eq!((kept.len(), kept[0], kept[159]), (SAMPLES_MAX, (50, 1), (209, 1)));
        assert_eq!(events.find(b"command").unwrap().1.highest_ms, 9);
        assert!(!events.reset(b"COMMAND") && events.reset(b"command") && !events.reset(b"command"));
        events.add("a", 1, UnixMillis(0));
        events.add("b", 1, UnixMillis(0));
        assert_eq!((events.reset_all(), events.reset_all()), (2, 0));
    }
}
