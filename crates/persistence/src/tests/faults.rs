//! A failure or a power cut at every call: what is loaded is a prefix of the records that were appended, with all that
//! were synced.

use super::Seed;
use super::model::{Command, Key, Model, Walk};
use crate::disk::memory::MemoryDisk;
use crate::{Folder, Journal, LoadError, LogOptions, LogStart, LogWriter, Part, SnapshotWriter, Trouble};

/// Steps in the life of a process.
const STEPS: usize = 60;

/// What was written, over all lives of a process.
struct History {
    /// The keyspace after each record; the first is before all of them.
    states: Vec<Model>,
    /// The record that is known to be on the disk.
    synced: usize,
    now: i64,
    rng: fastrand::Rng,
}

/// Each record says its own number here, so that a keyspace says which record was its last.
fn counter() -> Key {
    (9, b"records".to_vec())
}

impl History {
    fn new(rng: fastrand::Rng) -> Self {
        History { states: vec![Model::default()], synced: 0, now: 1_000, rng }
    }

    /// Loads a folder, and checks it. A start that meets trouble is repeated, as an operator would.
    fn load(&mut self, disk: &MemoryDisk) -> (Folder<MemoryDisk>, LogWriter<MemoryDisk>) {
        loop {
            match self.try_load(disk) {
                Ok(loaded) => return loaded,
                Err(LoadError::Trouble(trouble)) => {
                    assert!(trouble.message == "injected", "{trouble}");
                }
                Err(error) => panic!("{error}; synced {} of {}", self.synced, self.states.len() - 1),
            }
        }
    }

    fn try_load(
        &mut self,
        disk: &MemoryDisk,
    ) -> Result<(Folder<MemoryDisk>, LogWriter<MemoryDisk>), LoadError> {
        let folder = Folder::open(disk.clone())?;
        let mut loaded = Model::default();
        for part in &folder.manifest().snapshot {
            let mut reader = folder.read_snapshot(*part)?;
            while let Some(body) = reader.read()? {
                loaded.apply(body);
            }
        }
        let mut reader = folder.read_log()?;
        while let Some(entry) = reader.read()? {
            loaded.apply(entry.body);
        }
        let end = reader.end();
        let records = end.next_sequence as usize - 1;
        assert!(records >= self.synced, "{records} records are left of {} that were synced", self.synced);
        assert!(records < self.states.len(), "there are {records} records, which is more than were appended");
        assert_eq!(loaded.seen(self.now), self.states[records].seen(self.now), "after {records} records");
        for torn in &end.torn {
            torn.cut(disk)?;
        }
        folder.remove_strays()?;
        self.states.truncate(records + 1);
        self.synced = records;
        let log = LogWriter::new(disk.clone(), end.last_segment, end.next_sequence, LogOptions::default());
        Ok((folder, log))
    }

    /// Runs a process for a while, whatever its disk does.
    fn live(&mut self, disk: &MemoryDisk, folder: &mut Folder<MemoryDisk>, log: &mut LogWriter<MemoryDisk>) {
        let (mut journal, mut snapshot) = (Journal::new(), None);
        for _ in 0..STEPS {
            self.now += self.rng.i64(0..3);
            match self.rng.u8(0..20) {
                0..10 => self.append(log, &mut journal),
                10..12 => drop(log.write_out()),
                12..15 => drop(log.sync()),
                15 => drop(log.rotate()),
                16..19 if snapshot.is_some() => {
                    snapshot = snapshot.and_then(|snapshot| self.go_on(snapshot, folder, log, &mut journal));
                }
                _ if snapshot.is_none() => snapshot = Snapshot::begin(disk, folder, log).ok(),
                _ => {}
            }
            self.synced = log.synced() as usize;
        }
    }

    fn append(&mut self, log: &mut LogWriter<MemoryDisk>, journal: &mut Journal) {
        let mut model = self.states.last().expect("there is a first").clone();
        journal.begin(self.now);
        for _ in 0..self.rng.usize(1..4) {
            model.run(&self.draw(), self.now, journal);
        }
        let number = self.states.len();
        model.run(&Command::Set(counter(), 0, (number % 256) as u8), self.now, journal);
        let sequence = log.append(journal.finish()).expect("there is room");
        assert_eq!(sequence as usize, number);
        self.states.push(model);
    }

