//! Why a file was not read to its end.

use std::io;

use crate::error::RdbError;

/// Why a file was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Its first bytes are not those of an RDB file.
    #[error("this is no RDB file: it does not begin with REDIS or VALKEY and a version")]
    NotRdb,
    /// It was written by a newer server.
    #[error("{family} has written this file in version {version} of the format, which is not known")]
    UnknownVersion {
        /// Redis or Valkey.
        family: &'static str,
        /// The version.
        version: u16,
    },
    /// It ends too early.
    #[error("at byte {offset}: the file is torn: it ends here, in the middle")]
    Torn {
        /// Where it ends.
        offset: u64,
    },
    /// It does not follow the format.
    #[error("at byte {offset}: {problem}")]
    Damaged {
        /// How far it was read.
        offset: u64,
        /// What is wrong.
        problem: RdbError,
    },
    /// All of it could be read, but not all is what was written.
    #[error(
        "at byte {offset}: the checksum is {found:016x}, the bytes before make {expected:016x}: the file is damaged"
    )]
    Checksum {
        /// Where the checksum stands.
        offset: u64,
        /// What stands there.
        found: u64,
        /// What should.
        expected: u64,
    },
    /// Something stands behind the end, as in an append-only file that begins with an RDB file.
    #[error("at byte {offset}: bytes follow the end; an append-only file has to be read by Redis")]
    BytesBehindEnd {
        /// Where they begin.
        offset: u64,
    },
    /// It could not be read.
    #[error("at byte {offset}: {error}")]
    Unreadable {
        /// How far it was read.
        offset: u64,
        /// What the system says.
        error: io::Error,
    },
}
