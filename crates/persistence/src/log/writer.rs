//! Writing the log: records are taken at once, written out together, synced together.

use super::kept::Kept;
use super::{LogStart, MAGIC};
use crate::disk::{Disk, DiskFile, remove_if_there};
use crate::error::{Tried, Trouble};
use crate::frame::{FILE_HEADER_BYTES, FRAME_HEADER_BYTES, FileHeader, RECORD_BYTES_MAX};
use crate::names::Name;

/// What a [`LogWriter`] may be told.
#[derive(Clone, Copy, Debug)]
pub struct LogOptions {
    /// With so many bytes that are not known to be on the disk no more records are taken.
    pub unsynced_bytes_max: usize,
}

impl Default for LogOptions {
    fn default() -> Self {
        LogOptions { unsynced_bytes_max: 64 << 20 }
    }
}

/// Whether the disk does what it should.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Health {
    /// It does.
    Well,
    /// The last attempt failed. The next one that succeeds makes it well again.
    Sick(Trouble),
}

/// Why a record was not taken; it stays the caller's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AppendError {
    /// Too much waits for the disk already: write out and sync, then try again.
    #[error("too many bytes of the log wait for the disk")]
    Full,
    /// It is longer than [`RECORD_BYTES_MAX`]. It can only be split by whoever made it.
    #[error("a record of {0} bytes is too long for the log")]
    TooLong(usize),
}

/// Writes the log of a folder. It works only when it is called; nothing is lost between a call that failed and the next.
#[derive(Debug)]
pub struct LogWriter<D: Disk> {
    disk: D,
    options: LogOptions,
    /// Where records go. `None`: the next one is yet to be begun.
    segment: Option<Segment<D::File>>,
    /// The number of the last segment that was begun.
    number: u64,
    /// A segment that could not be begun may have left a file behind.
    has_remains: bool,
    /// Segments that were given up: how many bytes of them count.
    given_up: Vec<(String, u64)>,
    /// The records behind `synced`: the first `written` bytes are in the segment, up to record `written_to`.
    kept: Kept,
    written: usize,
    written_to: u64,
    synced: u64,
    next: u64,
    appended_bytes: u64,
    health: Health,
}

#[derive(Debug)]
struct Segment<F> {
    file: F,
    name: String,
    /// The number of its first record.
    first: u64,
    /// Bytes that are written, and of those the bytes that are synced.
    length: u64,
    synced_length: u64,
}

impl<D: Disk> LogWriter<D> {
    /// A writer behind what was read: the number of the last segment there is, and of the next record. Its first segment
    /// is begun with the first record.
    pub fn new(disk: D, last_segment: u64, next_sequence: u64, options: LogOptions) -> Self {
        let synced = next_sequence - 1;
        LogWriter {
            disk,
            options,
            segment: None,
            number: last_segment,
            has_remains: false,
            given_up: Vec::new(),
            kept: Kept::default(),
            written: 0,
            written_to: synced,
            synced,
            next: next_sequence,
            appended_bytes: 0,
            health: Health::Well,
        }
    }

    /// Takes the body of a record, and says its number. The disk is not touched.
    pub fn append(&mut self, body: &[u8]) -> Result<u64, AppendError> {
        if body.len() > RECORD_BYTES_MAX {
            return Err(AppendError::TooLong(body.len()));
        }
        // One record more is always taken where there is room for some of it, so that a long one is not stuck.
        if self.kept.bytes() >= self.options.unsynced_bytes_max {
            return Err(AppendError::Full);
        }
        let sequence = self.next;
        self.kept.push(sequence, sequence - self.synced, body);
        self.appended_bytes += (FRAME_HEADER_BYTES + body.len()) as u64;
        self.next += 1;
        Ok(sequence)
    }

    /// Writes what was taken, with one call to the system unless it is much. It is then safe from a crash of the process,
    /// not of the machine.
    pub fn write_out(&mut self) -> Result<(), Trouble> {
        let result = self.try_write_out();
        self.note(result)
    }

    /// Writes what was taken and brings it to the disk; says the number of the last record that is there. Where the last
    /// attempt failed this tries again, so that a caller learns that the disk has recovered.
    pub fn sync(&mut self) -> Result<u64, Trouble> {
        let result = self.try_sync();
        self.note(result).map(|()| self.synced)
    }

    /// Begins a new segment, with all before it synced, and says where it begins: for a snapshot.
    pub fn rotate(&mut self) -> Result<LogStart, Trouble> {
        let result = self.try_rotate();
        self.note(result).map(|()| LogStart { segment: self.number, sequence: self.next })
    }

