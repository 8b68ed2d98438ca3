//! The verbs: one file a command, one table.
//!
//! A command is a [`Spec`] (data: name, arity, flags, key positions, documentation) and a function that runs it.
//! Both stand in one file under `commands/`, with its table of cases; one word in the list of
//! `commands/mod.rs` registers it. Everything else derives from the spec.
//!
//! ```text
//!   words ──Table::find──► Command ──Spec::accepts──► route by Spec::keys ──► run(context, words) ──► reply
//! ```
//!
//! Here: what commands are and do. Elsewhere: bytes and protocol (`mayfly-resp`), how hashes are kept
//! (`mayfly-store`), who brings a command to its shard and its reply back in order (`mayfly-engine`).
//! This crate knows no threads, sockets or clocks; `now` comes with the context.

mod access;
pub mod argument;
pub mod changes;
pub mod client;
mod commands;
pub mod context;
pub mod cursor;
pub mod diagnostics;
mod documentation;
pub mod error;
mod expiry;
pub mod host;
mod imbalance;
mod long_double;
pub mod number;
pub mod ranking;
pub mod recorder;
pub mod routing;
mod secrets;
pub mod spec;
pub mod table;
#[cfg(test)]
mod testing;
pub mod tracking;
pub mod ttl;
pub mod words;

pub use mayfly_acl::glob;

pub use access::{catalogue, check, note_denial, open_access};
pub use changes::{Change, Changes, Class};
pub use client::{Awaited, ClientCard, ClientState, ReplyMode};
pub use context::{Data, DataContext, SessionContext, Shards};
pub use diagnostics::{Diagnostics, DiagnosticsOptions, Measured, Precision};
pub use error::{CommandError, Outcome};
pub use host::{
    Begun, CommandFacts, Host, HostFacts, LoadFacts, NO_ACL_FILE, Pause, PersistenceFacts, ShardFacts,
    SnapshotFacts, SnapshotKind, SnapshotRefusal,
};
pub use imbalance::imbalance;
pub use recorder::Recorder;
pub use routing::{Router, ShardId};
pub use secrets::secret_words;
pub use spec::{ChannelKind, Flags, Run, Spec, Step};
pub use table::{Command, CommandId, Table};
pub use tracking::{Tracking, TrackingRequest};
pub use ttl::{TtlBounds, TtlRule, TtlRules};
pub use words::Words;

/// The Redis version whose behaviour Mayfly answers with, in `HELLO` and `INFO`.
pub const REDIS_VERSION: &str = "8.2.3";

/// The version of this build.
pub const MAYFLY_VERSION: &str = env!("CARGO_PKG_VERSION");
