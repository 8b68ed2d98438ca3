//! The disk's thread: the only one that writes to the folder, and that waits for the disk.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::Duration;

use mayfly_command::{Host, SnapshotKind};
use mayfly_config::FsyncPolicy;
use mayfly_persistence::{
    AppendError, Folder, Health, LogStart, LogWriter, RealDisk, SnapshotWriter, Trouble,
};

use super::growth::Growth;
use super::queue::{Order, held_bytes};
use super::{Queue, snapshots};
use crate::error::StartError;
use crate::host::ServerHost;
use crate::inbox::ShardPeer;
use crate::shard::{AskForSnapshot, TakeSnapshot};

/// How long records are gathered where nobody waits for the disk: each round costs some system calls.
const GATHER: Duration = Duration::from_millis(10);
/// With `everysec`, the age of the oldest record that is not synced at which a sync begins.
const SYNC_AFTER: Duration = Duration::from_millis(950);
/// Where changes wait for a `save` point, how often the time is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Room for so many records in the queue is kept; a burst may have needed more.
const ROOM_BODIES_MAX: usize = 16 << 10;
/// A sick disk is tried again after this time.
const RETRY: Duration = Duration::from_millis(100);

/// The disk's thread while it runs.
#[derive(Debug)]
pub struct DiskThread {
    queue: Arc<Queue>,
    /// Whether everything is on the disk.
    thread: JoinHandle<bool>,
}

impl DiskThread {
    /// Starts it, behind a log of so many bytes. It has the folder for as long as it runs.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        host: Arc<ServerHost>,
        queue: Arc<Queue>,
        folder: Folder<RealDisk>,
        log: LogWriter<RealDisk>,
        log_bytes: u64,
        shards: Vec<ShardPeer>,
    ) -> io::Result<Self> {
        let snapshot = folder.manifest().snapshot.iter().map(|part| part.bytes).sum();
        let policy = host.loaded.config.persistence.fsync;
        let growth = Growth::new(log_bytes, snapshot, host.clock.nanos());
        let disk = Disk {
            host,
            queue: Arc::clone(&queue),
            folder,
            before: log.next_sequence() - 1,
            log,
            shards,
            policy,
            oldest_nanos: None,
            is_sick: false,
            has_lost: false,
            saving: None,
            growth,
        };
        // Whoever finds the process ready finds the figures of what it has loaded.
        disk.measure();
        let thread = std::thread::Builder::new().name("disk".to_owned()).spawn(|| disk.run())?;
        Ok(DiskThread { queue, thread })
    }

    /// Has it bring what was handed over to the disk, and end.
    ///
    /// # Errors
    /// Changes that clients were told of are not on the disk.
    pub fn finish(self) -> Result<(), StartError> {
        self.queue.end();
        match self.thread.join() {
            Ok(true) => Ok(()),
            Ok(false) => Err(StartError::Unsynced),
            Err(_) => {
                tracing::error!("the disk's thread ended with a panic");
                Err(StartError::Unsynced)
            }
        }
    }
}

struct Disk {
    host: Arc<ServerHost>,
    queue: Arc<Queue>,
    /// Its lock is ours while this lives.
    folder: Folder<RealDisk>,
    log: LogWriter<RealDisk>,
    /// Records of the log before this process wrote any.
    before: u64,
    shards: Vec<ShardPeer>,
    policy: FsyncPolicy,
    /// When the oldest record that is not synced came, in nanoseconds of the clock.
    oldest_nanos: Option<u64>,
    is_sick: bool,
    /// A change is not in the log, and never will be.
    has_lost: bool,
    saving: Option<Saving>,
    growth: Growth,
}

/// A snapshot under way.
struct Saving {
    generation: u64,
    start: LogStart,
    /// Bytes that the log had taken when it began.
    appended_bytes: u64,
    writer: SnapshotWriter<RealDisk>,
    /// Shards that have more.
    shards: usize,
    began_nanos: u64,
    /// Changes before it began, which it has all.
    changes: u64,
}

impl Disk {
    /// Works until there is nothing more; whether everything is on the disk then.
    fn run(mut self) -> bool {
        let gather = if self.policy == FsyncPolicy::Always { Duration::ZERO } else { GATHER };
        let (mut bodies, mut orders) = (Vec::new(), Vec::new());
        while self.queue.take(&mut bodies, &mut orders, self.patience(), gather) {
            let bytes = bodies.iter().map(held_bytes).sum();
            for body in bodies.drain(..) {
                self.append(&body);
            }
            bodies.shrink_to(ROOM_BODIES_MAX);
            if bytes > 0 {
                self.queue.taken(bytes, &self.shards);
                self.oldest_nanos.get_or_insert(self.host.clock.nanos());
            }
            self.round();
            self.measure();
            // Behind the records that came before them: a snapshot may know of no record that the log lacks.
            for order in orders.drain(..) {
                self.follow(order);
            }
            if let Some(kind) = self.due_snapshot() {
                // Nothing happens where one is under way.
                let _ = self.host.begin_snapshot(kind, false);
            }
        }
        self.end()
    }

