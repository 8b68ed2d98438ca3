//! The doubt: sessions and shards under a virtual clock, from a seed.
//!
//! ```text
//!            ┌──────────── World: one step by chance, from the seed ─────────────┐
//!  Sampler ─► Client ─bytes─► Session ─► [mailbox] ─► Shard ─► [mailbox] ─► Session ─bytes─► Client
//!               │                                       │                                      │
//!         Conversation                               Oracle ◄── Model                   in its turn and
//!       what a session answers              every call, in the order it ran           equal to what ran?
//! ```
//!
//! The sessions and shards are the server's own; threads, sockets and clock are pretended. A run is a function of
//! its seed: who works next, how bytes are cut, what clients say, when they hang up, how time passes. What is
//! checked, and where:
//!
//! * every reply against a model, in the order in which calls were carried out ([`oracle`]): linearizable, and
//!   commands over several keys atomic; no expired key is ever seen;
//! * one reply a request, in order, and nothing else; calls of one client on one shard in their order ([`client`]);
//! * transactions as one, and only if no watched key has changed ([`watchers`]); every message to all who listen
//!   at that moment and to nobody else, once, in order, never outside its subscription ([`listeners`]); one
//!   `expired` event for each key that has expired;
//! * shards of another number, started from what the shards have recorded, hold the same ([`disk`]);
//! * walks return what was there all the time ([`walks`]);
//! * data equal to the model, the store's invariants, queues within the window, and at the end nothing left over:
//!   no message, no keyspace away, no key past its deadline, no subscription, no watch ([`world`]).
//!
//! Not here: sockets and actors (tests of `mayfly-server`), the texts of rare errors (tables of cases beside each
//! command).

pub mod client;
pub mod conversation;
pub mod disk;
pub mod expected;
pub mod fault;
pub mod grammar;
pub mod host;
pub mod laws;
pub mod listeners;
pub mod model;
pub mod oracle;
mod rankings;
pub mod sampler;
pub mod walks;
pub mod watchers;
pub mod world;

use std::collections::BTreeMap;
use std::fmt;

pub use fault::Fault;
pub use laws::Laws;
pub use world::World;

/// Steps between two comparisons of all data.
const STEPS_BETWEEN_CHECKS: u64 = 50;

/// One run.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Where all chance comes from.
    pub seed: u64,
    /// Number of shards.
    pub shards: u16,
    /// Steps before the world comes to its end.
    pub steps: u64,
    /// A fault to plant.
    pub fault: Option<Fault>,
}

/// What happened in a run that found nothing wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// Calls that shards carried out.
    pub calls: u64,
    /// Joints, each with one or more of them.
    pub joints: u64,
    /// Walks over keys or fields that came to their end.
    pub walks: u64,
    /// Clients closed because too many replies waited.
    pub overflows: u64,
    /// Transactions that were carried out, and those that were not since a watched key had changed.
    pub transactions: [u64; 2],
    /// Messages to subscribers.
    pub messages: u64,
    /// Starts from what was recorded, compared with what lives.
    pub starts: u64,
    /// Snapshots that came to their end, and those begun anew.
    pub snapshots: [u64; 2],
    /// Calls by command.
    pub by_name: BTreeMap<&'static str, u64>,
    /// A digest of all calls and replies: equal for equal runs.
    pub digest: u64,
}

/// What is wrong, and how to see it again.
#[derive(Debug, thiserror::Error)]
#[error("step {step}: {fault}\n  {run}")]
pub struct Failure {
    run: Run,
    step: u64,
    fault: String,
}

impl Run {
    /// Runs it.
    ///
    /// # Errors
    /// The first thing that is wrong. A panic in sessions or shards is one, too, where panics unwind.
    pub fn run(self) -> Result<Summary, Failure> {
        let mut step = 0;
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.go(&mut step)));
        let outcome = outcome.unwrap_or_else(|_| Err("a panic, see above".to_owned()));
        outcome.map_err(|fault| Failure { run: self, step, fault })
    }

    fn go(self, step: &mut u64) -> Result<Summary, String> {
        let Run { seed, shards, steps, fault } = self;
        let mut world = World::new(Laws { seed, shards, fault, is_varied: true });
        for number in 1..=steps {
            *step = number;
            world.step()?;
            if number % STEPS_BETWEEN_CHECKS == 0 {
                world.check()?;
            }
        }
        world.finish()?;
        let oracle = &world.oracle;
        Ok(Summary {
            calls: oracle.calls,
            joints: world.joints,
            walks: oracle.walks_finished(),
            overflows: world.overflows,
            transactions: oracle.transactions,
            messages: oracle.listeners.messages,
            starts: world.disk.starts,
            snapshots: world.disk.snapshots,
            by_name: oracle.by_name.clone(),
            digest: oracle.digest,
        })
    }
}

impl fmt::Display for Run {
    /// The command line that repeats it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Run { seed, shards, steps, fault } = self;
        write!(formatter, "cargo run -p mayfly-sim -- --seed {seed} --shards {shards} --steps {steps}")?;
        match fault.and_then(|fault| clap::ValueEnum::to_possible_value(&fault)) {
            Some(fault) => write!(formatter, " --fault {}", fault.get_name()),
            None => Ok(()),
        }
    }
}