    /// The number of the last record that is known to be on the disk.
    pub fn synced(&self) -> u64 {
        self.synced
    }

    /// The number of the next record.
    pub fn next_sequence(&self) -> u64 {
        self.next
    }

    /// Bytes of records that are not known to be on the disk, all of them in memory too.
    pub fn unsynced_bytes(&self) -> usize {
        self.kept.bytes()
    }

    /// Whether half of what may wait does. A caller that never syncs for its clients' sake does so here, for the sake of
    /// memory.
    pub fn wants_sync(&self) -> bool {
        self.kept.bytes() >= self.options.unsynced_bytes_max / 2
    }

    /// Bytes of all records that this writer has taken.
    pub fn appended_bytes(&self) -> u64 {
        self.appended_bytes
    }

    /// Whether the last attempt succeeded.
    pub fn health(&self) -> &Health {
        &self.health
    }

    fn note(&mut self, result: Result<(), Trouble>) -> Result<(), Trouble> {
        self.health = match &result {
            Ok(()) => Health::Well,
            Err(trouble) => Health::Sick(trouble.clone()),
        };
        result
    }

    fn try_write_out(&mut self) -> Result<(), Trouble> {
        if self.written == self.kept.bytes() && (self.segment.is_some() || self.health == Health::Well) {
            return Ok(());
        }
        let segment = match &mut self.segment {
            Some(segment) => segment,
            // After trouble with the last one also where nothing is to be written: the disk shows here whether it has
            // recovered.
            None => {
                let segment = self.begin_segment()?;
                self.segment.insert(segment)
            }
        };
        for bytes in self.kept.behind(self.written) {
            if let Err(error) = segment.file.write_at(segment.length, bytes) {
                // A part of it may be there. Left there it does no harm, the same bytes are written over it; but a full
                // disk is better without.
                let _ = segment.file.truncate(segment.length);
                return Err(error).tried("write", &segment.name);
            }
            segment.length += bytes.len() as u64;
            self.written += bytes.len();
        }
        self.written_to = self.next - 1;
        Ok(())
    }

    fn try_sync(&mut self) -> Result<(), Trouble> {
        self.try_write_out()?;
        let Some(segment) = &mut self.segment else {
            return Ok(());
        };
        if segment.synced_length == segment.length {
            return Ok(());
        }
        if let Err(error) = segment.file.sync() {
            let name = segment.name.clone();
            self.given_up.push((name.clone(), segment.synced_length));
            self.segment = None;
            self.written = 0;
            return Err(error).tried("sync", &name);
        }
        segment.synced_length = segment.length;
        self.synced = self.written_to;
        // All of it is written, or this would not have been reached.
        self.kept.clear();
        self.written = 0;
        Ok(())
    }

    fn try_rotate(&mut self) -> Result<(), Trouble> {
        self.try_sync()?;
        if self.segment.as_ref().is_some_and(|segment| segment.first == self.next) {
            return Ok(());
        }
        // From here on the old one is closed, also if the new one cannot be begun: what is left of the attempt may say
        // that records from now on are not in the old one.
        self.segment = None;
        self.segment = Some(self.begin_segment()?);
        Ok(())
    }

    /// Begins the next segment with the first record that is not synced. On an error the next attempt takes the same
    /// number again.
    fn begin_segment(&mut self) -> Result<Segment<D::File>, Trouble> {
        let number = self.number + 1;
        let name = Name::Log(number).to_string();
        if self.has_remains {
            remove_if_there(&self.disk, &name).tried("remove", &name)?;
        }
        self.has_remains = true;
        let first = self.synced + 1;
        debug_assert_eq!(self.written, 0, "nothing of what is kept is in a segment that does not exist");
        let mut file = self.disk.create(&name).tried("create", &name)?;
        let header = FileHeader { magic: MAGIC, number, second: first };
        file.write_at(0, &header.write()).tried("write", &name)?;
        file.sync().tried("sync", &name)?;
        self.disk.sync_folder().tried("sync the folder of", &name)?;
        self.has_remains = false;
        self.number = number;
        for (name, length) in self.given_up.drain(..) {
            // If it cannot be cut, the front of the new segment tells a reader as much.
            let _ = self.disk.open(&name).and_then(|mut file| {
                file.truncate(length)?;
                file.sync()
            });
        }
        let length = FILE_HEADER_BYTES as u64;
        Ok(Segment { file, name, first, length, synced_length: length })
    }
}
