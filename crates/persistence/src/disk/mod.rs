//! The seam: all that this crate asks of a file system, for one folder.
//!
//! Names are those of files in the folder, without a path. [`RealDisk`] is the folder of an operating system; the
//! tests have one in memory that fails and crashes on demand (`memory`, behind the feature `memory-disk`).
//!
//! What its user may rely on after a crash is no more than what POSIX promises: bytes of a file after
//! [`DiskFile::sync`], names after [`Disk::sync_folder`]. And after a sync that failed, the bytes written before
//! it may be lost although a later sync succeeds: kernels mark the pages clean.

#[cfg(any(test, feature = "memory-disk"))]
pub mod memory;
mod real;

use std::io;

pub use real::RealDisk;

/// A folder with files.
pub trait Disk: Clone {
    /// An open file.
    type File: DiskFile;
    /// The folder is one's own for as long as this lives.
    type Lock;

    /// Takes the folder for oneself; `None` where another process has it.
    fn lock(&self, name: &str) -> io::Result<Option<Self::Lock>>;
    /// Creates a file and opens it. There must be none of that name.
    fn create(&self, name: &str) -> io::Result<Self::File>;
    /// Opens a file that exists.
    fn open(&self, name: &str) -> io::Result<Self::File>;
    /// Gives a file another name; a file that had it is gone.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Brings names to the disk: of files that were created, renamed and removed.
    fn sync_folder(&self) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile {
    /// Its length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Reads what is there, at most as much as fits; 0 at the end.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;
    /// Writes all of it. After an error a part of it may have been written.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts it to a length.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
    /// Brings its bytes and its length to the disk.
    fn sync(&mut self) -> io::Result<()>;
}

/// Reads as much as there is and fits.
pub(crate) fn read_full(file: &impl DiskFile, mut offset: u64, mut into: &mut [u8]) -> io::Result<usize> {
    let wanted = into.len();
    while !into.is_empty() {
        let count = match file.read_at(offset, into) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        offset += count as u64;
        into = &mut into[count..];
    }
    Ok(wanted - into.len())
}

/// Removes a file that may not be there.
pub(crate) fn remove_if_there(disk: &impl Disk, name: &str) -> io::Result<()> {
    match disk.remove(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
