//! Deadlines: setting them, and what happens when they have come.

use crate::database::Database;
use crate::entry::{EntryId, Head};
use crate::forecast::Forecast;
use crate::time::{UnixMillis, is_expired};
use crate::wheel::{Turn, Wheel};

/// What a turn of the database's wheel did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ExpiryTurn {
    /// There is nothing to do at this time.
    Idle,
    /// An entry was placed again.
    Placed,
    /// A key was removed at its deadline, and reported.
    Expired(UnixMillis),
}

impl Database {
    /// The deadline of a hash, `None` if it has none.
    #[inline]
    pub fn deadline(&self, id: EntryId) -> Option<UnixMillis> {
        self.entries.deadline(id.0)
    }

    /// Sets, moves or cancels (`None`) the deadline of a hash. Any instant is possible; one that is past expires
    /// the hash with the next look at it, one before 1970 is kept as 1970.
    pub fn set_deadline(&mut self, id: EntryId, deadline: Option<UnixMillis>) {
        let deadline = deadline.map(|deadline| deadline.max(UnixMillis(0)));
        if let Some(deadline) = deadline {
            let suits = |links| !self.nearest.is_kept() && self.wheel.suits(links, deadline.ticks());
            if let Some(before) = self.entries.move_deadline(id.0, deadline, suits) {
                return self.sum_moved(before, deadline);
            }
        }
        self.place_deadline(id, deadline);
    }

    /// Sets a deadline of which the wheel has to hear.
    fn place_deadline(&mut self, id: EntryId, deadline: Option<UnixMillis>) {
        let before = self.deadline(id);
        if deadline == before {
            return;
        }
        self.count_deadline(before, deadline);
        self.entries.write_deadline(id.0, deadline);
        if let (true, Some(deadline)) = (self.nearest.is_kept(), deadline) {
            self.note_deadline(id.0, deadline.ticks());
        }
        match deadline {
            Some(_) => {
                self.wheel.reschedule(&mut self.entries, id.0);
            }
            None => self.wheel.cancel(&mut self.entries, id.0),
        }
    }

    /// Mean time to live of the keys that have a deadline, in ms; 0 without such keys.
    pub fn average_ttl_ms(&self, now: UnixMillis) -> u64 {
        let Some(mean) = self.deadlines_sum.checked_div(self.deadlines as i128) else { return 0 };
        u64::try_from(mean - i128::from(now.0)).unwrap_or(0)
    }

    /// Does one thing that is due at `now`: removes a key and reports it, or places one again.
    pub(crate) fn turn(
        &mut self,
        now: UnixMillis,
        on_expired: &mut dyn FnMut(&[u8], UnixMillis),
    ) -> ExpiryTurn {
        match self.wheel.turn(&mut self.entries, now.ticks()) {
            Turn::Idle => ExpiryTurn::Idle,
            Turn::Placed => ExpiryTurn::Placed,
            Turn::Due(number) => {
                let deadline =
                    self.entries.deadline(number).expect("S3: an entry in the wheel has a deadline");
                on_expired(self.entries.key(number), deadline);
                self.remove(EntryId(number));
                ExpiryTurn::Expired(deadline)
            }
        }
    }

    /// Takes a wheel that is ahead of the time back to it. Only what a clock said that was wrong can do that.
    pub(crate) fn turn_back(&mut self, now: UnixMillis) {
        if !self.wheel.is_ahead_of(now.ticks()) {
            return;
        }
        let numbers: Vec<u32> = self.index.iter().collect();
        numbers.iter().for_each(|&number| self.wheel.cancel(&mut self.entries, number));
        self.forget_nearest();
        self.wheel = Wheel::default();
        self.wheel.start_at(now.ticks());
        for number in numbers {
            if self.entries.deadline(number).is_some() {
                self.wheel.schedule(&mut self.entries, number);
            }
        }
    }

    /// When [`turn`](Database::turn) has something to do next.
    pub(crate) fn next_turn(&self) -> Option<UnixMillis> {
        self.wheel.next_turn().map(UnixMillis::from_ticks)
    }

    /// Keys that are due and still here, see [`Wheel::backlog`](crate::wheel::Wheel::backlog).
    pub(crate) fn backlog(&self, now: UnixMillis) -> usize {
        self.wheel.backlog(now.ticks())
    }

    /// Adds what falls due within each of `horizons_ms`, see [`Keyspace::forecast`](crate::Keyspace::forecast).
    pub(crate) fn forecast(
        &self,
        now: UnixMillis,
        horizons_ms: &[u64],
        steps_max: usize,
        forecasts: &mut [Forecast],
    ) {
        let until = horizons_ms.iter().max().map_or(0, |horizon| now.ticks().saturating_add(*horizon));
        self.wheel.sample(&self.entries, until, steps_max, &mut |number, deadline, weight| {
            let bytes = self.entry_bytes(EntryId(number)) as f64;
            for (horizon, forecast) in horizons_ms.iter().zip(&mut *forecasts) {
                if deadline <= now.ticks().saturating_add(*horizon) {
                    forecast.keys += weight;
                    forecast.bytes += weight * bytes;
                }
            }
        });
    }

    /// Gives the keys that accesses found expired since the last call.
    pub(crate) fn take_expired_on_access(&mut self) -> Vec<(Box<[u8]>, UnixMillis)> {
        std::mem::take(&mut self.expired_on_access)
    }

    /// Whether an entry with this head counts as present.
    #[inline]
    pub(super) fn is_live(&self, number: u32, head: Head, now: UnixMillis) -> bool {
        head.is_early(now) || !self.is_expired(number, now)
    }

    /// Whether an entry counts as absent.
    #[inline]
    pub(super) fn is_expired(&self, number: u32, now: UnixMillis) -> bool {
        is_expired(self.entries.deadline(number), now)
    }

    pub(super) fn expire_on_access(&mut self, number: u32) {
        let deadline = self.entries.deadline(number).expect("S7: an expired entry has a deadline");
        self.expired_on_access.push((self.entries.key(number).into(), deadline));
        self.remove(EntryId(number));
    }

    /// Keeps the sum of the deadlines when one moves.
    #[inline]
    pub(super) fn sum_moved(&mut self, before: UnixMillis, after: UnixMillis) {
        self.deadlines_sum += i128::from(after.0 - before.0);
    }

    /// Keeps count and sum of the deadlines when one changes.
    pub(super) fn count_deadline(&mut self, before: Option<UnixMillis>, after: Option<UnixMillis>) {
        if let Some(before) = before {
            self.deadlines -= 1;
            self.deadlines_sum -= i128::from(before.0);
        }
        if let Some(after) = after {
            self.deadlines += 1;
            self.deadlines_sum += i128::from(after.0);
        }
    }
}
