//! Hashes of an RDB file.

use std::fs::File;
use std::path::{Path, PathBuf};

use mayfly_rdb::{FileError, FileReader, ValueType};

use crate::sink::{Head, Sink};
use crate::source::{Filter, Progressed, Source};
use crate::{Report, TransferError, clock};

/// Keys of one round.
const ROUND_KEYS: usize = 1_000;

/// An RDB file, read from front to back.
pub(crate) struct FileSource {
    path: PathBuf,
    reader: FileReader<File>,
    bytes: u64,
    filter: Filter,
}

impl FileSource {
    pub(crate) fn open(path: &Path, filter: Filter) -> Result<Self, TransferError> {
        let file = File::open(path).map_err(TransferError::disk(path))?;
        let bytes = file.metadata().map_err(TransferError::disk(path))?.len();
        let reader = FileReader::new(file).map_err(|error| damaged(path, error))?;
        Ok(FileSource { path: path.to_owned(), reader, bytes, filter })
    }

    /// Hands over the next key, if there is one.
    fn step(&mut self, sink: &mut dyn Sink, report: &mut Report) -> Result<bool, TransferError> {
        let Some(key) = self.reader.next_key().map_err(|error| damaged(&self.path, error))? else {
            return Ok(false);
        };
        let now = clock::unix_millis();
        if !self.filter.admits(key.database, &key.key) {
            report.unwanted += 1;
        } else if key.value_type != ValueType::Hash {
            report.passed_over(key.value_type);
        } else if key.deadline.is_some_and(|deadline| deadline <= now) {
            report.expired += 1;
        } else {
            let (database, deadline) = (key.database, key.deadline);
            sink.begin(Head { database, key: key.key, deadline, may_repeat: false })?;
            let counts =
                self.reader.read_hash(now, |field, value| Ok::<_, Stop>(sink.field(field, value, report)?));
            let counts = counts.map_err(|stop| match stop {
                Stop::Sink(error) => error,
                Stop::File(error) => damaged(&self.path, error),
            })?;
            report.without_ttl(counts);
            sink.end(report)?;
        }
        Ok(true)
    }
}

impl Source for FileSource {
    fn round(&mut self, sink: &mut dyn Sink, report: &mut Report) -> Result<bool, TransferError> {
        for _ in 0..ROUND_KEYS {
            if !self.step(sink, report)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn progressed(&self) -> Progressed {
        Progressed { done: self.reader.offset(), total: self.bytes, is_bytes: true }
    }
}

/// Why a hash was not read to its end.
enum Stop {
    File(FileError),
    Sink(TransferError),
}

impl From<FileError> for Stop {
    fn from(error: FileError) -> Self {
        Stop::File(error)
    }
}

impl From<TransferError> for Stop {
    fn from(error: TransferError) -> Self {
        Stop::Sink(error)
    }
}

fn damaged(path: &Path, error: FileError) -> TransferError {
    TransferError::File { path: path.to_owned(), error }
}
