//! Programs that start while tests beside them open files.
//!
//! Until its own program begins, a child has copies of all files that are open here, and holds their locks: a data folder
//! that a test has closed would still be in use.

use std::process::{Child, Command};
use std::sync::{PoisonError, RwLock};

static STARTS: RwLock<()> = RwLock::new(());

/// Starts a program.
pub fn spawn(command: &mut Command) -> Child {
    let _is_starting = STARTS.read().unwrap_or_else(PoisonError::into_inner);
    command.spawn().expect("the program can be run")
}

/// Works with files that nobody else may hold when it is done.
pub fn while_nothing_starts<T>(work: impl FnOnce() -> T) -> T {
    let _nothing_starts = STARTS.write().unwrap_or_else(PoisonError::into_inner);
    work()
}
