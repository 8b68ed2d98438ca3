//! The flow: from bytes to shards, and from replies back to bytes in order.
//!
//! ```text
//!                 Session::feed                                    Shard::accept
//!   bytes ─► decode ─► look up ─► route ─┬─ Batch ──────────────► [shard 0] ─ Replies ─┐
//!                        │               ├─ Batch ──────────────► [shard 1] ─ Replies ─┤
//!                        │               └─ Joint ─► [shard 0] ─► [shard 1] ─ Replies ─┤
//!                        └─ commands without data: answered at once ───────────────────┤
//!   bytes ◄───────────────────────────── Session::drain ◄── lanes, in request order ◄──┘
//! ```
//!
//! * A read burst becomes at most one [`Batch`] a shard, answered by one [`Replies`].
//! * Commands over several shards travel as a [`Joint`]: it visits its shards in ascending order, and each
//!   hands over its whole keyspace (one pointer) at the point of its own order where the joint arrives. The last
//!   one runs all calls with every keyspace in hand and sends the keyspaces home. Until its keyspace is back, a
//!   shard only queues. So a joint is atomic for every observer, its commands are ordinary code over ordinary
//!   data, and the ascending order excludes a deadlock.
//! * Both rest on mailboxes: a message is in its receiver's mailbox before its sender goes on. Order kept between
//!   each two of them alone would not do: a joint, sent on by one shard, could overtake at the next shard a batch
//!   that its session had sent there before.
//! * Replies of one session and shard come back in the order they were asked for, so putting them in request
//!   order is a merge of queues, one a shard: the lanes.
//!
//! For the disk a shard hands out what its calls did to the data ([`Effect::Record`]), does that again at a start
//! ([`Shard::replay`]), and writes down what it holds in slices ([`Shard::snapshot_slice`]).
//!
//! Where memory is limited, room is made before a call that needs it: `memory`.
//!
//! Here: routing, batches, sessions, shards, counters. Elsewhere: what commands do (`mayfly-command`), bytes
//! (`mayfly-resp`), data (`mayfly-store`), and whoever moves messages and reads clocks: `mayfly-server` with
//! actors, `mayfly-sim` with a seed. This crate knows neither threads nor sockets nor clocks; it never calls
//! back: it returns what is to be sent ([`Outgoing`], [`Effect`]).

mod batch;
mod counters;
mod door;
mod events;
mod hot_keys;
mod lanes;
mod memory;
mod meter;
mod observers;
mod pauses;
mod replay;
mod router;
mod runner;
mod session;
mod shard;
mod slow;
mod snapshot;
mod subscriptions;
mod tally;
mod tracking;
mod transaction;

pub use batch::{Batch, Call, CallKind, Effect, Joint, Outgoing, Replies, Work, process_lane};
pub use counters::{CommandCounters, Counter, ERROR_CODES, ThreadCounters};
pub use door::Door;
pub use events::{EventClasses, SharedEventClasses};
pub use memory::{MemoryOptions, SharedMemory};
pub use meter::Stopwatch;
pub use observers::Observers;
pub use pauses::Pauses;
pub use replay::{ReplayError, apply as replay};
pub use session::{Redirect, Session, SessionOptions, Surroundings};
pub use shard::{Moment, Shard, ShardGauges, ShardOptions};
pub use snapshot::{Slice, SnapshotCursor};
pub use subscriptions::{Message, Push, Subscriptions};
pub use tally::{Tally, TallySnapshot};
pub use transaction::TransactionLimits;
