//! Reading the log back.
//!
//! The last segment may end in the middle of what was not synced when the machine stopped. What cannot be read there, and
//! that no whole record behind it testifies to have been on the disk, is a torn tail: it was promised to nobody, and
//! is cut when the caller says so. Everything else that cannot be read is damage, and an error.
//!
//! The same holds for a group of records that are continued, where the last of them is missing: the first is handed out
//! only when a look ahead, which holds no more than a record, has found the last.

use std::collections::VecDeque;

use super::{LogStart, MAGIC};
use crate::disk::{Disk, DiskFile};
use crate::effect::is_continued;
use crate::error::{LoadError, Tried, Trouble, damage};
use crate::frame::FileHeader;
use crate::frames::{Frames, Step};
use crate::names::Name;

/// A record of the log.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its number.
    pub sequence: u64,
    /// Its body: see [`crate::Record`].
    pub body: &'a [u8],
}

/// Reads the records of a log in order.
#[derive(Debug)]
pub struct LogReader<D: Disk> {
    disk: D,
    /// Those that are not read to their end; the first is being read.
    segments: VecDeque<Segment<D::File>>,
    last_segment: u64,
    /// The number of the next record.
    next: u64,
    torn: Vec<Torn>,
    bytes: u64,
    /// The last record of a group that is known to be whole.
    whole_to: u64,
}

#[derive(Debug)]
struct Segment<F> {
    name: String,
    number: u64,
    frames: Frames<F>,
    first: u64,
}

/// What was read, once all is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogEnd {
    /// The number of the last segment that counts; [`super::LogWriter`] goes on behind it.
    pub last_segment: u64,
    /// The number of the next record.
    pub next_sequence: u64,
    /// Bytes of records that were read.
    pub bytes: u64,
    /// What is to be cut before the log is written again.
    pub torn: Vec<Torn>,
}

/// The end of a file that was being written when the machine stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Torn {
    /// The file's name in the folder.
    pub file: String,
    /// Where it begins; 0 where nothing of the file counts.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
}

impl Torn {
    /// Cuts it off.
    pub fn cut(&self, disk: &impl Disk) -> Result<(), Trouble> {
        if self.offset == 0 {
            disk.remove(&self.file).tried("remove", &self.file)?;
            return disk.sync_folder().tried("sync the folder of", &self.file);
        }
        let mut file = disk.open(&self.file).tried("open", &self.file)?;
        file.truncate(self.offset).tried("truncate", &self.file)?;
        file.sync().tried("sync", &self.file)
    }
}

impl<D: Disk> LogReader<D> {
    /// Opens the segments of a log that begins at `start`. Where there is no first one there may be no other.
    pub fn open(disk: &D, start: LogStart) -> Result<Self, LoadError> {
        let mut reader = LogReader {
            disk: disk.clone(),
            segments: VecDeque::new(),
            last_segment: start.segment - 1,
            next: start.sequence,
            torn: Vec::new(),
            bytes: 0,
            whole_to: 0,
        };
        let mut headless: VecDeque<(Segment<D::File>, String)> = VecDeque::new();
        let numbers = numbers(disk, start)?;
        // A log that is named by a manifest exists; so does the first segment where there are others.
        let needs_first = start != LogStart::FIRST || !numbers.is_empty();
        if needs_first && numbers.first() != Some(&start.segment) {
            return Err(LoadError::Missing(Name::Log(start.segment).to_string()));
        }
        for number in numbers {
            let name = Name::Log(number).to_string();
            let file = disk.open(&name).tried("open", &name)?;
            let frames = Frames::new(file).tried("read", &name)?;
            let header = FileHeader::read(&frames.file_header().tried("read", &name)?, MAGIC);
            let mut segment = Segment { name, number, frames, first: 0 };
            match header {
                Err(what) => headless.push_back((segment, what)),
                Ok(header) => {
                    if let Some((broken, what)) = headless.pop_front() {
                        return Err(damage(&broken.name, 0, what).into());
                    }
                    segment.first = header.second;
                    reader.last_segment = number;
                    reader.add(segment, header, number)?;
                }
            }
        }
        for (segment, what) in headless {
            // Its front was on the disk before a record was written to it.
            if segment.frames.find(0, start.sequence, |_| true).tried("read", &segment.name)?.is_some() {
                return Err(damage(&segment.name, 0, what).into());
            }
            reader.torn.push(Torn { bytes: segment.frames.length(), file: segment.name, offset: 0 });
        }
        Ok(reader)
    }

