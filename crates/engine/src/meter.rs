//! How long commands take, without two clock reads a call.
//!
//! Calls of one command in a row share one measurement: a pipeline of a thousand equal calls costs two readings. Where
//! slow calls are looked for, [`Meter::lap`] cuts the row into pieces.

use mayfly_command::CommandId;

use crate::counters::ThreadCounters;

/// Nanoseconds since some fixed moment, monotonic. The server brings a clock, the simulator its own.
pub type Stopwatch<'a> = &'a dyn Fn() -> u64;

/// Adds calls, errors and time to a thread's counters, one run of equal commands at a time.
pub struct Meter<'a> {
    counters: &'a ThreadCounters,
    stopwatch: Stopwatch<'a>,
    running: Option<Running>,
    /// The first reading, for work that is measured as a whole.
    start: Option<u64>,
    /// The latest reading that the next call begins with.
    lap: Option<u64>,
}

struct Running {
    command: CommandId,
    since_nanos: u64,
    calls: u64,
    errors: u64,
}

impl<'a> Meter<'a> {
    pub fn new(counters: &'a ThreadCounters, stopwatch: Stopwatch<'a>) -> Self {
        Meter { counters, stopwatch, running: None, start: None, lap: None }
    }

    /// A meter that has read its stopwatch, for work that is measured as a whole, too.
    pub fn started(counters: &'a ThreadCounters, stopwatch: Stopwatch<'a>) -> Self {
        let start = Some(stopwatch());
        Meter { counters, stopwatch, running: None, start, lap: start }
    }

    /// The end; nanoseconds since the start.
    pub fn finish(mut self) -> u64 {
        let now = (self.stopwatch)();
        self.close(now);
        now.saturating_sub(self.start.unwrap_or(now))
    }

    /// A call of `command` begins.
    #[inline]
    pub fn begin(&mut self, command: CommandId) {
        match &mut self.running {
            Some(running) if running.command == command => running.calls += 1,
            _ => self.change(command),
        }
    }

    /// The call that began last answered an error.
    pub fn error(&mut self) {
        if let Some(running) = &mut self.running {
            running.errors += 1;
        }
    }

    /// The counters that it adds to.
    pub fn counters(&self) -> &ThreadCounters {
        self.counters
    }

    /// The call that began last goes on to a shard, which counts it.
    pub fn hand_over(&mut self) {
        if let Some(running) = &mut self.running {
            running.calls -= 1;
        }
        self.running.take_if(|running| running.calls == 0);
        self.stop();
    }

    /// The calls since the last lap are measured by themselves; how many nanoseconds they took.
    #[inline]
    pub fn lap(&mut self) -> u64 {
        let now = (self.stopwatch)();
        let since = self.lap.or_else(|| self.running.as_ref().map(|running| running.since_nanos));
        self.close(now);
        self.lap = Some(now);
        now.saturating_sub(since.unwrap_or(now))
    }

    /// What follows is no call.
    pub fn stop(&mut self) {
        self.lap = None;
        if self.running.is_some() {
            let now = (self.stopwatch)();
            self.close(now);
        }
    }

    fn change(&mut self, command: CommandId) {
        let is_first = self.running.is_none();
        let now = self.lap.filter(|_| is_first).unwrap_or_else(self.stopwatch);
        self.close(now);
        self.running = Some(Running { command, since_nanos: now, calls: 1, errors: 0 });
    }

    fn close(&mut self, now_nanos: u64) {
        if let Some(ended) = self.running.take() {
            let counters = self.counters.command(ended.command);
            counters.calls.add(ended.calls);
            counters.nanos.record_many(now_nanos.saturating_sub(ended.since_nanos), ended.calls);
            if ended.errors > 0 {
                counters.errors.add(ended.errors);
            }
        }
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        self.stop();
    }
}
