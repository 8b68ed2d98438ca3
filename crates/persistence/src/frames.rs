//! A walk over the records of one file, and the search for records behind a place where the walk came to grief.
//!
//! Nothing is allocated by what a file announces beyond what it has: a length is checked against the bytes that are
//! left before it is used.

use std::io;

use crate::disk::{DiskFile, read_full};
use crate::frame::{FILE_HEADER_BYTES, FRAME_HEADER_BYTES, FrameHeader};

/// How much is read at once; a longer record is read whole.
const READ_BYTES: usize = 1 << 20;

/// Where the walk has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// A record: its body is [`Frames::body`].
    Frame(FrameHeader),
    /// The end of the file, right behind a record.
    End,
    /// No record that could be used, and what is wrong with it.
    Bad(&'static str),
}

/// A walk over the records of a file.
#[derive(Debug)]
pub(crate) struct Frames<F> {
    file: F,
    length: u64,
    /// Bytes of the file from `offset` on; those before `front` are done with.
    buffer: Vec<u8>,
    offset: u64,
    front: usize,
    /// Bytes of the record that the walk stands on.
    record_bytes: usize,
}

impl<F: DiskFile> Frames<F> {
    /// A walk from the first record on.
    pub fn new(file: F) -> io::Result<Self> {
        let length = file.length()?;
        let offset = FILE_HEADER_BYTES as u64;
        Ok(Frames { file, length, buffer: Vec::new(), offset, front: 0, record_bytes: 0 })
    }

    /// Another walk over the same file, from behind the record on which this one stands.
    pub fn ahead(&self, file: F) -> Self {
        let offset = self.offset() + self.record_bytes as u64;
        Frames { file, length: self.length, buffer: Vec::new(), offset, front: 0, record_bytes: 0 }
    }

    /// Where in the file the walk stands: at the record it has come to, at the end, or where there is none.
    pub fn offset(&self) -> u64 {
        self.offset + self.front as u64
    }

    /// Bytes of the record that the walk has come to.
    pub fn record_bytes(&self) -> u64 {
        self.record_bytes as u64
    }

    /// Bytes of the file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The first bytes of the file.
    pub fn file_header(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; FILE_HEADER_BYTES];
        let count = read_full(&self.file, 0, &mut bytes)?;
        bytes.truncate(count);
        Ok(bytes)
    }

    /// The body of the record that the walk has come to.
    pub fn body(&self) -> &[u8] {
        &self.buffer[self.front + FRAME_HEADER_BYTES..self.front + self.record_bytes]
    }

    /// Goes on to the next record, which should have this number. Where it is bad the walk stays.
    pub fn step(&mut self, sequence: u64) -> io::Result<Step> {
        self.front += std::mem::take(&mut self.record_bytes);
        let left = self.length.saturating_sub(self.offset());
        if left == 0 {
            return Ok(Step::End);
        }
        if left < FRAME_HEADER_BYTES as u64 {
            return Ok(Step::Bad("a record is cut short"));
        }
        self.fill(FRAME_HEADER_BYTES)?;
        let Some(front) = self.buffer[self.front..].first_chunk() else {
            return Ok(Step::Bad("a record is cut short"));
        };
        let header = FrameHeader::read(front);
        if header.record_bytes() > left {
            return Ok(Step::Bad("a record is cut short, or its length is wrong"));
        }
        let record_bytes = header.record_bytes() as usize;
        self.fill(record_bytes)?;
        let Some(record) = self.buffer[self.front..].get(..record_bytes) else {
            return Ok(Step::Bad("a record is cut short"));
        };
        let checksum = crc32c::crc32c_append(header.checksum_of_front(), &record[FRAME_HEADER_BYTES..]);
        if checksum != header.checksum {
            return Ok(Step::Bad("the checksum of a record is wrong"));
        }
        if header.sequence != sequence {
            return Ok(Step::Bad("a record is out of order"));
        }
        self.record_bytes = record_bytes;
        Ok(Step::Frame(header))
    }

    /// Looks behind `offset` for a whole record with a number from `sequence` on that is accepted, at any byte.
    pub fn find(
        &self,
        offset: u64,
        sequence: u64,
        accept: impl Fn(&FrameHeader) -> bool,
    ) -> io::Result<Option<FrameHeader>> {
        let mut window = vec![0; READ_BYTES.min(self.length as usize + 1)];
        // As many records as there could be: numbers beyond are no records.
        let last = sequence.saturating_add(self.length / FRAME_HEADER_BYTES as u64);
        let mut at = offset;
        loop {
            let count = read_full(&self.file, at, &mut window)?;
            for start in 0..count.saturating_sub(FRAME_HEADER_BYTES - 1) {
                let front =
                    window[start..].first_chunk().expect("the range ends where a record's front fits");
                let header = FrameHeader::read(front);
                if (sequence..=last).contains(&header.sequence)
                    && accept(&header)
                    && self.is_whole(at + start as u64, &header)?
                {
                    return Ok(Some(header));
                }
            }
            if count < window.len() {
                return Ok(None);
            }
            at += (count - (FRAME_HEADER_BYTES - 1)) as u64;
        }
    }

    /// Whether the record at `offset` is there to its end, with the right checksum.
    fn is_whole(&self, offset: u64, header: &FrameHeader) -> io::Result<bool> {
        if offset.saturating_add(header.record_bytes()) > self.length {
            return Ok(false);
        }
        let (mut at, mut left) = (offset + FRAME_HEADER_BYTES as u64, header.length as usize);
        let mut piece = vec![0; left.min(READ_BYTES)];
        let mut checksum = header.checksum_of_front();
        while left > 0 {
            let wanted = left.min(piece.len());
            let count = read_full(&self.file, at, &mut piece[..wanted])?;
            if count < wanted {
                return Ok(false);
            }
            checksum = crc32c::crc32c_append(checksum, &piece[..count]);
            (at, left) = (at + count as u64, left - count);
        }
        Ok(checksum == header.checksum)
    }

    /// Has at least so many bytes in the buffer, if the file has them. The caller has checked that it should.
    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        let there = self.buffer.len() - self.front;
        if there >= wanted {
            return Ok(());
        }
        self.buffer.drain(..self.front);
        self.offset += std::mem::take(&mut self.front) as u64;
        let left = self.length - self.offset;
        let end = wanted.max(usize::try_from(left).unwrap_or(usize::MAX).min(READ_BYTES));
        self.buffer.resize(end, 0);
        // What one long record took is given back behind it.
        self.buffer.shrink_to(4 * READ_BYTES);
        let count = read_full(&self.file, self.offset + there as u64, &mut self.buffer[there..])?;
        self.buffer.truncate(there + count);
        Ok(())
    }
}