    /// The next record; `None` at the end of the log.
    pub fn read(&mut self) -> Result<Option<Entry<'_>>, LoadError> {
        let Some(sequence) = self.step()? else {
            return Ok(None);
        };
        if sequence > self.whole_to && is_continued(self.body()) && !self.find_end_of_group()? {
            return Ok(None);
        }
        Ok(Some(Entry { sequence, body: self.body() }))
    }

    /// The body of the record that the walk has come to.
    fn body(&self) -> &[u8] {
        self.segments[0].frames.body()
    }

    /// Goes on to the next record and says its number.
    fn step(&mut self) -> Result<Option<u64>, LoadError> {
        loop {
            let limit = self.segments.get(1).map(|next| next.first);
            let Some(segment) = self.segments.front_mut() else {
                return Ok(None);
            };
            if limit == Some(self.next) {
                self.segments.pop_front();
                continue;
            }
            let what = match segment.frames.step(self.next).tried("read", &segment.name)? {
                Step::Frame(header) => {
                    self.next += 1;
                    self.bytes += header.record_bytes();
                    return Ok(Some(header.sequence));
                }
                Step::End if limit.is_none() => {
                    self.segments.pop_front();
                    continue;
                }
                Step::End => "records are missing before the next segment",
                Step::Bad(what) => what,
            };
            let offset = segment.frames.offset();
            let next = self.next;
            let is_synced = || segment.frames.find(offset, next, |header| header.synced() >= next);
            if limit.is_some() || is_synced().tried("read", &segment.name)?.is_some() {
                return Err(damage(&segment.name, offset, what).into());
            }
            let bytes = segment.frames.length() - offset;
            self.torn.insert(0, Torn { file: segment.name.clone(), offset, bytes });
            self.segments.pop_front();
        }
    }

    /// Looks for the last record of the group that begins with the one that was read. Where there is none, all of the group
    /// is a torn tail, and the walk is over.
    fn find_end_of_group(&mut self) -> Result<bool, LoadError> {
        let mut ahead = self.ahead()?;
        while let Some(sequence) = ahead.step()? {
            if !is_continued(ahead.body()) {
                self.whole_to = sequence;
                return Ok(true);
            }
        }
        let first = self.segments.pop_front().expect("a record was read");
        // The last file first: one that is left must not follow on one that is cut.
        for later in self.segments.drain(..).rev() {
            self.torn.push(Torn { bytes: later.frames.length(), file: later.name, offset: 0 });
        }
        let (offset, length) = (first.frames.offset(), first.frames.length());
        self.bytes -= first.frames.record_bytes();
        self.next -= 1;
        self.last_segment = first.number;
        self.torn.push(Torn { file: first.name, offset, bytes: length - offset });
        Ok(false)
    }

    /// Another walk over what is behind the record that was read.
    fn ahead(&self) -> Result<Self, LoadError> {
        let mut segments = VecDeque::new();
        for Segment { name, number, frames, first } in &self.segments {
            let file = self.disk.open(name).tried("open", name)?;
            let (name, number, first) = (name.clone(), *number, *first);
            segments.push_back(Segment { name, number, frames: frames.ahead(file), first });
        }
        let (disk, torn) = (self.disk.clone(), Vec::new());
        let (last_segment, next) = (self.last_segment, self.next);
        Ok(LogReader { disk, segments, last_segment, next, torn, bytes: 0, whole_to: 0 })
    }

    /// Where the record lies that was read last: a file and an offset.
    pub fn position(&self) -> (&str, u64) {
        self.segments.front().map_or(("", 0), |segment| (&segment.name, segment.frames.offset()))
    }

    /// What was read, after [`LogReader::read`] has answered `None`.
    pub fn end(self) -> LogEnd {
        debug_assert!(self.segments.is_empty(), "the log is read to its end");
        LogEnd {
            last_segment: self.last_segment,
            next_sequence: self.next,
            bytes: self.bytes,
            torn: self.torn,
        }
    }

    fn add(&mut self, segment: Segment<D::File>, header: FileHeader, number: u64) -> Result<(), LoadError> {
        let what = if header.number != number {
            format!("it is segment {} under another name", header.number)
        } else {
            match self.segments.back() {
                None if header.second == self.next => String::new(),
                None => format!("it begins with record {} instead of {}", header.second, self.next),
                Some(last) if header.second >= last.first => String::new(),
                Some(last) => format!("it begins with record {}, before {}", header.second, last.first),
            }
        };
        if !what.is_empty() {
            return Err(damage(&segment.name, 0, what).into());
        }
        self.segments.push_back(segment);
        Ok(())
    }
}

/// The numbers of the segments there are from the first on, in order.
pub(crate) fn numbers(disk: &impl Disk, start: LogStart) -> Result<Vec<u64>, Trouble> {
    let names = disk.list().tried("list", "the folder")?;
    let numbers = names.iter().filter_map(|name| match Name::parse(name) {
        Some(Name::Log(number)) if number >= start.segment => Some(number),
        _ => None,
    });
    let mut numbers: Vec<u64> = numbers.collect();
    numbers.sort_unstable();
    Ok(numbers)
}
