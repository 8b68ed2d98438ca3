//! A data folder: what counts in it, and how that changes.

use crate::disk::{Disk, DiskFile, remove_if_there};
use crate::error::{LoadError, Tried, Trouble};
use crate::log::{LogReader, LogStart, LogWriter, numbers};
use crate::manifest::Manifest;
use crate::names::{LOCK, MANIFEST, MANIFEST_COPY, Name};
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
        let manifest = match Manifest::read(&disk, MANIFEST)? {
            Some(manifest) => manifest,
            None if is_new(&disk)? => Manifest::new(0, LogStart::FIRST, Vec::new()),
            None => return Err(LoadError::Missing(MANIFEST.to_owned())),
        };
        let mut folder =
            Folder { disk, _lock: lock, last_generation: manifest.generation, manifest, is_uncertain: false };
        for name in folder.strays()? {
            if let Some(Name::Snapshot { generation, .. }) = Name::parse(&name) {
                folder.last_generation = folder.last_generation.max(generation);
            }
        }
        Ok(folder)
    }

    /// Takes a folder for a repair. Where its manifest is damaged or lost, the copy takes its place, if all files are there
    /// that it names. Says whether it did.
    pub fn open_for_repair(disk: D) -> Result<(Self, bool), LoadError> {
        let refused = match Self::open(disk.clone()) {
            Err(refused @ (LoadError::Damage(_) | LoadError::Missing(_))) => refused,
            other => return other.map(|folder| (folder, false)),
        };
        let lock = disk.lock(LOCK).tried("lock", LOCK)?.ok_or(LoadError::InUse)?;
        let Ok(Some(copy)) = Manifest::read(&disk, MANIFEST_COPY) else {
            return Err(refused);
        };
        let last_generation = copy.generation;
        let mut folder = Folder { disk, _lock: lock, manifest: copy, last_generation, is_uncertain: false };
        if !folder.has_its_files()? {
            return Err(refused);
        }
        folder.replace_manifest(folder.manifest.clone())?;
        Ok((folder, true))
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

    /// Bytes of all files that count: of the snapshot and the log.
    pub fn bytes(&self) -> Result<u64, Trouble> {
        let mut bytes: u64 = self.manifest.snapshot.iter().map(|part| part.bytes).sum();
        for number in numbers(&self.disk, self.manifest.log)? {
            let name = Name::Log(number).to_string();
            bytes += self.disk.open(&name).and_then(|file| file.length()).tried("read", &name)?;
        }
        Ok(bytes)
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

    /// Makes a snapshot count whose parts are finished, together with the log from where it was rotated before the first
    /// slice; the log is synced first. What they replace is removed. There is one snapshot at a time: parts of any other
    /// are removed too.
    ///
    /// After an error the old snapshot and the whole log count as before and the new parts are removed; or, where the
    /// error came late, the next start finds the old or the new ones, and no file of either is removed until then.
    pub fn commit(
        &mut self,
        generation: u64,
        parts: Vec<Part>,
        start: LogStart,
        log: &mut LogWriter<D>,
    ) -> Result<(), Trouble> {
        let result = self.try_commit(Manifest::new(generation, start, parts), log);
        // What cannot be removed now is a stray for the next time.
        let _ = self.remove_strays();
        result
    }

    fn try_commit(&mut self, manifest: Manifest, log: &mut LogWriter<D>) -> Result<(), Trouble> {
        log.sync()?;
        self.disk.sync_folder().tried("sync", "the folder")?;
        self.replace_manifest(manifest)
    }

    /// Puts another manifest in place of the one there is.
    pub(crate) fn replace_manifest(&mut self, manifest: Manifest) -> Result<(), Trouble> {
        manifest.prepare(&self.disk)?;
        self.is_uncertain = true;
        Manifest::publish(&self.disk, MANIFEST)?;
        self.is_uncertain = false;
        // It counts. Without a copy, or with an old one, there is only less to repair it from.
        let _ = manifest.prepare(&self.disk).and_then(|()| Manifest::publish(&self.disk, MANIFEST_COPY));
        self.last_generation = self.last_generation.max(manifest.generation);
        self.manifest = manifest;
        Ok(())
    }

    /// Whether all files are there that its manifest names, each as far as its front and its length say.
    fn has_its_files(&self) -> Result<bool, LoadError> {
        for part in &self.manifest.snapshot {
            match self.read_snapshot(*part) {
                Ok(reader) if reader.has_its_length() => {}
                Err(LoadError::Trouble(trouble)) => return Err(trouble.into()),
                _ => return Ok(false),
            }
        }
        match self.read_log() {
            Ok(_) => Ok(true),
            Err(LoadError::Trouble(trouble)) => Err(trouble.into()),
            Err(_) => Ok(false),
        }
    }

    fn counts(&self, name: Name) -> bool {
        match name {
            Name::Manifest | Name::ManifestCopy => true,
            Name::ManifestNew => false,
            Name::Log(number) => number >= self.manifest.log.segment,
            Name::Snapshot { generation, part } => {
                generation == self.manifest.generation
                    && self.manifest.snapshot.iter().any(|named| named.part == part)
            }
        }
    }
}

/// Whether a folder without a manifest never had one: its log is whole then, from the first segment on.
fn is_new(disk: &impl Disk) -> Result<bool, Trouble> {
    let names = disk.list().tried("list", "the folder")?;
    let ours: Vec<_> = names.iter().filter_map(|name| Name::parse(name)).collect();
    let has_data = ours.iter().any(|name| matches!(name, Name::Log(_) | Name::Snapshot { .. }));
    Ok(!ours.contains(&Name::ManifestCopy) && (!has_data || ours.contains(&Name::Log(1))))
}
