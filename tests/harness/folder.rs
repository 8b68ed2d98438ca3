//! Folders that servers keep their data in.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::Launch;

/// A data folder that goes with its owner.
pub struct Folder(pub PathBuf);

impl Folder {
    /// A name for one; the server makes it.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("data-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        Folder(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    /// A server with so many shards that keeps its data here.
    pub fn launch(&self, shards: usize, fsync: &str) -> Launch {
        Launch::with_shards(shards).set("persistence.fsync", fsync).set("persistence.dir", self.0.display())
    }

    /// The segments of the log, the oldest first, with their lengths.
    pub fn segments(&self) -> Vec<(PathBuf, u64)> {
        let entries = fs::read_dir(&self.0).expect("the folder is there");
        let paths = entries.map(|entry| entry.expect("it can be listed").path());
        let is_log =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("log-"));
        let mut paths: Vec<_> = paths.filter(is_log).collect();
        paths.sort();
        let with_length = |path: PathBuf| {
            let length = fs::metadata(&path).expect("it is there").len();
            (path, length)
        };
        paths.into_iter().map(with_length).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
