//! What outlives the process: the way of a change to the disk, and of a folder into the shards.
//!
//! ```text
//!  shard thread 0 ─ record ─┐                      ┌─► written · synced (as persistence.fsync says)
//!  shard thread 1 ─ record ─┼─► Queue ─► the disk's thread
//!         ▲    ▲            ┘                      └─► "synced up to 41": the threads release what waits for it
//!         │    └ held: replies and pushes behind a record that is not synced (always)
//!         └ loading: every shard reads the whole folder by itself and keeps what is its own
//! ```
//!
//! * Records are numbered in the order in which they come into the [`queue`], over all threads. A record is in the queue
//!   before anything leaves its thread that knows of it, so that a joint's record comes before whatever the returning
//!   keyspaces are used for.
//! * With `always`, [`held`] keeps back what a shard answers from the first record on that is not synced: its own
//!   replies, later ones of others, messages to subscribers. All in one line, so that nobody learns of a change
//!   that a crash would take back. Where a keyspace comes to a shard, with a joint or home from one, that shard waits for
//!   all records there are: among them is the one that the keyspace knows of. Only across threads is the order of two
//!   clients' replies not kept, where both waited for the same sync.
//! * While the disk is sick, writes are refused. Clients for whom nothing is held go on reading, and may read what is not
//!   on the disk yet; who waits for the reply to a write gets it when the disk has recovered.
//! * A snapshot begins with a new segment of the log; all shards then hand out their keys in [`slices`], and the last one makes
//!   it count. Everything goes through the one queue, so that no slice overtakes a record that it knows of.
//! * One sync serves everything that was queued when it began.
//! * Records of a change that is too long for one come into the queue together, so that they are neighbours in the log.
//!
//! Here: threads, waiting, times. What files look like and what is safe at which moment is `mayfly-persistence`'s.

mod disk;
mod growth;
mod held;
mod loading;
mod measures;
mod progress;
mod queue;
mod slices;
mod snapshots;

use std::sync::Arc;

use mayfly_persistence::{Folder, LoadError, RealDisk};

pub use disk::DiskThread;
pub use held::Held;
pub use loading::{Loaded, load, start};
pub use measures::Measures;
pub use queue::{Order, Queue};
pub use slices::{ask, hand_out};
pub use snapshots::{Waiter, abort_shutdown};

use crate::error::StartError;

/// The folder of this process, which it shares while it is loaded.
pub type SharedFolder = Arc<Folder<RealDisk>>;

/// Takes the folder that the config names, if it names one.
///
/// # Errors
/// It cannot be had: another process has it, it cannot be made or read, or its manifest is damaged.
pub fn open_folder(settings: &mayfly_config::Loaded) -> Result<Option<SharedFolder>, StartError> {
    let dir = &settings.config.persistence.dir;
    if dir.is_empty() {
        tracing::info!("nothing is kept on disk: persistence.dir names no folder");
        return Ok(None);
    }
    let disk = RealDisk::create(dir.as_ref()).map_err(|error| refused(settings, error, ""))?;
    let folder = Folder::open(disk).map_err(|error| cannot_load(settings, error))?;
    Ok(Some(Arc::new(folder)))
}

/// Why a folder could not be loaded, with what helps.
pub fn cannot_load(settings: &mayfly_config::Loaded, error: LoadError) -> StartError {
    let dir = &settings.config.persistence.dir;
    let advice = match error {
        LoadError::Damage(_) | LoadError::Missing(_) => format!(
            "; nothing was changed. `mayfly check {dir}` says more, `mayfly check --repair {dir}` makes it loadable"
        ),
        _ => String::new(),
    };
    refused(settings, error, advice)
}

fn refused(
    settings: &mayfly_config::Loaded,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    advice: impl Into<String>,
) -> StartError {
    StartError::Folder {
        place: settings.place("persistence.dir").clone(),
        folder: settings.config.persistence.dir.clone(),
        source: source.into(),
        advice: advice.into(),
    }
}
