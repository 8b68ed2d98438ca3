//! Bytes of a file, read piece by piece: counted, summed up, and never more held than are there.

use std::borrow::Cow;
use std::io::{self, ErrorKind, Read};

use crc::{Digest, Table};

use super::FileError;
use crate::error::{RdbError, malformed};
use crate::input::Input;
use crate::payload::CHECKSUM;

const BUFFER_BYTES: usize = 128 << 10;

/// Most bytes of one string: the longest that a client can set (`proto-max-bulk-len`).
const STRING_BYTES_MAX: u64 = 512 << 20;

/// What stands for a failure of the source itself; which one it was is kept aside.
const FAILED: RdbError = RdbError::Malformed("it cannot be read further");

/// A file, from where it has been read to.
pub(super) struct Source<R> {
    read: R,
    buffer: Box<[u8]>,
    /// The part of the buffer that is still to be taken.
    at: usize,
    end: usize,
    /// Bytes of the file before the buffer.
    before: u64,
    /// What has been taken and is not in the buffer any more.
    digest: Digest<'static, u64, Table<16>>,
    /// From where in the buffer on the digest does not know it yet.
    summed: usize,
    failure: Option<Failure>,
}

enum Failure {
    Torn,
    Io(io::Error),
}

impl<R: Read> Source<R> {
    pub(super) fn new(read: R) -> Self {
        let buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
        let digest = CHECKSUM.digest();
        Source { read, buffer, at: 0, end: 0, before: 0, digest, summed: 0, failure: None }
    }

    /// Bytes taken so far.
    pub(super) fn offset(&self) -> u64 {
        self.before + self.at as u64
    }

    /// The checksum of all bytes taken so far.
    pub(super) fn checksum(&mut self) -> u64 {
        self.sum_up();
        self.digest.clone().finalize()
    }

    /// What a failed decoder has met.
    pub(super) fn error(&mut self, problem: RdbError) -> FileError {
        let offset = self.offset();
        match self.failure.take() {
            Some(Failure::Torn) => FileError::Torn { offset },
            Some(Failure::Io(error)) => FileError::Unreadable { offset, error },
            None => FileError::Damaged { offset, problem },
        }
    }

    /// Whether nothing is left.
    pub(super) fn is_at_end(&mut self) -> Result<bool, FileError> {
        self.fill().map_err(|problem| self.error(problem))?;
        Ok(self.at == self.end)
    }

    /// Passes over `count` bytes.
    pub(super) fn skip(&mut self, mut count: u64) -> Result<(), RdbError> {
        while count > 0 {
            count -= self.piece(count)?.len() as u64;
        }
        Ok(())
    }

    /// Between one and `count` of the next bytes, as they lie in the buffer.
    fn piece(&mut self, count: u64) -> Result<&[u8], RdbError> {
        self.fill()?;
        if self.at == self.end {
            self.failure = Some(Failure::Torn);
            return Err(FAILED);
        }
        let start = self.at;
        let there = (self.end - start) as u64;
        self.at += count.min(there) as usize;
        Ok(&self.buffer[start..self.at])
    }

    /// Reads on if the buffer is used up. Nothing is in it afterwards only at the end of the file.
    fn fill(&mut self) -> Result<(), RdbError> {
        if self.at < self.end {
            return Ok(());
        }
        self.sum_up();
        self.before += self.end as u64;
        (self.at, self.end, self.summed) = (0, 0, 0);
        loop {
            match self.read.read(&mut self.buffer) {
                Ok(count) => {
                    self.end = count;
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failure = Some(Failure::Io(error));
                    return Err(FAILED);
                }
            }
        }
    }

    fn sum_up(&mut self) {
        self.digest.update(&self.buffer[self.summed..self.at]);
        self.summed = self.at;
    }
}

impl<R: Read> Input<'static> for Source<R> {
    fn read_array<const N: usize>(&mut self) -> Result<[u8; N], RdbError> {
        let mut bytes = [0; N];
        let mut filled = 0;
        while filled < N {
            let piece = self.piece((N - filled) as u64)?;
            bytes[filled..filled + piece.len()].copy_from_slice(piece);
            filled += piece.len();
        }
        Ok(bytes)
    }

    fn read_bytes(&mut self, count: u64) -> Result<Cow<'static, [u8]>, RdbError> {
        if count > STRING_BYTES_MAX {
            return malformed("a string is longer than 512 MiB");
        }
        // No more room than for what lies in the buffer: the file may not hold what it announces.
        let mut bytes = Vec::with_capacity(count.min(BUFFER_BYTES as u64) as usize);
        while (bytes.len() as u64) < count {
            let left = count - bytes.len() as u64;
            bytes.extend_from_slice(self.piece(left)?);
        }
        Ok(Cow::Owned(bytes))
    }
}
