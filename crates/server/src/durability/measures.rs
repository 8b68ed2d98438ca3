//! What is measured of the way to the disk and back, for `INFO` and metrics.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use mayfly_command::{LoadFacts, SnapshotFacts, SnapshotKind};
use mayfly_engine::{Counter, Tally};

/// All of it. The disk's thread writes it, but for what is loaded.
#[derive(Debug)]
pub struct Measures {
    /// Records that went into the log.
    pub records: Counter,
    /// Bytes of the log behind the last snapshot.
    pub log_bytes: Counter,
    /// Bytes of the last snapshot.
    pub snapshot_bytes: Counter,
    /// Bytes that the log has taken and that are not synced.
    pub unsynced_bytes: Counter,
    /// Nanoseconds of each sync of the log, with what it wrote.
    pub sync_nanos: Tally,
    /// Syncs that failed.
    pub sync_failures: Counter,
    /// One is under way.
    pub is_syncing: AtomicBool,
    /// When the snapshot under way began, in nanoseconds of the clock; 0: it waits for its turn.
    pub snapshot_began_nanos: Counter,
    /// How long the last one took that was finished, of either kind.
    pub last_snapshot_nanos: Counter,
    /// Snapshots by what they were asked for.
    snapshots: [SnapshotMeasures; 2],
    /// The start.
    pub load: LoadMeasures,
}

/// Of the snapshots of one kind.
#[derive(Debug, Default)]
pub struct SnapshotMeasures {
    done: Counter,
    failed: Counter,
    failed_in_a_row: Counter,
    /// Of the last one, also if it failed.
    nanos: Counter,
}

/// Of what is loaded at the start.
#[derive(Debug)]
pub struct LoadMeasures {
    /// Bytes of the files to be read.
    pub total_bytes: AtomicU64,
    /// When it began, Unix seconds.
    pub began_seconds: AtomicU64,
    /// How long it took, in nanoseconds; 0 while it goes on.
    pub took_nanos: AtomicU64,
    /// Bytes that were cut off at a torn end.
    pub torn_bytes: AtomicU64,
    /// Of each shard, which reads all of it.
    pub shards: Vec<ShardLoad>,
}

/// How far one shard is, which writes it.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct ShardLoad {
    /// Bytes of records that it has read.
    pub bytes: Counter,
    /// Those records.
    pub records: Counter,
    /// Keys that it holds.
    pub keys: Counter,
    /// Keys that it has dropped, since their deadline was past.
    pub expired: Counter,
}

impl Measures {
    /// Nothing is measured yet, beside so many shards.
    pub fn new(shards: u16) -> Self {
        Measures {
            records: Counter::default(),
            log_bytes: Counter::default(),
            snapshot_bytes: Counter::default(),
            unsynced_bytes: Counter::default(),
            sync_nanos: Tally::default(),
            sync_failures: Counter::default(),
            is_syncing: AtomicBool::new(false),
            snapshot_began_nanos: Counter::default(),
            last_snapshot_nanos: Counter::default(),
            snapshots: Default::default(),
            load: LoadMeasures {
                total_bytes: AtomicU64::new(0),
                began_seconds: AtomicU64::new(0),
                took_nanos: AtomicU64::new(0),
                torn_bytes: AtomicU64::new(0),
                shards: (0..shards).map(|_| ShardLoad::default()).collect(),
            },
        }
    }

    /// The snapshot under way is over.
    pub fn snapshot_ended(&self, kind: SnapshotKind, has_succeeded: bool, now_nanos: u64) {
        let began = self.snapshot_began_nanos.get();
        self.snapshot_began_nanos.set(0);
        let measures = &self.snapshots[kind as usize];
        measures.nanos.set(if began == 0 { 0 } else { now_nanos.saturating_sub(began) });
        if has_succeeded {
            self.last_snapshot_nanos.set(measures.nanos.get());
            measures.done.add(1);
            measures.failed_in_a_row.set(0);
        } else {
            measures.failed.add(1);
            measures.failed_in_a_row.add(1);
        }
    }

    /// A number of the snapshots of both kinds.
    pub fn both(&self, number: impl Fn(SnapshotFacts) -> u64) -> u64 {
        [SnapshotKind::Save, SnapshotKind::Rewrite].map(|kind| number(self.snapshots(kind))).iter().sum()
    }

    /// What `INFO` says of the snapshots of one kind.
    pub fn snapshots(&self, kind: SnapshotKind) -> SnapshotFacts {
        let measures = &self.snapshots[kind as usize];
        let (done, failed) = (measures.done.get(), measures.failed.get());
        SnapshotFacts {
            done,
            failed,
            failed_in_a_row: measures.failed_in_a_row.get(),
            last: (done + failed > 0).then(|| Duration::from_nanos(measures.nanos.get())),
        }
    }
}

impl LoadMeasures {
    /// Bytes that were read: each shard reads all of them, so this is the mean over the shards.
    pub fn bytes(&self) -> u64 {
        let total = self.total_bytes.load(Relaxed);
        if self.took_nanos.load(Relaxed) > 0 {
            return total;
        }
        let sum: u64 = self.shards.iter().map(|shard| shard.bytes.get()).sum();
        (sum / self.shards.len().max(1) as u64).min(total)
    }

    /// A number over all shards.
    pub fn sum(&self, counter: impl Fn(&ShardLoad) -> u64) -> u64 {
        self.shards.iter().map(counter).sum()
    }

    /// Records that were read.
    pub fn records(&self) -> u64 {
        self.shards.iter().map(|shard| shard.records.get()).max().unwrap_or(0)
    }

    /// What `INFO` says of it.
    pub fn facts(&self) -> LoadFacts {
        LoadFacts {
            began_seconds: self.began_seconds.load(Relaxed),
            total_bytes: self.total_bytes.load(Relaxed),
            loaded_bytes: self.bytes(),
            keys: self.sum(|shard| shard.keys.get()),
            expired: self.sum(|shard| shard.expired.get()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_snapshot_of_a_kind_is_told_with_its_duration() {
        let measures = Measures::new(1);
        assert_eq!(measures.snapshots(SnapshotKind::Save), SnapshotFacts::default());
        measures.snapshot_began_nanos.set(1_000);
        measures.snapshot_ended(SnapshotKind::Save, false, 3_000);
        measures.snapshot_ended(SnapshotKind::Save, false, 9_000);
        let facts = measures.snapshots(SnapshotKind::Save);
        assert_eq!((facts.done, facts.failed, facts.failed_in_a_row), (0, 2, 2));
        assert_eq!(facts.last, Some(Duration::ZERO), "it had not begun");
        measures.snapshot_began_nanos.set(10_000);
        measures.snapshot_ended(SnapshotKind::Save, true, 15_000);
        let facts = measures.snapshots(SnapshotKind::Save);
        assert_eq!((facts.done, facts.failed, facts.failed_in_a_row), (1, 2, 0));
        assert_eq!(facts.last, Some(Duration::from_nanos(5_000)));
        assert_eq!(measures.snapshots(SnapshotKind::Rewrite).last, None);
    }

    #[test]
    fn what_is_loaded_is_the_mean_of_the_shards_and_all_of_it_in_the_end() {
        let load = Measures::new(2).load;
        load.total_bytes.store(100, Relaxed);
        load.shards[0].bytes.add(90);
        load.shards[1].bytes.add(30);
        assert_eq!(load.bytes(), 60);
        load.took_nanos.store(1, Relaxed);
        assert_eq!(load.bytes(), 100);
    }
}
