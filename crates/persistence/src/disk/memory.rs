//! A disk in memory that fails and crashes on demand, no kinder than POSIX allows.
//!
//! Every call but a look (list, length, read) counts. [`MemoryDisk::fail`] lets a run of calls fail: a write leaves a
//! part of its bytes behind, a sync loses what it should have brought to the disk although all of it can still be
//! read. [`MemoryDisk::crash`] is the power cut: of what was not synced, files keep whole writes, parts of writes or
//! nothing, in order or with holes, and names that were created, renamed or removed are so or are not.
//!
//! Randomness is an argument: whoever calls chooses the seed and shows it.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Disk, DiskFile};

/// A number below the one given, which is not 0.
pub type Choose<'a> = &'a mut dyn FnMut(usize) -> usize;

/// A disk in memory. Clones share what is on it.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

/// An open file of a [`MemoryDisk`].
#[derive(Debug)]
pub struct MemoryFile {
    state: Arc<Mutex<State>>,
    file: usize,
}

/// The lock of a [`MemoryDisk`].
#[derive(Debug)]
pub struct MemoryLock {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<File>,
    /// Names as programs see them, and as they are on the disk.
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    /// What has happened to names since they were synced.
    unsynced_names: Vec<NameChange>,
    calls: u64,
    failing: Range<u64>,
    /// From this call on nothing happens any more.
    stopped_at: Option<u64>,
    is_locked: bool,
}

#[derive(Clone, Debug, Default)]
struct File {
    /// As programs see it, and as it is on the disk.
    bytes: Vec<u8>,
    synced: Vec<u8>,
    /// What has happened to it since it was synced.
    unsynced: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

#[derive(Clone, Debug)]
enum NameChange {
    Created(String, usize),
    Renamed(String, String, usize),
    Removed(String),
}

impl MemoryDisk {
    /// An empty disk.
    pub fn new() -> Self {
        MemoryDisk::default()
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Lets the calls with these numbers fail; the first call has number 0.
    pub fn fail(&self, calls: Range<u64>) {
        self.state().failing = calls;
    }

    /// Lets all calls from this one on fail without any effect, as if the process had ended.
    pub fn stop(&self, call: u64) {
        self.state().stopped_at = Some(call);
    }

    /// The disk as it is found after a power cut at this moment. This one stays as it is.
    pub fn crash(&self, choose: Choose<'_>) -> MemoryDisk {
        let state = self.state();
        let files = state.files.iter().map(|file| file.after_crash(choose)).collect();
        let mut names = state.synced_names.clone();
        // File systems with a journal lose the last changes; others may lose any.
        let is_ordered = choose(2) == 0;
        let kept = choose(state.unsynced_names.len() + 1);
        for (index, change) in state.unsynced_names.iter().enumerate() {
            if if is_ordered { index < kept } else { choose(2) == 0 } {
                change.apply(&mut names);
            }
        }
        let found = State { files, synced_names: names.clone(), names, ..State::default() };
        MemoryDisk { state: Arc::new(Mutex::new(found)) }
    }

    /// What a file holds, as programs see it.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state();
        state.names.get(name).map(|&file| state.files[file].bytes.clone())
    }

