//! The disk: what a process writes to its data folder, and how it reads that back.
//!
//! ```text
//!   shard ─effects─► Journal ─body─┐                            ┌─► log-00000007.mayfly
//!   shard ─effects─► Journal ─body─┼─► LogWriter ──────────────┤   log-00000008.mayfly
//!   shard ─effects─► Journal ─body─┘   append · sync · rotate   └─►   …
//!         ─keys────► Journal ─body───► SnapshotWriter ────────────► snapshot-00000003-000.mayfly
//!                                            │ finished
//!                                      Folder::commit ────────────► manifest: what counts
//!
//!   start:  Folder::open ─► every part of the snapshot ─► the log ─► drop what has expired
//!                        ─► cut torn tails, remove strays ─► LogWriter::new behind the end
//! ```
//!
//! **One log for the whole process**, not one per shard. Shards encode their effects themselves, on their own threads,
//! and hand over finished bytes through one queue. That keeps the order of each shard, which is all the order there
//! is between keys of different shards; a transaction over several shards is one record, or a
//! group of them where that would be too long, so that a crash leaves all of it or nothing; one sync serves all shards; and a start with another number of shards needs nothing special, since a
//! record says which keys it is about and not who wrote it.
//!
//! **A round of the disk's thread**: take what the queue has, [`LogWriter::append`] each body, [`LogWriter::write_out`]
//! once. Then, as the policy says, [`LogWriter::sync`]: in the same round before replies up to [`LogWriter::synced`] go
//! out (`always`), when a second has passed (`everysec`), or only when [`LogWriter::wants_sync`] (`never`, for the
//! memory). While [`LogWriter::health`] is sick, writes are refused at the door, and each further round is the attempt
//! that finds out whether the disk has recovered. A snapshot is [`LogWriter::rotate`], then slices of all shards, then
//! [`Folder::commit`]; one at a time.
//!
//! **What is loaded** after a crash is a prefix of the records in the order they were appended, with everything that
//! [`LogWriter::synced`] had reached. The tests hold it to that with a failure or a power cut at every single call.
//!
//! Here: files and their bytes, through a seam ([`Disk`]) that tests replace. Not here: threads, clocks (`now` comes
//! in with a batch), actors, the keyspace and what an effect does to it. The caller drives all of it from one thread
//! and decides when to sync.
//!
//! Reading order: [`Effect`] and [`Journal`] (what is said), `frame` (how it lies in files), [`log`], [`snapshot`],
//! `manifest`, [`Folder`], [`check`]. Why the log over a snapshot converges is told in [`snapshot`].

pub mod check;
pub mod disk;
mod effect;
mod error;
mod folder;
mod frame;
mod frames;
mod journal;
pub mod log;
mod manifest;
mod names;
pub mod snapshot;
#[cfg(test)]
mod tests;
mod varint;

pub use disk::{Disk, DiskFile, RealDisk};
pub use effect::{Effect, Effects, Record, RecordError, is_continued, set_continued};
pub use error::{Damage, LoadError, Trouble};
pub use folder::Folder;
pub use frame::{FRAME_HEADER_BYTES, RECORD_BYTES_MAX};
pub use journal::Journal;
pub use log::{AppendError, Entry, Health, LogEnd, LogOptions, LogReader, LogStart, LogWriter, Torn};
pub use manifest::Manifest;
pub use snapshot::{Part, SnapshotReader, SnapshotWriter};
