//! Hashes into an RDB file, which appears under its name only when it is whole and on the disk.
//!
//! A hash of a file says how many fields it has before the first of them. One that comes in pieces, perhaps with a
//! field twice, is therefore written into a temporary file first, and from there, counted, into the file.

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use mayfly_rdb::FileWriter;
use tempfile::NamedTempFile;

use crate::fields::Fields;
use crate::repeats::{Repeats, copy_without};
use crate::sink::{Head, Sink};
use crate::{Report, TransferError};

type Writer = FileWriter<BufWriter<File>>;

/// A file that is being written beside the one it will replace.
pub(crate) struct FileSink {
    path: PathBuf,
    temporary: NamedTempFile,
    writer: Writer,
    keys: Repeats,
    /// Where the header ends.
    body: u64,
    database: Option<u64>,
    head: Option<Head>,
    fields: Fields,
    pieces: Option<Pieces>,
}

impl FileSink {
    pub(crate) fn create(path: &Path) -> Result<Self, TransferError> {
        let create = || {
            let (temporary, writer) = begin(path)?;
            Ok((temporary, writer, Repeats::new(folder(path))?))
        };
        let (temporary, writer, keys) = create().map_err(TransferError::disk(path))?;
        Ok(FileSink {
            path: path.to_owned(),
            temporary,
            body: writer.written(),
            writer,
            keys,
            database: None,
            head: None,
            fields: Fields::default(),
            pieces: None,
        })
    }

    /// Ends the file, cuts out what a scan has given twice, and puts it in its place.
    pub(crate) fn finish(self, report: &mut Report) -> Result<(), TransferError> {
        let path = self.path.clone();
        self.replace(report).map_err(TransferError::disk(&path))
    }

    fn replace(self, report: &mut Report) -> io::Result<()> {
        let end = self.writer.written();
        let mut file = into_file(self.writer.finish()?)?;
        let repeated = self.keys.find()?;
        let temporary = if repeated.is_empty() {
            self.temporary
        } else {
            report.repeated += repeated.len() as u64;
            report.hashes -= repeated.len() as u64;
            let (temporary, mut writer) = begin(&self.path)?;
            copy_without(&mut file, self.body..end, &repeated, &mut writer)?;
            file = into_file(writer.finish()?)?;
            temporary
        };
        file.sync_all()?;
        temporary.persist(&self.path).map_err(|error| error.error)?;
        File::open(folder(&self.path))?.sync_all()
    }

    fn write(&mut self, head: &Head, report: &mut Report) -> io::Result<()> {
        if self.database != Some(head.database) {
            self.writer.select(head.database as u32)?;
            self.database = Some(head.database);
        }
        let (place, fields) = match self.pieces.take() {
            Some(pieces) => pieces.write(head, &mut self.writer)?,
            None => {
                let place = self.writer.hash(&head.key, head.deadline, self.fields.iter())?;
                (place, self.fields.len() as u64)
            }
        };
        self.keys.note((head.database, &head.key), &place)?;
        report.taken(fields);
        Ok(())
    }
}

impl Sink for FileSink {
    fn begin(&mut self, head: Head) -> Result<(), TransferError> {
        self.fields.clear();
        self.pieces = None;
        if head.may_repeat {
            self.pieces = Some(Pieces::new(folder(&self.path)).map_err(TransferError::disk(&self.path))?);
        }
        self.head = Some(head);
        Ok(())
    }

    fn field(&mut self, field: &[u8], value: &[u8], _: &mut Report) -> Result<(), TransferError> {
        match &mut self.pieces {
            Some(pieces) => pieces.push(field, value).map_err(TransferError::disk(&self.path)),
            None => {
                self.fields.push(field, value);
                Ok(())
            }
        }
    }

    fn end(&mut self, report: &mut Report) -> Result<(), TransferError> {
        let head = self.head.take().expect("an end comes behind its head");
        let is_empty = self.pieces.as_ref().map_or(self.fields.len() == 0, Pieces::is_empty);
        if is_empty {
            report.expired += 1;
            return Ok(());
        }
        self.write(&head, report).map_err(TransferError::disk(&self.path))
    }

    fn flush(&mut self, _: &mut Report) -> Result<(), TransferError> {
        Ok(())
    }
}