    /// Puts a file on the disk as if it had always been there.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let mut state = self.state();
        let file = state.files.len();
        state.files.push(File { bytes: bytes.to_vec(), synced: bytes.to_vec(), unsynced: Vec::new() });
        state.names.insert(name.to_owned(), file);
        state.synced_names.insert(name.to_owned(), file);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Disk for MemoryDisk {
    type File = MemoryFile;
    type Lock = MemoryLock;

    fn lock(&self, _name: &str) -> io::Result<Option<MemoryLock>> {
        let mut state = self.state();
        state.count_call()?;
        let was_locked = std::mem::replace(&mut state.is_locked, true);
        Ok((!was_locked).then(|| MemoryLock { state: Arc::clone(&self.state) }))
    }

    fn create(&self, name: &str) -> io::Result<MemoryFile> {
        let mut state = self.state();
        state.count_call()?;
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = state.files.len();
        state.files.push(File::default());
        state.change_name(NameChange::Created(name.to_owned(), file));
        Ok(MemoryFile { state: Arc::clone(&self.state), file })
    }

    fn open(&self, name: &str) -> io::Result<MemoryFile> {
        let mut state = self.state();
        state.count_call()?;
        let file = state.file(name)?;
        Ok(MemoryFile { state: Arc::clone(&self.state), file })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.count_call()?;
        let file = state.file(from)?;
        state.change_name(NameChange::Renamed(from.to_owned(), to.to_owned(), file));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.count_call()?;
        state.file(name)?;
        state.change_name(NameChange::Removed(name.to_owned()));
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut state = self.state();
        state.count_call()?;
        state.synced_names = state.names.clone();
        state.unsynced_names.clear();
        Ok(())
    }
}

impl DiskFile for MemoryFile {
    fn length(&self) -> io::Result<u64> {
        Ok(lock(&self.state).files[self.file].bytes.len() as u64)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let state = lock(&self.state);
        let bytes = &state.files[self.file].bytes;
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = lock(&self.state);
        state.count()?;
        let result = state.fails();
        // A write that fails leaves a half behind: the first half or, now and then, all or nothing.
        let count = match &result {
            Ok(()) => bytes.len(),
            Err(_) => bytes.len() * (state.calls % 3) as usize / 2,
        };
        state.files[self.file].change(Change::Write(offset as usize, bytes[..count].to_vec()));
        result
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut state = lock(&self.state);
        state.count_call()?;
        state.files[self.file].change(Change::Truncate(length as usize));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = lock(&self.state);
        state.count()?;
        let result = state.fails();
        let file = &mut state.files[self.file];
        let changes = std::mem::take(&mut file.unsynced);
        if result.is_ok() {
            changes.iter().for_each(|change| change.apply(&mut file.synced));
        }
        result
    }
}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        lock(&self.state).is_locked = false;
    }
}

impl State {
    /// Counts a call, and fails it where it is to fail without an effect.
    fn count_call(&mut self) -> io::Result<()> {
        self.count()?;
        self.fails()
    }

    /// Counts a call that happens, unless everything has stopped.
    fn count(&mut self) -> io::Result<()> {
        self.calls += 1;
        match self.stopped_at {
            Some(call) if self.calls > call => Err(io::Error::other("stopped")),
            _ => Ok(()),
        }
    }

    /// Whether the call that was counted is to fail.
    fn fails(&self) -> io::Result<()> {
        if self.failing.contains(&(self.calls - 1)) { Err(io::Error::other("injected")) } else { Ok(()) }
    }

    fn file(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn change_name(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.unsynced_names.push(change);
    }
}

impl File {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.bytes);
        self.unsynced.push(change);
    }

    /// What is left of it after a power cut.
    fn after_crash(&self, choose: Choose<'_>) -> File {
        let mut bytes = self.synced.clone();
        let is_ordered = choose(3) > 0;
        let kept = choose(self.unsynced.len() + 1);
        for (index, change) in self.unsynced.iter().enumerate() {
            let share = match is_ordered {
                true if index < kept => 2,
                true if index == kept => 1,
                true => 0,
                false => choose(3),
            };
            match (share, change) {
                (2, change) => change.apply(&mut bytes),
                (1, Change::Write(offset, written)) => {
                    // Torn: a part of it, from the front or, where the order is lost, from anywhere.
                    let end = choose(written.len() + 1);
                    let start = if is_ordered { 0 } else { choose(end + 1) };
                    Change::Write(offset + start, written[start..end].to_vec()).apply(&mut bytes);
                }
                _ => {}
            }
        }
        File { synced: bytes.clone(), bytes, unsynced: Vec::new() }
    }
}

impl Change {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Change::Write(_, bytes) if bytes.is_empty() => {}
            Change::Write(offset, bytes) => {
                let end = offset + bytes.len();
                file.resize(file.len().max(end), 0);
                file[*offset..end].copy_from_slice(bytes);
            }
            Change::Truncate(length) => file.resize(*length, 0),
        }
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            NameChange::Created(name, file) => {
                names.insert(name.clone(), *file);
            }
            NameChange::Renamed(from, to, file) => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
            NameChange::Removed(name) => {
                names.remove(name);
            }
        }
    }
}

/// A test that panicked elsewhere is no reason to panic here.
fn lock(state: &Arc<Mutex<State>>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
