//! A file of hashes, written from front to back.

use std::io::{self, Write};
use std::ops::Range;

use crc::{Digest, Table};

use super::{AUX, DEADLINE_MILLIS, END, SELECT};
use crate::hash::{HASH, LISTPACK};
use crate::length::Length;
use crate::listpack;
use crate::payload::CHECKSUM;
use crate::string;

/// The version of the format that files are written in: that of Redis 7.0, which knows listpacks. Redis 7.0 and
/// later and Valkey load it.
pub const FILE_VERSION: u16 = 10;

/// Hashes of at most so many fields, none longer than that, are written as a listpack: what Redis keeps as one by
/// default. It turns one that is too large for its settings into a table while it loads, and a table back.
const LISTPACK_FIELDS_MAX: usize = 128;
const LISTPACK_VALUE_BYTES_MAX: usize = 64;

/// Writes an RDB file of hashes. Nobody sees to it that a key is written once: Redis refuses a file in which one
/// occurs twice.
///
/// ```
/// let mut writer = mayfly_rdb::FileWriter::new(Vec::new(), &[("mayfly-ver", "0.1.0")])?;
/// writer.select(0)?;
/// let fields: [(&[u8], &[u8]); 1] = [(b"user", b"ada")];
/// writer.hash(b"session:1", Some(4_102_444_800_000), fields.into_iter())?;
/// let file = writer.finish()?;
///
/// let mut reader = mayfly_rdb::FileReader::new(&file[..])?;
/// assert_eq!(reader.next_key()?.expect("there is one").deadline, Some(4_102_444_800_000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FileWriter<W> {
    out: W,
    digest: Digest<'static, u64, Table<16>>,
    written: u64,
    /// What is being put together.
    record: Vec<u8>,
    blob: Vec<u8>,
}

impl<W: Write> FileWriter<W> {
    /// Begins a file, with names and values that say something about it.
    pub fn new(out: W, about: &[(&str, &str)]) -> io::Result<Self> {
        let digest = CHECKSUM.digest();
        let mut writer = FileWriter { out, digest, written: 0, record: Vec::new(), blob: Vec::new() };
        writer.record.extend_from_slice(format!("REDIS{FILE_VERSION:04}").as_bytes());
        for (name, text) in about {
            writer.record.push(AUX);
            string::write(&mut writer.record, name.as_bytes());
            string::write(&mut writer.record, text.as_bytes());
        }
        writer.write_record()?;
        Ok(writer)
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// What follows is in this database.
    pub fn select(&mut self, database: u32) -> io::Result<()> {
        self.record.push(SELECT);
        Length::write(&mut self.record, database as usize);
        self.write_record().map(|_| ())
    }

    /// Writes a hash, which has fields, and says where in the file it stands.
    pub fn hash<'f>(
        &mut self,
        key: &[u8],
        deadline: Option<i64>,
        fields: impl ExactSizeIterator<Item = (&'f [u8], &'f [u8])> + Clone,
    ) -> io::Result<Range<u64>> {
        let fits = |bytes: &[u8]| bytes.len() <= LISTPACK_VALUE_BYTES_MAX;
        let is_small = fields.len() <= LISTPACK_FIELDS_MAX
            && fields.clone().all(|(field, value)| fits(field) && fits(value));
        if is_small {
            self.begin_key(LISTPACK, key, deadline);
            self.blob.clear();
            listpack::write(&mut self.blob, fields.flat_map(|(field, value)| [field, value]));
            string::write(&mut self.record, &self.blob);
            return self.write_record();
        }
        let start = self.begin_hash(key, deadline, fields.len() as u64)?.start;
        for (field, value) in fields {
            self.field(field, value)?;
        }
        Ok(start..self.written)
    }

    /// Writes the beginning of a hash of `count` fields, whose fields are written one by one then.
    pub fn begin_hash(&mut self, key: &[u8], deadline: Option<i64>, count: u64) -> io::Result<Range<u64>> {
        self.begin_key(HASH, key, deadline);
        Length::write(&mut self.record, count as usize);
        self.write_record()
    }

    /// Writes one field of the hash that was begun.
    pub fn field(&mut self, field: &[u8], value: &[u8]) -> io::Result<()> {
        string::write(&mut self.record, field);
        string::write(&mut self.record, value);
        self.write_record().map(|_| ())
    }

    /// Writes bytes as they are: whole records or fields that a writer has made before.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.written += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    /// Ends the file with its checksum.
    pub fn finish(mut self) -> io::Result<W> {
        self.raw(&[END])?;
        let checksum = self.digest.finalize();
        self.out.write_all(&checksum.to_le_bytes())?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn begin_key(&mut self, kind: u8, key: &[u8], deadline: Option<i64>) {
        if let Some(deadline) = deadline {
            self.record.push(DEADLINE_MILLIS);
            self.record.extend_from_slice(&deadline.to_le_bytes());
        }
        self.record.push(kind);
        string::write(&mut self.record, key);
    }

    fn write_record(&mut self) -> io::Result<Range<u64>> {
        let start = self.written;
        let record = std::mem::take(&mut self.record);
        let result = self.raw(&record);
        self.record = record;
        self.record.clear();
        result.map(|()| start..self.written)
    }
}