    /// Says what there is.
    fn measure(&self) {
        let measures = &self.queue.measures;
        measures.log_bytes.set(self.growth.log(self.log.appended_bytes()));
        measures.snapshot_bytes.set(self.growth.snapshot());
        measures.unsynced_bytes.set(self.log.unsynced_bytes() as u64);
        measures.records.set(self.log.next_sequence() - 1 - self.before);
    }

    /// The snapshot that is to begin by itself.
    fn due_snapshot(&self) -> Option<SnapshotKind> {
        if self.is_sick || self.saving.is_some() {
            return None;
        }
        if self.growth.is_enough(self.log.appended_bytes(), &self.host.loaded.config.persistence) {
            return Some(SnapshotKind::Rewrite);
        }
        let changes = self.host.changes_since_save();
        let config = self.host.config();
        let is_time = self.growth.is_saving_time(&config.persistence.save, changes, self.host.clock.nanos());
        is_time.then_some(SnapshotKind::Save)
    }

    fn follow(&mut self, order: Order) {
        let result = match order {
            Order::Begin(swaps) => self.begin_snapshot(swaps),
            Order::Slice(generation, body) => match &mut self.saving {
                Some(saving) if saving.generation == generation => saving.writer.append(&body),
                _ => Ok(()),
            },
            Order::End(generation) => self.end_of_shard(generation),
            // What is due is looked at behind every order.
            Order::Look => Ok(()),
            Order::Swapped(generation) => {
                if let Some(saving) = self.saving.take_if(|saving| saving.generation == generation) {
                    saving.writer.abandon();
                    tracing::info!("the snapshot is begun anew: two databases have changed places");
                    self.shards[0].address.do_send(AskForSnapshot);
                }
                Ok(())
            }
        };
        if let Err(trouble) = result {
            tracing::error!(%trouble, "a snapshot has failed; the one before it and the whole log count");
            if let Some(saving) = self.saving.take() {
                saving.writer.abandon();
            }
            self.growth.failed(self.log.appended_bytes(), self.host.clock.nanos());
            snapshots::conclude(&self.host, &self.queue, false);
        }
    }

    fn begin_snapshot(&mut self, swaps: u64) -> Result<(), Trouble> {
        let began_nanos = self.host.clock.nanos();
        self.queue.measures.snapshot_began_nanos.set(began_nanos);
        let changes = self.host.changes();
        let rotated = self.log.rotate();
        // It synced what was there.
        self.sync();
        let start = rotated?;
        let appended_bytes = self.log.appended_bytes();
        let generation = self.folder.next_generation();
        let writer = SnapshotWriter::begin(self.folder.disk().clone(), generation, 0)?;
        self.saving = Some(Saving {
            generation,
            start,
            appended_bytes,
            writer,
            shards: self.shards.len(),
            began_nanos,
            changes,
        });
        for shard in &self.shards {
            shard.address.do_send(TakeSnapshot { generation, swaps });
        }
        Ok(())
    }

    /// A shard has no more; the last one makes the snapshot count.
    fn end_of_shard(&mut self, generation: u64) -> Result<(), Trouble> {
        let Some(saving) = self.saving.as_mut().filter(|saving| saving.generation == generation) else {
            return Ok(());
        };
        saving.shards -= 1;
        if saving.shards > 0 {
            return Ok(());
        }
        let Some(saving) = self.saving.take() else { return Ok(()) };
        let part = saving.writer.finish()?;
        let committed = self.folder.commit(generation, vec![part], saving.start, &mut self.log);
        self.sync();
        committed?;
        self.growth.saved(saving.appended_bytes, part.bytes, self.host.clock.nanos());
        self.measure();
        self.queue.changes_saved.store(saving.changes, Relaxed);
        let took_ms = (self.host.clock.nanos() - saving.began_nanos) / 1_000_000;
        tracing::info!(generation, bytes = part.bytes, took_ms, "a snapshot is on the disk");
        self.queue.last_save_seconds.store(self.host.clock.now().0 / 1_000, Relaxed);
        snapshots::conclude(&self.host, &self.queue, true);
        Ok(())
    }

