//! Why a transfer stopped.

use std::io;
use std::path::{Path, PathBuf};

use mayfly_persistence::LoadError;
use mayfly_rdb::FileError;

/// Why a transfer stopped. What was done before stays done.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// An address that cannot be understood.
    #[error("{text}: {problem}")]
    Address {
        /// What was given.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An RDB file is damaged or cannot be read.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        error: FileError,
    },
    /// A file cannot be opened, written or replaced.
    #[error("{}: {error}", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A server cannot be reached, or hung up.
    #[error("{server}: {error}")]
    Connection {
        /// The server, without its password.
        server: String,
        /// What went wrong.
        error: redis::RedisError,
    },
    /// A server answered something else than what was asked for.
    #[error("{server}: {request}: {problem}")]
    Refused {
        /// The server, without its password.
        server: String,
        /// What it was asked.
        request: String,
        /// What it answered.
        problem: String,
    },
    /// A key is there already, and nothing says what to do then.
    #[error(
        "{server}: the key {key} of database {database} exists; --replace or --skip-existing says what to do then"
    )]
    Exists {
        /// The target.
        server: String,
        /// Its database.
        database: u64,
        /// The key, escaped.
        key: String,
    },
    /// A live copy would meet keys that are there already.
    #[error(
        "{server}: database {database} is not empty; --replace or --skip-existing says what to do with keys \
         that exist"
    )]
    NotEmpty {
        /// The target.
        server: String,
        /// Its database.
        database: u64,
    },
    /// A data folder cannot be read or written.
    #[error("{}: {error}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        error: LoadError,
    },
    /// A data folder that is to be filled has data.
    #[error("{}: there are files of a Mayfly in this folder; an import takes one without", path.display())]
    HasData {
        /// The folder.
        path: PathBuf,
    },
    /// A folder that is to be exported has none.
    #[error("{}: there is no data of Mayfly in this folder", path.display())]
    NoData {
        /// The folder.
        path: PathBuf,
    },
    /// A hash that the server of a folder would refuse.
    #[error("{}: the key {key}: {problem}", path.display())]
    Unfit {
        /// The folder.
        path: PathBuf,
        /// The key, escaped.
        key: String,
        /// What does not fit.
        problem: String,
    },
    /// A state file does not fit.
    #[error("{}: {problem}", path.display())]
    State {
        /// The state file.
        path: PathBuf,
        /// What does not fit.
        problem: String,
    },
    /// Flags that do not go together.
    #[error("{0}")]
    Options(&'static str),
}

impl TransferError {
    /// For `map_err` where a file is written or opened.
    pub(crate) fn disk(path: &Path) -> impl FnOnce(io::Error) -> TransferError {
        move |error| TransferError::Disk { path: path.to_owned(), error }
    }

    /// For `map_err` where a data folder is read or written.
    pub(crate) fn folder(path: &Path) -> impl FnOnce(LoadError) -> TransferError {
        let path = path.to_owned();
        move |error| TransferError::Folder { path, error }
    }
}
