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
//!          small     large: fields in a slab of their own, with an Index
//! ```
//!
//! A hash, its key and its deadline are one entry: 32 bytes in a slab, and one allocation for key and
//! fields while it is small. Index and wheel refer to it by its number. Everything that can take long
//! comes in steps of bounded work: growth touches a segment of the index, expiry and freeing go by the budget of
//! [`Keyspace::reclaim`].
//!
//! Not here: threads, sockets, clocks (`now` is an argument), protocols, commands, routing between shards. No
//! deadline per field. Limits: fewer than 2³² keys a database and shard, fewer than 2³² fields a hash.
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
//! - **S9** A slot of a slab holds a value or is in its chunk's list of vacant ones, and chunks with room are in
//!   the list of open ones.
//!
//! Reading order: keyspace, database, entry, packed, [`index`], [`wheel`].

pub(crate) mod database;
pub(crate) mod entry;
mod graveyard;
pub mod index;
mod key;
pub(crate) mod keyspace;
pub(crate) mod packed;
mod prefetch;
mod slab;
mod stats;
mod table;
mod time;
mod varint;
pub mod wheel;

pub use self::database::{Assembly, Database, Detached, Fields};
pub use self::entry::EntryId;
pub use self::key::{Key, KeyHasher};
pub use self::keyspace::{Keyspace, Reclaimed, StoreOptions};
pub use self::stats::{KeyspaceStats, LagCounts};
pub use self::time::{UnixMillis, is_expired};
