//! The manifest: which files of a folder count, as a small text.
//!
//! ```text
//!  # What counts in this folder. Mayfly replaces this file as a whole; the last line is its checksum.
//!  version = 1
//!  generation = 3
//!
//!  [log]
//!  segment = 7
//!  sequence = 1041
//!
//!  [[snapshot]]
//!  part = 0
//!  bytes = 5242
//!  records = 17
//!  # crc32c 8a2f01bb
//! ```
//!
//! It is replaced atomically: the new one is written beside it, synced, renamed over it, and the folder synced. Then a copy
//! is replaced in the same way, from which a repair restores a manifest that is lost or damaged.

use serde::{Deserialize, Serialize};

use crate::disk::{Disk, DiskFile, read_full, remove_if_there};
use crate::error::{LoadError, Tried, Trouble, damage};
use crate::log::LogStart;
use crate::names::MANIFEST_NEW;
use crate::snapshot::Part;

/// The version of this text.
const VERSION: u32 = 1;
/// A manifest is small; what is longer is none.
const MANIFEST_BYTES_MAX: u64 = 4 << 20;
const FIRST_LINE: &str =
    "# What counts in this folder. Mayfly replaces this file as a whole; the last line is its checksum.\n";
const CHECKSUM: &str = "# crc32c ";

/// Which files of a folder count.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    version: u32,
    /// The number of the snapshot, 0 before the first.
    pub generation: u64,
    /// Where the log begins that is replayed over it.
    pub log: LogStart,
    /// The parts of the snapshot.
    #[serde(default)]
    pub snapshot: Vec<Part>,
}

impl Manifest {
    /// A manifest with these files.
    pub(crate) fn new(generation: u64, log: LogStart, snapshot: Vec<Part>) -> Self {
        Manifest { version: VERSION, generation, log, snapshot }
    }

    /// Reads that of a folder, or the copy of it; `None` where there is none.
    pub(crate) fn read(disk: &impl Disk, name: &str) -> Result<Option<Self>, LoadError> {
        let file = match disk.open(name) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.tried("open", name)?,
        };
        let length = file.length().tried("read", name)?;
        if length > MANIFEST_BYTES_MAX {
            return Err(damage(name, MANIFEST_BYTES_MAX, "it is too long").into());
        }
        let mut bytes = vec![0; length as usize];
        let count = read_full(&file, 0, &mut bytes).tried("read", name)?;
        bytes.truncate(count);
        Self::parse(&bytes).map(Some).map_err(|what| damage(name, 0, what).into())
    }

    /// Writes it beside the one that counts.
    pub(crate) fn prepare(&self, disk: &impl Disk) -> Result<(), Trouble> {
        remove_if_there(disk, MANIFEST_NEW).tried("remove", MANIFEST_NEW)?;
        let mut file = disk.create(MANIFEST_NEW).tried("create", MANIFEST_NEW)?;
        file.write_at(0, self.render().as_bytes()).tried("write", MANIFEST_NEW)?;
        file.sync().tried("sync", MANIFEST_NEW)
    }

    /// Puts what was prepared in the place of a manifest. After an error either of the two may be found by the next
    /// start.
    pub(crate) fn publish(disk: &impl Disk, name: &str) -> Result<(), Trouble> {
        disk.rename(MANIFEST_NEW, name).tried("rename", MANIFEST_NEW)?;
        disk.sync_folder().tried("sync the folder of", name)
    }

    fn render(&self) -> String {
        let body = toml::to_string(self).expect("numbers and lists of them are TOML");
        let text = format!("{FIRST_LINE}{body}");
        format!("{text}{CHECKSUM}{:08x}\n", crc32c::crc32c(text.as_bytes()))
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        let (body, checksum) = text.rsplit_once(CHECKSUM).ok_or("it has no checksum")?;
        if checksum != format!("{:08x}\n", crc32c::crc32c(body.as_bytes())) {
            return Err("its checksum is wrong".into());
        }
        let manifest: Manifest = toml::from_str(body).map_err(|error| error.message().to_owned())?;
        if manifest.version != VERSION {
            return Err(format!("version {}; this program reads version {VERSION}", manifest.version));
        }
        if manifest.log.segment == 0 || manifest.log.sequence == 0 {
            return Err("segments and records are numbered from 1".into());
        }
        Ok(manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let parts = vec![Part { part: 0, bytes: 10, records: 1 }, Part { part: 1, bytes: 20, records: 0 }];
        Manifest::new(3, LogStart { segment: 7, sequence: 1_041 }, parts)
    }

    #[test]
    fn what_is_written_is_read() {
        let empty = Manifest::new(0, LogStart::FIRST, Vec::new());
        for manifest in [manifest(), empty] {
            assert_eq!(Manifest::parse(manifest.render().as_bytes()), Ok(manifest));
        }
    }

    #[test]
    fn a_byte_that_is_changed_or_missing_is_noticed() {
        let text = manifest().render().into_bytes();
        for at in 0..text.len() {
            let mut changed = text.clone();
            changed[at] ^= 1;
            assert!(Manifest::parse(&changed).is_err(), "byte {at} changed");
            assert!(Manifest::parse(&text[..at]).is_err(), "cut at byte {at}");
        }
    }
}
