//! `CLIENT PAUSE`: until when which requests are held. All sessions of a process share it.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use mayfly_command::{Command, Flags, Pause, Run, Step};
use mayfly_store::UnixMillis;

/// What is held, and until when. While nothing is, a look costs one load.
#[derive(Debug, Default)]
pub struct Pauses {
    /// The end in Unix milliseconds, and in the lowest bit whether all requests are meant; 0: no pause.
    state: AtomicI64,
}

/// The last instant that fits beside the bit, long after everything.
const END_MAX: i64 = i64::MAX >> 1;

impl Pauses {
    /// Begins a pause. One that goes on already ends when the longer of the two does, and holds all requests if
    /// one of them does, as in Redis.
    pub fn begin(&self, now: UnixMillis, until: UnixMillis, what: Pause) {
        let _ = self.state.fetch_update(Relaxed, Relaxed, |state| {
            let going_on = if end(state) > now { state } else { 0 };
            let all = i64::from(what == Pause::All) | (going_on & 1);
            Some(until.0.min(END_MAX).max(end(going_on).0) << 1 | all)
        });
    }

    /// Ends it.
    pub fn end(&self) {
        self.state.store(0, Relaxed);
    }

    /// What is held at `now`, and until when.
    #[inline]
    pub fn get(&self, now: UnixMillis) -> Option<(Pause, UnixMillis)> {
        match self.state.load(Relaxed) {
            0 => None,
            state if end(state) <= now => None,
            state => Some((if state & 1 == 1 { Pause::All } else { Pause::Writes }, end(state))),
        }
    }
}

fn end(state: i64) -> UnixMillis {
    UnixMillis(state >> 1)
}

/// Whether a command writes, or is heard by others as if it did.
pub fn is_writing(command: &Command) -> bool {
    command.spec.flags.has(Flags::WRITE) || matches!(command.spec.run, Run::Step(Step::Publish(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_that_overlap_become_one() {
        let pauses = Pauses::default();
        let at = UnixMillis;
        assert_eq!(pauses.get(at(0)), None);
        pauses.begin(at(1_000), at(2_000), Pause::Writes);
        assert_eq!(pauses.get(at(1_999)), Some((Pause::Writes, at(2_000))));
        assert_eq!(pauses.get(at(2_000)), None);
        pauses.begin(at(1_500), at(1_600), Pause::All);
        assert_eq!(pauses.get(at(1_700)), Some((Pause::All, at(2_000))));
        pauses.begin(at(2_000), at(2_100), Pause::Writes);
        assert_eq!(pauses.get(at(2_000)), Some((Pause::Writes, at(2_100))));
        pauses.begin(at(2_000), at(i64::MAX), Pause::Writes);
        assert_eq!(pauses.get(at(2_000)), Some((Pause::Writes, at(END_MAX))));
        pauses.end();
        assert_eq!(pauses.get(at(0)), None);
    }
}
