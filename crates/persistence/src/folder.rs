//! A data folder: what counts in it, and how that changes.

use crate::disk::{Disk, remove_if_there};
use crate::error::{LoadError, Tried, Trouble};
use crate::log::{LogReader, LogStart, LogWriter};
use crate::manifest::Manifest;
use crate::names::{LOCK, Name};
use crate::snapshot::{Part, SnapshotReader};

/// A data folder that this process has for itself for as long as this lives.
#[derive(Debug)]
pub struct Folder<D: Disk> {
    disk: D,
    _lock: D::Lock,
    manifest: Manifest,
    last_generation: u64,
    /// A manifest could not be replaced for certain: the next start may find the old or the new one.
    is_uncertain: bool,
}

impl<D: Disk> Folder<D> {
    /// Takes a folder and reads its manifest. Nothing in it is changed, but for the lock.
    pub fn open(disk: D) -> Result<Self, LoadError> {
        let lock = disk.lock(LOCK).tried("lock", LOCK)?.ok_or(LoadError::InUse)?;
        let manifest = Manifest::read(&disk)?;
        let manifest = manifest.unwrap_or_else(|| Manifest::new(0, LogStart::FIRST, Vec::new()));
        let mut folder =
            Folder { disk, _lock: lock, last_generation: manifest.generation, manifest, is_uncertain: false };
        for name in folder.strays()? {
            if let Some(Name::Snapshot { generation, .. }) = Name::parse(&name) {
                folder.last_generation = folder.last_generation.max(generation);
            }
        }
        Ok(folder)
    }

    /// The disk it is on.
    pub fn disk(&self) -> &D {
        &self.disk
    }

    /// What counts in it.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Reads a part of its snapshot. Parts may be read at the same time and in any order; all of them come before the log.
    pub fn read_snapshot(&self, part: Part) -> Result<SnapshotReader<D>, LoadError> {
        SnapshotReader::open(&self.disk, self.manifest.generation, part)
    }

    /// Reads the log that is replayed over the snapshot.
    pub fn read_log(&self) -> Result<LogReader<D>, LoadError> {
        LogReader::open(&self.disk, self.manifest.log)
    }

    /// The names of files of ours that do not count: of snapshots that were not finished, and what they replaced.
    ///
    /// After a [`Folder::commit`] that failed there are none until one succeeds, since any may count.
    pub fn strays(&self) -> Result<Vec<String>, Trouble> {
        if self.is_uncertain {
            return Ok(Vec::new());
        }
        let mut names = self.disk.list().tried("list", "the folder")?;
        names.retain(|name| Name::parse(name).is_some_and(|parsed| !self.counts(parsed)));
        Ok(names)
    }

    /// Removes the strays and says which they were: once all is loaded, so that nothing is lost where the manifest is.
    pub fn remove_strays(&self) -> Result<Vec<String>, Trouble> {
        let strays = self.strays()?;
        for name in &strays {
            remove_if_there(&self.disk, name).tried("remove", name)?;
        }
        Ok(strays)
    }

    /// The number of the next snapshot. Each attempt has one of its own.
    pub fn next_generation(&mut self) -> u64 {
        self.last_generation += 1;
        self.last_generation
    }

    /// Makes a snapshot that count, whose parts are finished, together with the log from where it was rotated before the
    /// first slice; the log is synced first. What they replace is removed.
    ///
    /// After an error the old snapshot and the whole log still count, or the new ones: the next start finds out, and no
    /// file of either is removed before.
    pub fn commit(
        &mut self,
        generation: u64,
        parts: Vec<Part>,
        start: LogStart,
        log: &mut LogWriter<D>,
    ) -> Result<(), Trouble> {
        log.sync()?;
        self.disk.sync_folder().tried("sync", "the folder")?;
        self.replace_manifest(Manifest::new(generation, start, parts))?;
        // The snapshot counts; what cannot be removed now is a stray for the next time.
        let _ = self.remove_strays();
        Ok(())
    }

    /// Puts another manifest in place of the one there is.
    pub(crate) fn replace_manifest(&mut self, manifest: Manifest) -> Result<(), Trouble> {
        self.is_uncertain = true;
        manifest.write(&self.disk)?;
        self.is_uncertain = false;
        self.last_generation = self.last_generation.max(manifest.generation);
        self.manifest = manifest;
        Ok(())
    }

    fn counts(&self, name: Name) -> bool {
        match name {
            Name::Manifest => true,
            Name::ManifestNew => false,
            Name::Log(number) => number >= self.manifest.log.segment,
            Name::Snapshot { generation, part } => {
                generation == self.manifest.generation
                    && self.manifest.snapshot.iter().any(|named| named.part == part)
            }
        }
    }
}
