//! What `DUMP` answers and `RESTORE` takes: type, value, version, checksum.

use crc::{CRC_64_REDIS, Crc, Table};

use crate::error::RdbError;
use crate::hash;
use crate::reader::Reader;

/// The newest version of the format that is read: that of Redis 8.2.
pub const READ_VERSION_MAX: u16 = 12;

/// The version of the format that is written: that of Redis 5.0 and 6.
pub const WRITTEN_VERSION: u16 = 9;

static CHECKSUM: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

/// Writes a hash as a payload.
///
/// ```
/// let fields: [(&[u8], &[u8]); 2] = [(b"name", b"Ada"), (b"visits", b"1")];
/// let payload = mayfly_rdb::write_payload(fields.into_iter());
///
/// let mut read = Vec::new();
/// mayfly_rdb::read_payload(&payload, &mut |field, value| {
///     read.push((field.to_vec(), value.to_vec()));
///     true
/// })?;
/// assert_eq!(read, fields.map(|(field, value)| (field.to_vec(), value.to_vec())));
/// # Ok::<(), mayfly_rdb::RdbError>(())
/// ```
pub fn write_payload<'f>(fields: impl ExactSizeIterator<Item = (&'f [u8], &'f [u8])>) -> Vec<u8> {
    let mut payload = vec![hash::HASH];
    hash::write(&mut payload, fields);
    seal(&mut payload, WRITTEN_VERSION);
    payload
}

/// Reads a payload and visits each field with its value. `visit` returns whether the field is new, as inserting
/// into a hash table does; a field that is not ends the reading with an error.
///
/// Fields visited before an error are no hash: the caller forgets them.
pub fn read_payload(payload: &[u8], visit: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), RdbError> {
    let mut reader = Reader::new(open(payload)?);
    let kind = reader.byte()?;
    hash::read(kind, &mut reader, visit)?;
    reader.end()
}

/// Appends version and checksum.
pub(crate) fn seal(payload: &mut Vec<u8>, version: u16) {
    payload.extend_from_slice(&version.to_le_bytes());
    let checksum = CHECKSUM.checksum(payload);
    payload.extend_from_slice(&checksum.to_le_bytes());
}

/// Type and value of a payload whose version and checksum are right.
fn open(payload: &[u8]) -> Result<&[u8], RdbError> {
    let wrong = RdbError::VersionOrChecksum;
    let (covered, checksum) = payload.split_last_chunk().ok_or(wrong)?;
    let (content, version) = covered.split_last_chunk().ok_or(wrong)?;
    if u16::from_le_bytes(*version) > READ_VERSION_MAX {
        return Err(wrong);
    }
    if CHECKSUM.checksum(covered) != u64::from_le_bytes(*checksum) {
        return Err(wrong);
    }
    Ok(content)
}