    /// Takes a record into the log. Where there is no room the disk comes first, however long it takes. Once one is lost,
    /// so are those behind it: what is there is always the first changes without a gap.
    fn append(&mut self, body: &[u8]) {
        while !self.has_lost {
            match self.log.append(body) {
                Ok(_) => return,
                Err(AppendError::Full) => {
                    if !self.sync() && !self.queue.rest(RETRY) {
                        tracing::error!("the last changes are lost: the disk takes nothing");
                        self.has_lost = true;
                    }
                }
                Err(AppendError::TooLong(bytes)) => {
                    unreachable!("a record of {bytes} bytes: what clients may send makes none so long")
                }
            }
        }
    }

    /// Writes what the log has taken, and syncs it where that is due.
    fn round(&mut self) {
        let is_due = match self.policy {
            _ if self.is_sick || self.log.wants_sync() => true,
            FsyncPolicy::Always => true,
            FsyncPolicy::Everysec => self.due_in().is_some_and(|wait| wait.is_zero()),
            FsyncPolicy::Never => false,
        };
        if is_due {
            self.sync();
        } else {
            let start = self.host.clock.nanos();
            let _ = self.log.write_out();
            self.took("aof-write", self.host.clock.nanos() - start);
            self.look_at_health();
        }
    }

    /// An event of latency, if it is long enough.
    fn took(&self, event: &'static str, nanos: u64) {
        self.host.diagnostics.took(event, nanos, self.host.clock.now());
    }

    fn sync(&mut self) -> bool {
        let measures = &self.queue.measures;
        let has_work = self.log.unsynced_bytes() > 0;
        let start = self.host.clock.nanos();
        measures.is_syncing.store(true, Relaxed);
        let result = self.log.sync();
        measures.is_syncing.store(false, Relaxed);
        let nanos = self.host.clock.nanos() - start;
        self.took("aof-fsync", nanos);
        match &result {
            Ok(_) if has_work => measures.sync_nanos.record(nanos),
            Ok(_) => {}
            Err(_) => measures.sync_failures.add(1),
        }
        if let Ok(sequence) = result {
            self.oldest_nanos = None;
            self.queue.has_synced(sequence - self.before, &self.shards);
        }
        self.look_at_health();
        result.is_ok()
    }

    /// Tells everybody when the disk falls ill and when it has recovered.
    fn look_at_health(&mut self) {
        match self.log.health() {
            Health::Sick(trouble) => {
                if !self.is_sick {
                    tracing::error!(%trouble, "the disk takes nothing; writes are refused until it does");
                }
                self.is_sick = true;
                self.queue.set_sick(true);
                self.host.door.refuse_writes(trouble.message.clone());
            }
            Health::Well if self.is_sick => {
                self.is_sick = false;
                self.queue.set_sick(false);
                self.host.door.open();
                tracing::info!("the disk has recovered; writes are taken again");
            }
            Health::Well => {}
        }
    }

    /// How long it may wait for records; `None`: until there are some.
    fn patience(&self) -> Option<Duration> {
        let due = if self.is_sick { Some(RETRY) } else { self.due_in() };
        let is_watching = self.saving.is_none()
            && self.host.changes_since_save() > 0
            && !self.host.config().persistence.save.is_empty();
        let watch = is_watching.then_some(LOOK_EVERY);
        due.into_iter().chain(watch).min()
    }

    /// With `everysec`, when the next sync is due.
    fn due_in(&self) -> Option<Duration> {
        let oldest = self.oldest_nanos.filter(|_| self.policy == FsyncPolicy::Everysec)?;
        let age = Duration::from_nanos(self.host.clock.nanos().saturating_sub(oldest));
        Some(SYNC_AFTER.saturating_sub(age))
    }

    fn end(mut self) -> bool {
        match self.log.sync() {
            Ok(_) => {
                tracing::info!(bytes = self.log.appended_bytes(), "all changes are on the disk");
                !self.has_lost
            }
            Err(trouble) => {
                let bytes = self.log.unsynced_bytes();
                tracing::error!(%trouble, bytes, "the last changes are not on the disk");
                bytes == 0 && !self.has_lost
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use mayfly_command::recorder::SPLIT_BYTES;
    use mayfly_config::{DIRECTIVES, Kind};
    use mayfly_persistence::RECORD_BYTES_MAX;

    /// A record ends behind the effect that made it long. The longest effect names a key, and sets a field to a value.
    #[test]
    fn no_limit_that_can_be_set_admits_a_record_that_is_too_long() {
        let longest = DIRECTIVES.iter().find(|directive| directive.path == "limits.bulk_bytes_max");
        let Some(Kind::Bytes { max, .. }) = longest.map(|directive| &directive.kind) else {
            panic!("the longest word has a limit in bytes");
        };
        const NUMBERS_BYTES_MAX: u64 = 100;
        assert!(SPLIT_BYTES as u64 + 3 * max + NUMBERS_BYTES_MAX <= RECORD_BYTES_MAX as u64);
    }
}
