//! Snapshots: every key as it was at some moment while the snapshot was written, in one or several files ("parts").
//!
//! ```text
//!  snapshot-00000003-001.mayfly
//!  ┌──────────┬───┬───┬───┬───┬─────┐     a record holds some keys: Key, Set…, Deadline, Key, Set…, Deadline
//!  │ MAYFLYSN │ 1 │ 2 │ 3 │ 4 │ end │     a large hash is spread over several, each of which names it again
//!  │ 3, 1     │   │   │   │   │  4  │     end: the number of records, so that an unfinished one is known
//!  └──────────┴───┴───┴───┴───┴─────┘
//! ```
//!
//! # Why the log over a snapshot converges
//!
//! A shard writes its keys slice by slice and runs batches in between, so the snapshot holds one key as it was before
//! an effect and another as it was after it. Nobody ever saw that keyspace. But the log goes on from a segment that
//! was begun before the first slice, and it is replayed over the snapshot as a whole:
//!
//! - What an effect touches (a field, a deadline, all of a key, all of a database) is afterwards as the effect says,
//!   whatever it was before. So what some effect in the log touches is in the end as the last of them says, whether
//!   the snapshot was taken before, between or behind them.
//! - What no effect in the log touches has not changed since before the first slice, and the snapshot has it as it was.
//! - A field that leaves takes its key along where it is the last, and the deadline with it. In a replay that can happen
//!   where it did not happen in life, since the snapshot may lack fields that had gone later. The key then comes back
//!   with the next field that is set, and the deadline with it, because whatever sets a field says the deadline.
//! - A key that expires by time leaves no effect. So records are applied whatever the time, of the log and of a snapshot:
//!   a key whose deadline is past lies there until the last record, and then is dropped, unless an effect has moved the
//!   deadline meanwhile. What came into being after it under the same name has removed it first, because whatever
//!   sets a field of a key that was absent does. And an effect on a key that the snapshot lacks, because it had expired
//!   by then, makes one whose deadline is past as well.
//!   (To apply records as of their own `now`, a key being absent from its deadline on, seems as good and is not: a hash
//!   whose first piece was written before its deadline was moved, and whose second piece after the old deadline, would
//!   lose the first.)
//! - `SWAPDB` is the one effect that says how to get there instead of what holds: applied to keys of which some were
//!   written before and some after it, it mixes two databases. A snapshot during which it happens is begun anew.
//!
//! Two things have to be in order, and [`crate::Folder::commit`] sees to both. The manifest names a snapshot only when
//! all of its parts are on the disk. And only when the log is, up to the last slice: else a crash could leave slices
//! that know of an effect, and a log that ends before it.

use crate::disk::{Disk, DiskFile};
use crate::effect::END_OF_SNAPSHOT;
use crate::error::{Damage, LoadError, Tried, Trouble, damage};
use crate::frame::{self, FILE_HEADER_BYTES, FRAME_HEADER_BYTES, FileHeader};
use crate::frames::{Frames, Step};
use crate::names::Name;
use crate::varint;

/// The first bytes of a part.
pub(crate) const MAGIC: [u8; 8] = *b"MAYFLYSN";
/// How much is written with one call.
const WRITE_BYTES: usize = 1 << 20;
/// How much may wait in the system's cache, so that no single sync takes long.
const UNSYNCED_BYTES_MAX: u64 = 32 << 20;

/// A part of a snapshot as the manifest names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its number.
    pub part: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Records in it, without the last one, which says their number.
    pub records: u64,
}

/// Writes a part of a snapshot. After an error it is of no use any more: [`SnapshotWriter::abandon`] it.
#[derive(Debug)]
pub struct SnapshotWriter<D: Disk> {
    disk: D,
    file: D::File,
    name: String,
    part: u64,
    records: u64,
    waiting: Vec<u8>,
    written: u64,
    synced: u64,
}

impl<D: Disk> SnapshotWriter<D> {
    /// Begins a part; the generation is one of [`crate::Folder::next_generation`].
    pub fn begin(disk: D, generation: u64, part: u64) -> Result<Self, Trouble> {
        let name = Name::Snapshot { generation, part }.to_string();
        let file = disk.create(&name).tried("create", &name)?;
        let waiting = FileHeader { magic: MAGIC, number: generation, second: part }.write().to_vec();
        Ok(SnapshotWriter { disk, file, name, part, records: 0, waiting, written: 0, synced: 0 })
    }

    /// Adds a record: the body that a [`crate::Journal`] has made of a slice of keys, at most
    /// [`crate::RECORD_BYTES_MAX`] long.
    pub fn append(&mut self, body: &[u8]) -> Result<(), Trouble> {
        self.push(self.records + 1, body);
        self.records += 1;
        if self.waiting.len() < WRITE_BYTES { Ok(()) } else { self.write_out() }
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.written + self.waiting.len() as u64
    }

    /// Writes the end, and brings all of it to the disk.
    pub fn finish(mut self) -> Result<Part, Trouble> {
        let part = self.end();
        if part.is_err() {
            self.abandon();
        }
        part
    }

