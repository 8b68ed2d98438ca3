//! Counters that one thread writes and any may read.
//!
//! Each thread of shards and sessions has its own [`ThreadCounters`]. A counter has a single writer, so adding is
//! a plain load and a plain store: no lock, no locked instruction, and whoever renders metrics or `INFO` reads
//! them without asking the shard.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use mayfly_command::{ChannelKind, CommandId, Table};

use crate::observers::Observers;
use crate::tally::Tally;

/// A number that one thread adds to and others read.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds; only ever called by the thread that owns the counter.
    #[inline]
    pub fn add(&self, amount: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(amount), Relaxed);
    }

    /// Keeps the largest of what was given; only ever called by the thread that owns the counter.
    #[inline]
    pub fn raise_to(&self, value: u64) {
        if value > self.0.load(Relaxed) {
            self.0.store(value, Relaxed);
        }
    }

    /// Replaces the number, for what goes up and down; only ever called by the thread that owns the counter.
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    /// The number so far.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// First words of errors. Any other counts as the first.
pub const ERROR_CODES: [&str; 12] = [
    "ERR",
    "WRONGTYPE",
    "NOAUTH",
    "WRONGPASS",
    "NOPROTO",
    "EXECABORT",
    "BUSYKEY",
    "OOM",
    "READONLY",
    "NOPERM",
    "LOADING",
    "MISCONF",
];

/// What one command did on one thread.
#[derive(Debug, Default)]
pub struct CommandCounters {
    /// Calls that ran.
    pub calls: Counter,
    /// Calls that answered an error.
    pub errors: Counter,
    /// Nanoseconds of a call, from its look-up to its reply.
    pub nanos: Tally,
}

/// What one thread did. Aligned so that two threads never share a line.
#[derive(Debug)]
#[repr(align(128))]
pub struct ThreadCounters {
    commands: Box<[CommandCounters]>,
    /// Requests that were no known command, had the wrong arity, or were refused before they ran.
    pub refused: Counter,
    /// Errors that were answered, by code, in the order of [`ERROR_CODES`].
    pub errors_by_code: [Counter; ERROR_CODES.len()],
    /// Channels that somebody listens to; every shard knows all.
    pub channels: Counter,
    /// Patterns that somebody listens to.
    pub patterns: Counter,
    /// Shard channels that somebody listens to.
    pub shard_channels: Counter,
    /// Connections that broke the protocol.
    pub protocol_errors: Counter,
    /// Bytes received.
    pub input_bytes: Counter,
    /// Bytes sent.
    pub output_bytes: Counter,
    /// Times that a session stopped reading because its window or its output was full.
    pub pauses: Counter,
    /// Connections closed because they did not read their replies.
    pub output_overflows: Counter,
    /// Calls in a batch of the shard.
    pub batch_calls: Tally,
    /// Joints that ran here, as the last of their shards.
    pub joints: Counter,
    /// Nanoseconds that one batch, joint or slice of expiry kept the shard from its mailbox.
    pub busy_nanos: Tally,
    /// The longest of them since the start.
    pub busy_nanos_max: Counter,
    /// Keys that the shard remembers for clients that cache them, at the moment.
    pub tracked_keys: Counter,
    /// Pairs of such a key and a client, at the moment.
    pub tracked_items: Counter,
    /// Prefixes that clients are told of, at the moment; the same on every shard.
    pub tracked_prefixes: Counter,
    /// Messages to clients that keys in their caches have changed.
    pub invalidations: Counter,
    /// Changes of data that were recorded for the disk.
    pub changes: Counter,
}

impl Default for ThreadCounters {
    fn default() -> Self {
        ThreadCounters {
            commands: Table::get().all().iter().map(|_| CommandCounters::default()).collect(),
            refused: Counter::default(),
            errors_by_code: Default::default(),
            channels: Counter::default(),
            patterns: Counter::default(),
            shard_channels: Counter::default(),
            protocol_errors: Counter::default(),
            input_bytes: Counter::default(),
            output_bytes: Counter::default(),
            pauses: Counter::default(),
            output_overflows: Counter::default(),
            batch_calls: Tally::default(),
            joints: Counter::default(),
            busy_nanos: Tally::default(),
            busy_nanos_max: Counter::default(),
            tracked_keys: Counter::default(),
            tracked_items: Counter::default(),
            tracked_prefixes: Counter::default(),
            invalidations: Counter::default(),
            changes: Counter::default(),
        }
    }
}

impl ThreadCounters {
    /// The counters of one command.
    pub fn command(&self, id: CommandId) -> &CommandCounters {
        &self.commands[id.index()]
    }

    /// Counts an error by its code, the first word of its line. Those of Mayfly are few and known.
    pub fn error(&self, line: &[u8]) {
        let code = line.split(|byte| *byte == b' ').next().unwrap_or_default();
        let index = ERROR_CODES.iter().position(|known| known.as_bytes() == code).unwrap_or(0);
        self.errors_by_code[index].add(1);
    }

    /// Notes how many observe the shard, and how much it keeps for clients that cache.
    pub fn observed<A: Clone>(&self, observers: &Observers<A>) {
        self.channels.set(observers.subscriptions.count_names(ChannelKind::Channel) as u64);
        self.patterns.set(observers.subscriptions.count_names(ChannelKind::Pattern) as u64);
        self.shard_channels.set(observers.subscriptions.count_names(ChannelKind::ShardChannel) as u64);
        let size = observers.tracking.size();
        self.tracked_keys.set(size.keys as u64);
        self.tracked_items.set(size.items as u64);
        self.tracked_prefixes.set(size.prefixes as u64);
        self.invalidations.set(size.told);
    }

    /// Calls of all commands together.
    pub fn calls(&self) -> u64 {
        self.commands.iter().map(|command| command.calls.get()).sum()
    }

    /// Errors of all commands together, and refusals.
    pub fn errors(&self) -> u64 {
        self.refused.get() + self.commands.iter().map(|command| command.errors.get()).sum::<u64>()
    }
}