/// The fields of a hash that comes in pieces.
struct Pieces {
    writer: Writer,
    /// Where the first field begins.
    body: u64,
    fields: Repeats,
}

impl Pieces {
    fn new(folder: &Path) -> io::Result<Self> {
        // The header of this file is of no use; what counts are the fields behind it.
        let writer = FileWriter::new(BufWriter::new(tempfile::tempfile_in(folder)?), &[])?;
        Ok(Pieces { body: writer.written(), writer, fields: Repeats::new(folder)? })
    }

    fn is_empty(&self) -> bool {
        self.fields.count() == 0
    }

    fn push(&mut self, field: &[u8], value: &[u8]) -> io::Result<()> {
        let start = self.writer.written();
        self.writer.field(field, value)?;
        self.fields.note((0, field), &(start..self.writer.written()))
    }

    /// Writes the hash; returns where, and how many fields it has.
    fn write(self, head: &Head, to: &mut Writer) -> io::Result<(std::ops::Range<u64>, u64)> {
        let end = self.writer.written();
        let mut file = into_file(self.writer.finish()?)?;
        let count = self.fields.count();
        let repeated = self.fields.find()?;
        let count = count - repeated.len() as u64;
        let start = to.begin_hash(&head.key, head.deadline, count)?.start;
        copy_without(&mut file, self.body..end, &repeated, to)?;
        Ok((start..to.written(), count))
    }
}

/// A new file beside the one that it will replace.
fn begin(path: &Path) -> io::Result<(NamedTempFile, Writer)> {
    // As any file that is made: what others may do is up to the umask.
    let permissions = Permissions::from_mode(0o666);
    let temporary = tempfile::Builder::new()
        .prefix(".mayfly-export-")
        .permissions(permissions)
        .tempfile_in(folder(path))?;
    let out = BufWriter::new(temporary.as_file().try_clone()?);
    let writer = FileWriter::new(out, &[("mayfly-ver", env!("CARGO_PKG_VERSION"))])?;
    Ok((temporary, writer))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn into_file(mut out: BufWriter<File>) -> io::Result<File> {
    out.flush()?;
    out.into_inner().map_err(io::IntoInnerError::into_error)
}

#[cfg(test)]
mod tests {
    use mayfly_rdb::{FileError, FileReader};

    use super::*;

    /// What a scan may do while a table shrinks: keys twice, and fields twice of those that come in pieces.
    #[test]
    fn what_comes_twice_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump.rdb");
        let mut sink = FileSink::create(&path).unwrap();
        let mut report = Report::default();
        let deadline = Some(4_102_444_800_000);
        for (database, key, may_repeat, fields) in [
            (0, "a", false, &["f", "g"][..]),
            (0, "large", true, &["f", "g", "f", "h", "g", "f"]),
            (0, "a", false, &["f", "g"]),
            (3, "a", false, &["f"]),
            (3, "large", true, &["f"]),
            (3, "a", false, &["f"]),
        ] {
            sink.begin(Head { database, key: key.into(), deadline, may_repeat }).unwrap();
            for field in fields {
                sink.field(field.as_bytes(), b"value", &mut report).unwrap();
            }
            sink.end(&mut report).unwrap();
        }
        assert!(!path.exists(), "it appears when it is whole");
        sink.finish(&mut report).unwrap();
        assert_eq!((report.hashes, report.repeated), (4, 2));
        assert_eq!(read(&path), ["0 a f g", "0 large f g h", "3 a f", "3 large f"]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn a_file_that_is_given_up_leaves_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump.rdb");
        std::fs::write(&path, "old").unwrap();
        drop(FileSink::create(&path).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    /// Database, key and fields of each hash.
    fn read(path: &Path) -> Vec<String> {
        let mut reader = FileReader::new(File::open(path).unwrap()).unwrap();
        let mut lines = Vec::new();
        while let Some(head) = reader.next_key().unwrap() {
            let mut line = format!("{} {}", head.database, head.key.escape_ascii());
            let visit = |field: &[u8], _: &[u8]| {
                line.push_str(&format!(" {}", field.escape_ascii()));
                Ok::<(), FileError>(())
            };
            reader.read_hash(0, visit).unwrap();
            lines.push(line);
        }
        lines
    }
}
