//! Hashes into a new data folder, as a snapshot that the next start loads.
//!
//! Written record by record as they come, so that nothing is held but a record. The snapshot counts only when it is
//! whole; a folder in which an import has stopped holds no data, or is one that a start refuses.

use std::path::{Path, PathBuf};

use mayfly_persistence::{
    Folder, Journal, LoadError, LogOptions, LogWriter, RealDisk, SnapshotWriter, Trouble, check,
};

use crate::sink::{Head, Sink};
use crate::{Report, TransferError, clock};

/// Past this a record ends, also in the middle of a hash.
const RECORD_BYTES: usize = 64 << 10;
/// The last segment that there was: none. The first is the second, so that a folder without a manifest, whose import was
/// cut short, is not taken for a new one with a log.
const LAST_SEGMENT: u64 = 1;

/// A folder to import into, and what the server that will have it is told.
#[derive(Clone, Debug)]
pub struct FolderTarget {
    /// The folder. It is made where there is none, and must not have data.
    pub path: PathBuf,
    /// Logical databases of the server.
    pub databases: u64,
    /// How long a key, a field and a value may be.
    pub word_bytes_max: usize,
}

/// A data folder that is being written.
pub(crate) struct FolderSink {
    target: FolderTarget,
    folder: Folder<RealDisk>,
    generation: u64,
    writer: SnapshotWriter<RealDisk>,
    journal: Journal,
    now: i64,
    head: Option<Head>,
    fields: u64,
}

impl FolderSink {
    /// Takes the folder, which this process has for itself from now on.
    pub(crate) fn create(target: &FolderTarget) -> Result<Self, TransferError> {
        let path = &target.path;
        let disk = RealDisk::create(path).map_err(TransferError::disk(path))?;
        let mut folder = match Folder::open(disk.clone()) {
            Err(LoadError::Damage(_) | LoadError::Missing(_)) => return Err(has_data(path)),
            other => other.map_err(TransferError::folder(path))?,
        };
        if check::is_data_folder(&disk).map_err(trouble(path))? {
            return Err(has_data(path));
        }
        let generation = folder.next_generation();
        let writer = SnapshotWriter::begin(disk, generation, 0).map_err(trouble(path))?;
        let now = clock::unix_millis();
        let mut journal = Journal::new();
        journal.begin(now);
        let target = target.clone();
        Ok(FolderSink { target, folder, generation, writer, journal, now, head: None, fields: 0 })
    }

    /// Brings everything to the disk and makes it count.
    pub(crate) fn finish(mut self) -> Result<(), TransferError> {
        let path = self.target.path.clone();
        let commit = || {
            self.end_record()?;
            let part = self.writer.finish()?;
            let disk = self.folder.disk().clone();
            let mut log = LogWriter::new(disk, LAST_SEGMENT, 1, LogOptions::default());
            let start = log.rotate()?;
            self.folder.commit(self.generation, vec![part], start, &mut log)
        };
        commit().map_err(trouble(&path))
    }

    /// Removes what was written, so that the folder has no data.
    pub(crate) fn abandon(self) {
        self.writer.abandon();
    }

    fn end_record(&mut self) -> Result<(), Trouble> {
        if !self.journal.is_empty() {
            self.writer.append(self.journal.finish())?;
            self.journal.begin(self.now);
        }
        Ok(())
    }

    /// What the server refuses of a client may not be in its folder either.
    fn check(&self, head: &Head, longest: usize) -> Result<(), TransferError> {
        let FolderTarget { path, databases, word_bytes_max } = &self.target;
        let problem = if head.database >= *databases {
            format!("the key is of database {}, and server.databases is {databases}", head.database)
        } else if longest > *word_bytes_max {
            format!("{longest} bytes are more than limits.bulk_bytes_max, {word_bytes_max}")
        } else {
            return Ok(());
        };
        let key = head.key.escape_ascii().to_string();
        Err(TransferError::Unfit { path: path.clone(), key, problem })
    }
}

impl Sink for FolderSink {
    fn begin(&mut self, head: Head) -> Result<(), TransferError> {
        self.check(&head, head.key.len())?;
        self.head = Some(head);
        self.fields = 0;
        Ok(())
    }

    fn field(&mut self, field: &[u8], value: &[u8], _: &mut Report) -> Result<(), TransferError> {
        let head = self.head.as_ref().expect("fields come behind their head");
        self.check(head, field.len().max(value.len()))?;
        self.journal.key(head.database as u16, &head.key);
        if self.fields == 0 {
            // A scan may give a key twice; the later one is as a whole.
            self.journal.remove();
        }
        self.journal.forget_deadline();
        self.journal.set(field, value);
        self.journal.deadline(head.deadline);
        self.fields += 1;
        if self.journal.len() < RECORD_BYTES {
            return Ok(());
        }
        self.end_record().map_err(trouble(&self.target.path))
    }

    fn end(&mut self, report: &mut Report) -> Result<(), TransferError> {
        self.head = None;
        if self.fields == 0 {
            report.expired += 1;
        } else {
            report.taken(self.fields);
        }
        Ok(())
    }

    fn flush(&mut self, _: &mut Report) -> Result<(), TransferError> {
        Ok(())
    }
}

fn has_data(path: &Path) -> TransferError {
    TransferError::HasData { path: path.to_owned() }
}

fn trouble(path: &Path) -> impl FnOnce(Trouble) -> TransferError {
    let folder = TransferError::folder(path);
    |trouble| folder(trouble.into())
}
