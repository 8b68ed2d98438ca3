//! From the header to the checksum, key by key.

use std::io::Read;

use super::error::FileError;
use super::skip;
use super::source::Source;
use super::{
    AUX, DEADLINE_MILLIS, DEADLINE_SECONDS, END, FREQUENCY, FUNCTION, IDLE, MODULE_AUX, RESIZE, SELECT,
    SLOT_IMPORT_OR_KEY_META, SLOT_INFO,
};
use crate::error::RdbError;
use crate::hash::{self, Dialect, FieldTtls, TtlPolicy};
use crate::input::Input;
use crate::length::Length;
use crate::{string, versions};

pub use super::skip::ValueType;

/// The first version whose files end with a checksum.
const CHECKSUM_SINCE: u16 = 5;

/// Most bytes kept of the version that a file names.
const SERVER_BYTES_MAX: usize = 32;

/// A key of a file, before its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyHead {
    /// The database it is in.
    pub database: u64,
    /// Its name.
    pub key: Vec<u8>,
    /// When it expires, in Unix milliseconds.
    pub deadline: Option<i64>,
    /// What it holds.
    pub value_type: ValueType,
}

/// Reads an RDB file from front to back.
///
/// ```
/// let file = b"REDIS0004\xfe\x00\x04\x01h\x01\x05field\x05value\xff";
/// let mut reader = mayfly_rdb::FileReader::new(&file[..])?;
///
/// let head = reader.next_key()?.expect("there is one");
/// assert_eq!(head.key, b"h");
/// reader.read_hash(0, |field, value| {
///     assert_eq!((field, value), (&b"field"[..], &b"value"[..]));
///     Ok::<(), mayfly_rdb::FileError>(())
/// })?;
/// assert_eq!(reader.next_key()?, None);
/// # Ok::<(), mayfly_rdb::FileError>(())
/// ```
pub struct FileReader<R> {
    source: Source<R>,
    dialect: Dialect,
    version: u16,
    server: Option<String>,
    database: u64,
    /// The type of the value that comes next, if its key has been read.
    value: Option<u8>,
    is_done: bool,
}

impl<R: Read> FileReader<R> {
    /// Begins with the header.
    pub fn new(read: R) -> Result<Self, FileError> {
        let mut source = Source::new(read);
        let header = source.read_array().map_err(|problem| match source.error(problem) {
            FileError::Torn { .. } => FileError::NotRdb,
            other => other,
        })?;
        let (dialect, version) = versions::of_file(&header).ok_or(FileError::NotRdb)?;
        if !versions::is_known(dialect, version) {
            let family = if dialect == Dialect::Redis { "Redis" } else { "Valkey" };
            return Err(FileError::UnknownVersion { family, version });
        }
        Ok(FileReader { source, dialect, version, server: None, database: 0, value: None, is_done: false })
    }

    /// The version of the format.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// The server that wrote it, as far as it has said so yet: `Redis 8.2.3`.
    pub fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    /// Bytes read so far.
    pub fn offset(&self) -> u64 {
        self.source.offset()
    }

    /// Goes to the next key, past the value of the one before if that has not been read. `None` is the end of a file
    /// whose checksum is right.
    pub fn next_key(&mut self) -> Result<Option<KeyHead>, FileError> {
        if self.is_done {
            return Ok(None);
        }
        match self.step() {
            Ok(Some(head)) => Ok(Some(head)),
            Ok(None) => {
                self.is_done = true;
                self.check_end().map(|()| None)
            }
            Err(problem) => Err(self.source.error(problem)),
        }
    }

    /// Reads the value of the key that [`next_key`](Self::next_key) has given, a hash, and visits its fields until
    /// the visitor fails. Fields with a TTL of their own are visited without it, or left out if `now` (in Unix
    /// milliseconds) is not before its end.
    ///
    /// # Panics
    /// Where the value has been read already, or is no hash.
    pub fn read_hash<E: From<FileError>>(
        &mut self,
        now: i64,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<FieldTtls, E> {
        let kind = self.value.take().expect("the value of a key is read once");
        assert!(hash::is_hash(self.dialect, kind), "only a hash is read");
        let mut counts = FieldTtls::default();
        let mut refusal = None;
        let policy = TtlPolicy::Drop { now, counts: &mut counts };
        let read = hash::read(self.dialect, kind, &mut self.source, policy, &mut |field, value| {
            refusal = visit(field, value).err();
            refusal.is_none()
        });
        match (refusal, read) {
            (Some(error), _) => Err(error),
            (None, Ok(())) => Ok(counts),
            (None, Err(problem)) => Err(self.source.error(problem).into()),
        }
    }

    fn step(&mut self) -> Result<Option<KeyHead>, RdbError> {
        let source = &mut self.source;
        if let Some(kind) = self.value.take() {
            skip::value(self.dialect, kind, source)?;
        }
        let mut deadline = None;
        loop {
            match source.read_byte()? {
                END => return Ok(None),
                SELECT => self.database = Length::read_plain(source)?,
                DEADLINE_MILLIS => deadline = Some(i64::from_le_bytes(source.read_array()?)),
                DEADLINE_SECONDS => {
                    deadline = Some(i64::from(i32::from_le_bytes(source.read_array()?)) * 1_000);
                }
                RESIZE => skip::lengths(source, 2)?,
                AUX => {
                    let (name, text) = (string::read(source)?, string::read(source)?);
                    note_server(&mut self.server, &name, &text);
                }
                FREQUENCY => source.skip(1)?,
                IDLE => skip::lengths(source, 1)?,
                FUNCTION => skip::string(source)?,
                SLOT_INFO => skip::lengths(source, 3)?,
                MODULE_AUX => {
                    skip::lengths(source, 3)?;
                    skip::module_value(source)?;
                }
                SLOT_IMPORT_OR_KEY_META if self.dialect == Dialect::Valkey => {
                    skip::string(source)?;
                    skip::times(source, |source| skip::lengths(source, 2))?;
                }
                SLOT_IMPORT_OR_KEY_META => skip::times(source, |source| {
                    source.skip(4)?;
                    skip::module_value(source)
                })?,
                kind => {
                    let value_type = ValueType::of(self.dialect, kind).ok_or(RdbError::UnknownType(kind))?;
                    let key = string::read(source)?.into_owned();
                    self.value = Some(kind);
                    return Ok(Some(KeyHead { database: self.database, key, deadline, value_type }));
                }
            }
        }
    }

    fn check_end(&mut self) -> Result<(), FileError> {
        if self.version >= CHECKSUM_SINCE {
            let expected = self.source.checksum();
            let offset = self.source.offset();
            let found = self.source.read_array().map_err(|problem| self.source.error(problem))?;
            let found = u64::from_le_bytes(found);
            if found != 0 && found != expected {
                return Err(FileError::Checksum { offset, found, expected });
            }
        }
        if self.source.is_at_end()? {
            return Ok(());
        }
        Err(FileError::BytesBehindEnd { offset: self.source.offset() })
    }
}

/// Valkey says both what it is and which Redis it goes for: its own name wins.
fn note_server(server: &mut Option<String>, name: &[u8], text: &[u8]) {
    let family = match name {
        b"valkey-ver" => "Valkey",
        b"redis-ver" if server.is_none() => "Redis",
        b"mayfly-ver" => "Mayfly",
        _ => return,
    };
    let text = &text[..text.len().min(SERVER_BYTES_MAX)];
    *server = Some(format!("{family} {}", text.escape_ascii()));
}
