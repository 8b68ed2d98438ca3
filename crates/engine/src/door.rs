//! Which requests are turned away for the sake of the disk: those on data while it is loaded, those that write while
//! they could not be kept. All sessions of a process share it.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use mayfly_command::{Command, Flags, Run, Step};

use crate::memory::SharedMemory;

const OPEN: u8 = 0;
const LOADING: u8 = 1;
const SICK: u8 = 2;

/// Who is turned away. While nobody is, a look costs one load.
#[derive(Debug, Default)]
pub struct Door {
    state: AtomicU8,
    /// What is wrong with the disk.
    trouble: Mutex<String>,
    /// What the shards use: past the limit nothing that needs more is queued for a transaction.
    pub memory: SharedMemory,
}

impl Door {
    /// A door that is open, to shards that use this memory.
    pub fn to(memory: SharedMemory) -> Self {
        Door { memory, ..Door::default() }
    }

    /// Data is being loaded: only what may be asked meanwhile is let in.
    pub fn begin_loading(&self) {
        self.state.store(LOADING, Relaxed);
    }

    /// Everybody is let in.
    pub fn open(&self) {
        self.state.store(OPEN, Relaxed);
    }

    /// What writes is turned away, with these words.
    pub fn refuse_writes(&self, trouble: String) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        self.state.store(SICK, Relaxed);
    }

    /// Whether everybody is let in.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.state.load(Relaxed) == OPEN
    }

    /// Whether data is being loaded.
    pub fn is_loading(&self) -> bool {
        self.state.load(Relaxed) == LOADING
    }

    /// Whether writes are turned away.
    pub fn refuses_writes(&self) -> bool {
        self.state.load(Relaxed) == SICK
    }

    /// Lets a request in, or says the line that turns it away. `would_write` is asked of an `EXEC`.
    #[inline]
    pub(crate) fn admit(&self, command: &Command, would_write: impl FnOnce() -> bool) -> Result<(), String> {
        match self.state.load(Relaxed) {
            OPEN => Ok(()),
            state => self.look(state, command, would_write),
        }
    }

    #[cold]
    fn look(&self, state: u8, command: &Command, would_write: impl FnOnce() -> bool) -> Result<(), String> {
        let flags = &command.spec.flags;
        if state == LOADING {
            return match flags.has(Flags::LOADING) {
                true => Ok(()),
                false => Err("LOADING Redis is loading the dataset in memory".to_owned()),
            };
        }
        let is_exec = matches!(command.spec.run, Run::Step(Step::Exec));
        // PING too, as in Redis: whoever asks whether all is well is to hear that it is not.
        let is_refused =
            flags.has(Flags::WRITE) || command.full_name() == "ping" || (is_exec && would_write());
        match is_refused {
            true => Err(format!(
                "MISCONF Errors writing to the AOF file: {}",
                self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
            )),
            false => Ok(()),
        }
    }
}