    /// Removes what was written. Where that fails the next start does it.
    pub fn abandon(self) {
        let _ = self.disk.remove(&self.name);
    }

    fn end(&mut self) -> Result<Part, Trouble> {
        self.push(self.records + 1, &end_of(self.records));
        self.write_out()?;
        self.file.sync().tried("sync", &self.name)?;
        Ok(Part { part: self.part, bytes: self.written, records: self.records })
    }

    fn push(&mut self, sequence: u64, body: &[u8]) {
        // It testifies to nothing: a snapshot counts only as a whole.
        frame::push(&mut self.waiting, sequence, u64::MAX, body);
    }

    fn write_out(&mut self) -> Result<(), Trouble> {
        self.file.write_at(self.written, &self.waiting).tried("write", &self.name)?;
        self.written += self.waiting.len() as u64;
        self.waiting.clear();
        self.waiting.shrink_to(2 * WRITE_BYTES);
        if self.written - self.synced >= UNSYNCED_BYTES_MAX {
            self.file.sync().tried("sync", &self.name)?;
            self.synced = self.written;
        }
        Ok(())
    }
}

/// Reads a part of a snapshot.
#[derive(Debug)]
pub struct SnapshotReader<D: Disk> {
    name: String,
    frames: Frames<D::File>,
    part: Part,
    records: u64,
    is_at_end: bool,
}

impl<D: Disk> SnapshotReader<D> {
    /// Opens a part.
    pub fn open(disk: &D, generation: u64, part: Part) -> Result<Self, LoadError> {
        let name = Name::Snapshot { generation, part: part.part }.to_string();
        let file = match disk.open(&name) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(LoadError::Missing(name));
            }
            other => other.tried("open", &name)?,
        };
        let frames = Frames::new(file).tried("read", &name)?;
        let header = FileHeader::read(&frames.file_header().tried("read", &name)?, MAGIC)
            .map_err(|what| damage(&name, 0, what))?;
        if (header.number, header.second) != (generation, part.part) {
            let what = format!("it is part {} of snapshot {}", header.second, header.number);
            return Err(damage(&name, 0, what).into());
        }
        Ok(SnapshotReader { name, frames, part, records: 0, is_at_end: false })
    }

    /// The body of the next record; `None` at the end, when everything is as it should be.
    pub fn read(&mut self) -> Result<Option<&[u8]>, LoadError> {
        if self.is_at_end {
            return Ok(None);
        }
        let step = self.frames.step(self.records + 1).tried("read", &self.name)?;
        let what = match step {
            Step::Frame(_) if self.frames.body().first() != Some(&END_OF_SNAPSHOT) => {
                self.records += 1;
                return Ok(Some(self.frames.body()));
            }
            Step::Frame(header) => {
                let bytes = self.frames.offset() + header.record_bytes();
                let is_end = is_end(self.frames.body(), self.records)
                    && self.records == self.part.records
                    && bytes == self.part.bytes
                    && bytes == self.frames.length();
                if is_end {
                    self.is_at_end = true;
                    return Ok(None);
                }
                "the number of records or bytes is not that of the manifest"
            }
            Step::End => "the end of the snapshot is missing",
            Step::Bad(what) => what,
        };
        Err(damage(&self.name, self.frames.offset(), what).into())
    }

    /// Where the record lies that was read last: a file and an offset.
    pub fn position(&self) -> (&str, u64) {
        (&self.name, self.frames.offset())
    }

    /// Whether the file is as long as the manifest says.
    pub(crate) fn has_its_length(&self) -> bool {
        self.frames.length() == self.part.bytes
    }

    /// Says what is wrong with the record that was read last; it counts no more.
    pub(crate) fn refuse(&mut self, what: String) -> Damage {
        self.records -= 1;
        damage(&self.name, self.frames.offset(), what)
    }

    /// Records that were read.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }
}

/// Makes an end of a part that is whole up to `offset`, with so many records, and has nothing behind.
pub(crate) fn end_at<D: Disk>(
    disk: &D,
    name: &str,
    part: u64,
    offset: u64,
    records: u64,
) -> Result<Part, Trouble> {
    let mut bytes = Vec::new();
    frame::push(&mut bytes, records + 1, u64::MAX, &end_of(records));
    let mut file = disk.open(name).tried("open", name)?;
    file.truncate(offset).tried("truncate", name)?;
    file.write_at(offset, &bytes).tried("write", name)?;
    file.sync().tried("sync", name)?;
    debug_assert!(offset >= FILE_HEADER_BYTES as u64 && bytes.len() > FRAME_HEADER_BYTES);
    Ok(Part { part, bytes: offset + bytes.len() as u64, records })
}

/// Whether a body is that of the last record behind so many others.
pub(crate) fn is_end(body: &[u8], records: u64) -> bool {
    body == end_of(records)
}

/// The body of the last record.
fn end_of(records: u64) -> Vec<u8> {
    let mut body = vec![END_OF_SNAPSHOT];
    varint::push(&mut body, records);
    body
}
