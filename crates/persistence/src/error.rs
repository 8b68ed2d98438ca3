//! What goes wrong: trouble with the disk, and files that are not what they should be.

use std::io;

/// The disk refused: which file, what was tried, and what the system said.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{file}: cannot {action}: {message}")]
pub struct Trouble {
    /// The file's name in the folder.
    pub file: String,
    /// What was tried, as a verb.
    pub action: &'static str,
    /// The kind of error: a full disk, a read-only one…
    pub kind: io::ErrorKind,
    /// What the system said.
    pub message: String,
}

/// A file holds what it should not. Nothing is loaded over it silently.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{file}: damaged at byte {offset}: {what}")]
pub struct Damage {
    /// The file's name in the folder.
    pub file: String,
    /// Where the first byte that cannot be used lies.
    pub offset: u64,
    /// What is wrong there.
    pub what: String,
}

/// Why a folder cannot be loaded.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LoadError {
    /// The disk refused.
    #[error(transparent)]
    Trouble(#[from] Trouble),
    /// A file is damaged.
    #[error(transparent)]
    Damage(#[from] Damage),
    /// A file that is needed is not there.
    #[error("{0}: is missing")]
    Missing(String),
    /// Another process has the folder.
    #[error("another process uses this folder")]
    InUse,
}

/// Says of an error of the system what was tried on which file.
pub(crate) trait Tried<T> {
    fn tried(self, action: &'static str, file: &str) -> Result<T, Trouble>;
}

impl<T> Tried<T> for io::Result<T> {
    fn tried(self, action: &'static str, file: &str) -> Result<T, Trouble> {
        self.map_err(|error| Trouble {
            file: file.to_owned(),
            action,
            kind: error.kind(),
            message: error.to_string(),
        })
    }
}

/// A damage in `file` at `offset`.
pub(crate) fn damage(file: &str, offset: u64, what: impl Into<String>) -> Damage {
    Damage { file: file.to_owned(), offset, what: what.into() }
}
