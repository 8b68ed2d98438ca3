//! What surrounds a record's body on the disk, and what stands at the front of a file.
//!
//! ```text
//!  file      ┌───────┬─────────┬────────┬────────┬──────────┐
//!            │ magic │ version │ number │ second │ checksum │ record record record…
//!            └───────┴─────────┴────────┴────────┴──────────┘
//!              8       4         8        8        4 bytes      number, second: see `log` and `snapshot`
//!  record    ┌────────┬──────────┬──────────┬──────────┬──────┐
//!            │ length │ checksum │ sequence │ unsynced │ body │
//!            └────────┴──────────┴──────────┴──────────┴──────┘
//!              4        4          8          4          length bytes
//! ```
//!
//! Numbers are little-endian. The checksum is CRC-32C of all of the record (of the file's front) but itself. Records of
//! a file are numbered one by one. `unsynced` says how many records, this one included, were not known to be on the
//! disk when it was written; so a record testifies that those before these were (4,294,967,295:
//! to nothing). That tells a torn tail from damage: a
//! power cut may tear records in the middle of what was not synced and leave later ones whole, but nothing that a
//! later record testifies to can be missing unless the disk has lost it.

/// Bytes of a file before its first record.
pub(crate) const FILE_HEADER_BYTES: usize = 32;
/// Bytes of a record before its body.
pub const FRAME_HEADER_BYTES: usize = 20;
/// How long the body of a record may be: its length has four bytes.
pub const RECORD_BYTES_MAX: usize = u32::MAX as usize;
/// The version of the layout of files; the layout of a body has its own.
const VERSION: u32 = 1;

/// What a file says of itself at its front.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FileHeader {
    pub magic: [u8; 8],
    pub number: u64,
    pub second: u64,
}

impl FileHeader {
    pub fn write(&self) -> [u8; FILE_HEADER_BYTES] {
        let mut bytes = [0; FILE_HEADER_BYTES];
        bytes[..8].copy_from_slice(&self.magic);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.number.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.second.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[..28]);
        bytes[28..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the front of a file that should have this magic; says what is wrong with it otherwise.
    pub fn read(bytes: &[u8], magic: [u8; 8]) -> Result<Self, String> {
        let Some(bytes) = bytes.first_chunk::<FILE_HEADER_BYTES>() else {
            return Err("the front of the file is cut short".into());
        };
        if bytes[..8] != magic {
            return Err("the file does not begin as it should".into());
        }
        let version = u32_at(bytes, 8);
        if version != VERSION {
            return Err(format!("version {version}; this program reads version {VERSION}"));
        }
        if u32_at(bytes, 28) != crc32c::crc32c(&bytes[..28]) {
            return Err("the checksum of the file's front is wrong".into());
        }
        Ok(FileHeader { magic, number: u64_at(bytes, 12), second: u64_at(bytes, 20) })
    }
}

/// What stands before a record's body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FrameHeader {
    pub length: u32,
    pub checksum: u32,
    pub sequence: u64,
    pub unsynced: u32,
}

impl FrameHeader {
    pub fn read(bytes: &[u8; FRAME_HEADER_BYTES]) -> Self {
        FrameHeader {
            length: u32_at(bytes, 0),
            checksum: u32_at(bytes, 4),
            sequence: u64_at(bytes, 8),
            unsynced: u32_at(bytes, 16),
        }
    }

    /// Bytes of the whole record.
    pub fn record_bytes(&self) -> u64 {
        FRAME_HEADER_BYTES as u64 + u64::from(self.length)
    }

    /// The last record that it testifies to be on the disk; 0 is none.
    pub fn synced(&self) -> u64 {
        match self.unsynced {
            u32::MAX => 0,
            unsynced => self.sequence.saturating_sub(u64::from(unsynced)),
        }
    }

    /// The checksum of what stands here; the body's bytes are added to it.
    pub fn checksum_of_front(&self) -> u32 {
        let checksum = crc32c::crc32c(&self.length.to_le_bytes());
        let checksum = crc32c::crc32c_append(checksum, &self.sequence.to_le_bytes());
        crc32c::crc32c_append(checksum, &self.unsynced.to_le_bytes())
    }
}

/// Appends a record. Its body is at most [`RECORD_BYTES_MAX`] long.
pub(crate) fn push(out: &mut Vec<u8>, sequence: u64, unsynced: u64, body: &[u8]) {
    assert!(body.len() <= RECORD_BYTES_MAX, "the length of a record has four bytes");
    let unsynced = u32::try_from(unsynced).unwrap_or(u32::MAX);
    let header = FrameHeader { length: body.len() as u32, checksum: 0, sequence, unsynced };
    let checksum = crc32c::crc32c_append(header.checksum_of_front(), body);
    out.reserve(FRAME_HEADER_BYTES + body.len());
    out.extend_from_slice(&header.length.to_le_bytes());
    out.extend_from_slice(&checksum.to_le_bytes());
    out.extend_from_slice(&header.sequence.to_le_bytes());
    out.extend_from_slice(&header.unsynced.to_le_bytes());
    out.extend_from_slice(body);
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes are four"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes are eight"))
}
