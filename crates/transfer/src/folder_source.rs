//! Hashes of the data folder of a server that does not run, as its next start would have them.
//!
//! Only the whole log says what a key holds in the end, so all hashes are loaded into memory first, as a start does; they
//! take what they would take in a server. Nothing in the folder is changed.

use std::path::{Path, PathBuf};

use mayfly_command::{Router, ShardId};
use mayfly_engine::replay;
use mayfly_persistence::{Damage, Folder, LoadError, LogReader, RealDisk, Record, SnapshotReader, check};
use mayfly_store::{EntryId, KeyHasher, Keyspace, StoreOptions, UnixMillis};

use crate::sink::{Head, Sink};
use crate::source::{Filter, Progressed, Source};
use crate::{Report, TransferError, clock};

/// Keys of one round.
const ROUND_KEYS: usize = 1_000;
/// Fields of a hash that may be held once more on their way.
const HELD_FIELDS_MAX: usize = 10_000;
/// Before all deadlines: so that a walk shows also what has expired.
const ALWAYS: UnixMillis = UnixMillis(i64::MIN);

/// A data folder to export.
#[derive(Clone, Debug)]
pub struct FolderOrigin {
    /// The folder.
    pub path: PathBuf,
    /// Logical databases of the server that has it.
    pub databases: u64,
}

/// A folder that was loaded.
pub(crate) struct FolderSource {
    /// Nobody else has it meanwhile.
    _folder: Folder<RealDisk>,
    keyspace: Keyspace,
    now: UnixMillis,
    database: u16,
    cursor: u64,
    done: u64,
    total: u64,
    filter: Filter,
}

impl FolderSource {
    pub(crate) fn open(origin: &FolderOrigin, filter: Filter) -> Result<Self, TransferError> {
        let path = &origin.path;
        let disk = RealDisk::open(path).map_err(TransferError::disk(path))?;
        let has_data =
            check::is_data_folder(&disk).map_err(|trouble| TransferError::folder(path)(trouble.into()))?;
        if !has_data {
            return Err(TransferError::NoData { path: path.clone() });
        }
        let folder = Folder::open(disk).map_err(TransferError::folder(path))?;
        let hasher = KeyHasher::from_seed(0);
        let databases = u16::try_from(origin.databases).unwrap_or(u16::MAX);
        let mut keyspace =
            Keyspace::new(StoreOptions { databases, ..StoreOptions::default() }, hasher.clone());
        load(path, &folder, &mut keyspace, &Router::new(hasher, 1)).map_err(TransferError::folder(path))?;
        let total = (0..databases).map(|database| keyspace.database(database).len() as u64).sum();
        let now = UnixMillis(clock::unix_millis());
        Ok(FolderSource { _folder: folder, keyspace, now, database: 0, cursor: 0, done: 0, total, filter })
    }

    fn hand_over(&self, id: EntryId, sink: &mut dyn Sink, report: &mut Report) -> Result<(), TransferError> {
        let (number, database) = (u64::from(self.database), self.keyspace.database(self.database));
        let (key, deadline) = (database.key(id), database.deadline(id));
        if !self.filter.admits(number, key) {
            report.unwanted += 1;
            return Ok(());
        }
        if deadline.is_some_and(|deadline| deadline <= self.now) {
            report.expired += 1;
            return Ok(());
        }
        let deadline = deadline.map(|deadline| deadline.0);
        // A large one goes to the file in pieces, by way of temporary files, instead of being held once more.
        let may_repeat = database.field_count(id) > HELD_FIELDS_MAX;
        sink.begin(Head { database: number, key: key.to_vec(), deadline, may_repeat })?;
        for (field, value) in database.fields(id) {
            sink.field(field, value, report)?;
        }
        sink.end(report)
    }
}

impl Source for FolderSource {
    fn round(&mut self, sink: &mut dyn Sink, report: &mut Report) -> Result<bool, TransferError> {
        if self.database == self.keyspace.databases() {
            return Ok(false);
        }
        let mut ids = Vec::new();
        let database = self.keyspace.database(self.database);
        self.cursor = database.scan(self.cursor, ROUND_KEYS, ALWAYS, &mut |id| ids.push(id));
        for &id in &ids {
            self.hand_over(id, sink, report)?;
        }
        self.done += ids.len() as u64;
        self.database += u16::from(self.cursor == 0);
        Ok(true)
    }

    fn progressed(&self) -> Progressed {
        Progressed { done: self.done, total: self.total, is_bytes: false }
    }
}

/// Replays what counts in a folder, as a start does.
fn load(
    path: &Path,
    folder: &Folder<RealDisk>,
    keyspace: &mut Keyspace,
    router: &Router,
) -> Result<(), LoadError> {
    let mut apply = |body: &[u8]| {
        let record = Record::read(body).map_err(|error| error.to_string())?;
        replay(&record, keyspace, router, ShardId(0)).map_err(|error| error.to_string())
    };
    for part in &folder.manifest().snapshot {
        let mut reader = folder.read_snapshot(*part)?;
        while let Some(body) = reader.read()? {
            apply(body).map_err(|what| refused(SnapshotReader::position(&reader), what))?;
        }
    }
    let mut log = folder.read_log()?;
    while let Some(entry) = log.read()? {
        apply(entry.body).map_err(|what| refused(LogReader::position(&log), what))?;
    }
    for torn in log.end().torn {
        let (folder, file, bytes) = (path.display(), torn.file, torn.bytes);
        tracing::warn!(%folder, file, bytes, "the end of a file was being written when the server stopped; it is left out");
    }
    Ok(())
}

fn refused((file, offset): (&str, u64), what: String) -> LoadError {
    LoadError::Damage(Damage { file: file.to_owned(), offset, what })
}