    /// Writes one more slice of a snapshot, or finishes it; `None` once it is done or has failed.
    fn go_on(
        &mut self,
        mut snapshot: Snapshot,
        folder: &mut Folder<MemoryDisk>,
        log: &mut LogWriter<MemoryDisk>,
        journal: &mut Journal,
    ) -> Option<Snapshot> {
        let model = self.states.last().expect("there is a first");
        let has_more = snapshot.walk.slice(model, self.now, 3, journal);
        let part = self.rng.usize(..snapshot.parts.len());
        if snapshot.parts[part].append(journal.finish()).is_err() {
            snapshot.parts.into_iter().for_each(SnapshotWriter::abandon);
            return None;
        }
        if has_more {
            return Some(snapshot);
        }
        let parts: Result<Vec<Part>, Trouble> =
            snapshot.parts.into_iter().map(SnapshotWriter::finish).collect();
        let _ = folder.commit(snapshot.generation, parts.ok()?, snapshot.start, log);
        None
    }

    fn draw(&mut self) -> Command {
        let rng = &mut self.rng;
        let key: Key = (rng.u16(0..2), vec![rng.u8(0..4)]);
        match rng.u8(0..12) {
            0..5 => Command::Set(key, rng.u8(0..4), rng.u8(..)),
            5..7 => Command::SetAndExpire(key, rng.u8(0..4), rng.u8(..), rng.i64(1..20)),
            7 => Command::RemoveField(key, rng.u8(0..4)),
            8 => Command::Expire(key, rng.i64(1..20)),
            9 => Command::Remove(key),
            10 => Command::Rename(key, (rng.u16(0..2), vec![rng.u8(0..4)])),
            _ => Command::Flush(rng.u16(0..2)),
        }
    }

    fn cut_power(&mut self, disk: &MemoryDisk) -> MemoryDisk {
        disk.crash(&mut |below| self.rng.usize(..below))
    }
}

/// A snapshot that is being written, in two parts.
struct Snapshot {
    generation: u64,
    start: LogStart,
    parts: Vec<SnapshotWriter<MemoryDisk>>,
    walk: Walk,
}

impl Snapshot {
    fn begin(
        disk: &MemoryDisk,
        folder: &mut Folder<MemoryDisk>,
        log: &mut LogWriter<MemoryDisk>,
    ) -> Result<Self, Trouble> {
        let start = log.rotate()?;
        let generation = folder.next_generation();
        let mut parts = Vec::new();
        for part in 0..2 {
            parts.push(SnapshotWriter::begin(disk.clone(), generation, part)?);
        }
        Ok(Snapshot { generation, start, parts, walk: Walk::default() })
    }
}

/// Two lives and a third start, with a power cut behind each. `inject` arranges for what goes wrong in the first.
fn live_twice(rng: fastrand::Rng, inject: impl FnOnce(&MemoryDisk, &mut fastrand::Rng)) -> u64 {
    let mut history = History::new(rng);
    let mut disk = MemoryDisk::new();
    let (mut folder, mut log) = history.load(&disk);
    let mut rng = history.rng.fork();
    inject(&disk, &mut rng);
    history.live(&disk, &mut folder, &mut log);
    let calls = disk.calls();
    disk = history.cut_power(&disk);
    let (mut folder, mut log) = history.load(&disk);
    history.live(&disk, &mut folder, &mut log);
    disk = history.cut_power(&disk);
    drop(history.load(&disk));
    calls
}

#[test]
fn a_power_cut_after_any_call_leaves_a_prefix_with_all_that_was_synced() {
    let seed = Seed::of_this_run();
    for run in 0..20 {
        let calls = live_twice(seed.rng(run), |_, _| ());
        for call in 0..=calls {
            live_twice(seed.rng(run), |disk, _| disk.stop(call));
        }
    }
}

#[test]
fn a_failure_of_any_call_leaves_a_prefix_with_all_that_was_synced() {
    let seed = Seed::of_this_run();
    for run in 0..20 {
        let calls = live_twice(seed.rng(run), |_, _| ());
        for call in 0..=calls {
            live_twice(seed.rng(run), |disk, _| disk.fail(call..call + 1));
            live_twice(seed.rng(run), |disk, rng| {
                let end = call + rng.u64(2..20);
                disk.fail(call..end);
                if rng.bool() {
                    disk.stop(call + rng.u64(0..40));
                }
            });
        }
    }
}

#[test]
fn a_start_that_fails_at_any_call_changes_nothing_that_counts() {
    let seed = Seed::of_this_run();
    for run in 0..20 {
        let mut history = History::new(seed.rng(run));
        let disk = MemoryDisk::new();
        let (mut folder, mut log) = history.load(&disk);
        history.live(&disk, &mut folder, &mut log);
        let torn = history.cut_power(&disk);
        for call in 0..12 {
            // A disk as it was then, whose names and bytes are all that is left.
            let disk = torn.crash(&mut |_| 0);
            let mut history = History {
                states: history.states.clone(),
                synced: history.synced,
                now: history.now,
                rng: history.rng.fork(),
            };
            disk.fail(call..call + 1);
            drop(history.load(&disk));
            disk.fail(0..0);
            drop(history.load(&disk));
        }
    }
}
