//! The data: one shard's keyspace, its packed hashes and its timer wheel.
//!
//! ```text
//!              Keyspace                       one shard's data; `reclaim` is the tick
//!                 │ 16 ×
//!              Database                       one logical database
//!      ┌──────────┼───────────┬──────────┐
//!    Index ──▶ Entries ◀── Wheel     Graveyard
//!   by hash   ┌───┴────┐   by time    freed in pieces
//!          Packed    Table
//!          small     large: Blocks for the fields, with an Index
//! ```
//!
//! A hash, its key and its deadline are one entry: one block of bytes while it is small, 19 of them for the deadline,
//! the wheel and the last access. Index and wheel refer to it by the number of its block, so that a look-up reads a
//! line of the index and the block. Everything that can take long comes in steps of bounded work: growth touches
//! a segment of the index, expiry and freeing go by the budget of [`Keyspace::reclaim`].
//!
//! Not here: threads, sockets, clocks (`now` is an argument), protocols, commands, routing between shards. No
//! deadline per field. Limits: 2 million chunks of 64 KiB a database and shard, and as many for the fields of one
//! large hash.
//!
//! # Invariants
//!
//! Asserted where they could break, swept by [`Keyspace::check`], cited in the messages:
//!
//! - **S1** Every entry is in the index once, under the hash of its key; every field of a table under that of
//!   its name.
//! - **S2** No hash is empty, except inside the command that makes or empties it.
//! - **S3** An entry with a deadline is in exactly one list of the wheel, one without in none; lengths and
//!   occupancy of the lists are right.
//! - **S4** An entry's slot comes due before or at the entry's deadline, never after.
//! - **S5** A packed block decodes exactly to its end and holds no name twice.
//! - **S6** The counted bytes are those allocated.
//! - **S7** Count and sum of the deadlines are right; far deadlines are kept for the entries that have one.
//! - **S8** An entry of the index is in the segment and line of its hash or reached from there; the marks of
//!   spilled, displaced and listed entries are right.
//! - **S9** A slot of a slab or a chunk of blocks is used or in its list of vacant ones, and chunks with room are
//!   in the list of open ones.
//! - **S10** The large tables of a database are known by their sizes, and no others.
//!
//! Reading order: keyspace, database, entry, packed, blocks, [`index`], [`wheel`], eviction.

mod access;
mod blocks;
pub(crate) mod database;
pub(crate) mod entry;
mod eviction;
mod forecast;
mod graveyard;
mod hot_keys;
pub mod index;
mod key;
pub(crate) mod keyspace;
mod large;
pub(crate) mod packed;
mod prefetch;
mod sampling;
mod slab;
mod stats;
mod table;
mod time;
mod varint;
pub mod wheel;

pub use self::access::AccessPolicy;
pub use self::database::{Assembly, BigKey, Database, Detached, Fields};
pub use self::entry::EntryId;
pub use self::eviction::{Eviction, EvictionPolicy};
pub use self::forecast::Forecast;
pub use self::hot_keys::{COUNTERS as HOT_KEYS_MAX, HotKey, HotKeys, KEY_BYTES_MAX};
pub use self::key::{Key, KeyHasher};
pub use self::keyspace::{Keyspace, Reclaimed, StoreOptions};
pub use self::large::LARGE_BYTES_MIN;
pub use self::packed::packed_bytes;
pub use self::sampling::{SAMPLE_CALLS_MAX, Sampling};
pub use self::stats::{KeyspaceStats, LagCounts};
pub use self::time::{UnixMillis, is_expired};
