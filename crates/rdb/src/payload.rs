//! What `DUMP` answers and `RESTORE` takes: type, value, version, checksum.

use crc::{CRC_64_REDIS, Crc, Table};

use crate::error::RdbError;
use crate::hash::{self, Dialect, FieldTtls, TtlPolicy};
use crate::reader::Reader;
use crate::versions;

/// The newest version of the format that [`read_payload`] takes: that of Redis 8.2.
pub const READ_VERSION_MAX: u16 = 12;

/// The version of the format that is written: that of Redis 5.0 and 6.
pub const WRITTEN_VERSION: u16 = 9;

/// The checksum of payloads and files.
pub(crate) static CHECKSUM: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

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
    let (content, version) = open(payload)?;
    if version > READ_VERSION_MAX {
        return Err(RdbError::VersionOrChecksum);
    }
    read_content(content, Dialect::Redis, TtlPolicy::Refuse, visit)
}

/// Reads a payload as [`read_payload`] does, from any server whose format is known: also from Valkey 9. Fields
/// with a TTL of their own are visited without it, or left out if `now` (in Unix milliseconds) is not before its
/// end; both are counted. A hash may so turn out to have no field left.
pub fn read_foreign_payload(
    payload: &[u8],
    now: i64,
    visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
) -> Result<FieldTtls, RdbError> {
    let (content, version) = open(payload)?;
    let dialect = versions::dialect_of_payload(version).ok_or(RdbError::VersionOrChecksum)?;
    let mut counts = FieldTtls::default();
    read_content(content, dialect, TtlPolicy::Drop { now, counts: &mut counts }, visit)?;
    Ok(counts)
}

fn read_content(
    content: &[u8],
    dialect: Dialect,
    policy: TtlPolicy<'_>,
    visit: &mut hash::Visit<'_>,
) -> Result<(), RdbError> {
    let mut reader = Reader::new(content);
    let kind = reader.byte()?;
    hash::read(dialect, kind, &mut reader, policy, visit)?;
    reader.end()
}

/// Appends version and checksum.
pub(crate) fn seal(payload: &mut Vec<u8>, version: u16) {
    payload.extend_from_slice(&version.to_le_bytes());
    let checksum = CHECKSUM.checksum(payload);
    payload.extend_from_slice(&checksum.to_le_bytes());
}

/// Type and value of a payload whose checksum is right, and its version.
fn open(payload: &[u8]) -> Result<(&[u8], u16), RdbError> {
    let wrong = RdbError::VersionOrChecksum;
    let (covered, checksum) = payload.split_last_chunk().ok_or(wrong)?;
    let (content, version) = covered.split_last_chunk().ok_or(wrong)?;
    if CHECKSUM.checksum(covered) != u64::from_le_bytes(*checksum) {
        return Err(wrong);
    }
    Ok((content, u16::from_le_bytes(*version)))
}
