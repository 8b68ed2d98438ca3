//! The start: every shard reads the whole folder by itself and keeps what is its own. Nothing is handed over between
//! threads, and the number of shards may be another than the last time.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use mayfly_persistence::{
    Damage, FRAME_HEADER_BYTES, Folder, LoadError, LogEnd, LogOptions, LogWriter, RealDisk, Record, Trouble,
};
use tokio::sync::mpsc::UnboundedReceiver;

use super::measures::ShardLoad;
use super::progress::{self, Progress};
use super::{DiskThread, SharedFolder, cannot_load};
use crate::error::StartError;
use crate::host::ServerHost;
use crate::inbox::ShardPeer;
use crate::thread::Thread;

/// Bytes of records after which others on the thread have a turn: clients may ask what is going on. Mostly they are
/// replayed soon; those that do much in few bytes, such as emptying databases, were seen to take 30 ms.
const BYTES_A_TURN: usize = 64 << 10;

/// What came of loading one shard.
pub type Loaded = Result<LogEnd, LoadError>;

/// Loads the shard of a thread. Expiry begins only afterwards.
pub async fn load(thread: &Thread, folder: SharedFolder) -> Loaded {
    let queue = thread.host.queue.as_ref().expect("there is a queue where there is a folder");
    let measure = &queue.measures.load.shards[thread.shard_id().index()];
    let mut pace = Pace { thread, measure, bytes: 0 };
    pace.rest().await;
    for part in folder.manifest().snapshot.clone() {
        let mut reader = folder.read_snapshot(part)?;
        while let Some(body) = reader.read()? {
            let bytes = body.len();
            replay(thread, body).map_err(|what| refused(reader.position(), what))?;
            pace.rest_after(bytes).await;
        }
    }
    let mut log = folder.read_log()?;
    while let Some(entry) = log.read()? {
        let bytes = entry.body.len();
        replay(thread, entry.body).map_err(|what| refused(log.position(), what))?;
        pace.rest_after(bytes).await;
    }
    let now = thread.host.clock.now();
    let expired = thread.with_shard(|shard| shard.end_replay(now));
    measure.expired.set(expired);
    pace.count_keys();
    tracing::info!(shard = thread.shard_id().0, expired, "a shard is loaded");
    Ok(log.end())
}

/// Waits until all shards are loaded, and starts the disk's thread behind the end of the log.
///
/// # Errors
/// The folder cannot be loaded, or the disk refused.
pub async fn start(
    host: &Arc<ServerHost>,
    folder: SharedFolder,
    mut loads: UnboundedReceiver<Loaded>,
    shards: &[ShardPeer],
) -> Result<DiskThread, StartError> {
    let settings = &host.loaded;
    let began = host.clock.uptime();
    let queue = Arc::clone(host.queue.as_ref().expect("there is a queue where there is a folder"));
    let load = &queue.measures.load;
    let bytes = folder.bytes().map_err(|error| cannot_load(settings, error.into()))?;
    load.total_bytes.store(bytes, Relaxed);
    load.began_seconds.store(host.clock.now().0 as u64 / 1_000, Relaxed);
    tracing::info!(folder = settings.config.persistence.dir, bytes, "loading");
    let (mut end, mut left) = (None, shards.len());
    let mut progress = Progress::new(bytes);
    while left > 0 {
        tokio::select! {
            loaded = loads.recv() => {
                let loaded = loaded.expect("every shard says what came of it");
                end = Some(loaded.map_err(|error| cannot_load(settings, error))?);
                left -= 1;
            }
            () = tokio::time::sleep(progress::LOOK_EVERY) => {
                progress.show(load, host.clock.uptime() - began);
            }
        }
    }
    drop(progress);
    let end = end.expect("there is at least one shard");
    let folder = Arc::into_inner(folder).expect("whoever has loaded has given the folder back");
    let persistence = &settings.config.persistence;
    let options = LogOptions { unsynced_bytes_max: persistence.unsynced_bytes_max / 2 };
    let log = settle(&folder, &end, options).map_err(|error| cannot_load(settings, error.into()))?;
    load.torn_bytes.store(end.torn.iter().map(|torn| torn.bytes).sum(), Relaxed);
    let took = host.clock.uptime() - began;
    load.took_nanos.store((took.as_nanos() as u64).max(1), Relaxed);
    let (took_ms, keys) = (took.as_millis(), load.sum(|shard| shard.keys.get()));
    tracing::info!(log_bytes = end.bytes, took_ms, keys, fsync = persistence.fsync.name(), "loaded");
    let disk = DiskThread::start(Arc::clone(host), queue, folder, log, end.bytes, shards.to_vec());
    let disk = disk.map_err(StartError::Runtime)?;
    host.door.open();
    Ok(disk)
}

/// Makes of a folder that was read what can be written again: torn ends are cut, what does not count is removed.
///
/// # Errors
/// The disk refused.
fn settle(
    folder: &Folder<RealDisk>,
    end: &LogEnd,
    options: LogOptions,
) -> Result<LogWriter<RealDisk>, Trouble> {
    for torn in &end.torn {
        tracing::warn!(
            file = torn.file,
            offset = torn.offset,
            bytes = torn.bytes,
            "the end of a file was being written when the last run stopped; it is cut off"
        );
        torn.cut(folder.disk())?;
    }
    for name in folder.remove_strays()? {
        tracing::info!(file = name, "removed what a snapshot left that was not finished");
    }
    Ok(LogWriter::new(folder.disk().clone(), end.last_segment, end.next_sequence, options))
}

fn replay(thread: &Thread, body: &[u8]) -> Result<(), String> {
    let record = Record::read(body).map_err(|error| error.to_string())?;
    thread.with_shard(|shard| shard.replay(&record)).map_err(|error| error.to_string())
}

fn refused((file, offset): (&str, u64), what: String) -> LoadError {
    LoadError::Damage(Damage { file: file.to_owned(), offset, what })
}

/// Lets others have a turn now and then.
struct Pace<'a> {
    thread: &'a Thread,
    measure: &'a ShardLoad,
    bytes: usize,
}

impl Pace<'_> {
    async fn rest_after(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.measure.bytes.add((FRAME_HEADER_BYTES + bytes) as u64);
        self.measure.records.add(1);
        if self.bytes >= BYTES_A_TURN {
            self.bytes = 0;
            self.count_keys();
            self.rest().await;
        }
    }

    fn count_keys(&self) {
        let now = self.thread.host.clock.now();
        if let Some(gauges) = self.thread.with_shard(|shard| shard.gauges(now)) {
            self.measure.keys.set(gauges.keys);
        }
    }

    /// Goes on when the keyspace is at home: what may be asked meanwhile, such as `INFO`, visits all shards.
    async fn rest(&self) {
        loop {
            tokio::task::yield_now().await;
            if self.thread.with_shard(|shard| shard.keyspace_mut().is_some()) {
                return;
            }
        }
    }
}
