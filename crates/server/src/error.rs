//! Why the process could not start. One line each, for the operator; the place that set the value comes first.

use std::io;
use std::net::SocketAddr;

use mayfly_config::Place;

/// Why the process could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address to listen on is taken, not ours or not there. Another port or address helps.
    #[error("{place}: {key}: cannot listen on {address}: {source}")]
    Listen {
        /// Who set the value.
        place: Place,
        /// The directive, `section.key`.
        key: &'static str,
        /// What was to be listened on.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The file of the Unix socket cannot be made, or something is in its place.
    #[error("{place}: server.unix_socket: cannot listen on {path}: {source}")]
    UnixSocket {
        /// Who set the path.
        place: Place,
        /// The file.
        path: String,
        /// What is wrong.
        source: io::Error,
    },
    /// A certificate or a key cannot be had, or they do not go together.
    #[error("{place}: {path}: {problem}")]
    Certificate {
        /// Who set the directive.
        place: Place,
        /// The directive, `section.key`.
        path: &'static str,
        /// What is wrong, with the name of the file.
        problem: String,
    },
    /// A socket that was passed to the process cannot be used.
    #[error("LISTEN_FDS: {problem}")]
    Passed {
        /// Which one, and what is wrong.
        problem: String,
    },
    /// The users are wrong.
    #[error("{place}: {key}: {problem}")]
    Users {
        /// Who set the value.
        place: Place,
        /// The directive, `section.key`.
        key: &'static str,
        /// What is wrong, in one line.
        problem: String,
    },
    /// The data folder cannot be had or loaded.
    #[error("{place}: persistence.dir: {folder}: {source}{advice}")]
    Folder {
        /// Who set the folder.
        place: Place,
        /// The folder.
        folder: String,
        /// What is wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
        /// What helps.
        advice: String,
    },
    /// It ran, and has ended without bringing all changes to the disk.
    #[error("stopped, and the last changes are not on the disk; the log says why")]
    Unsynced,
    /// The runtime took no socket.
    #[error("cannot wait on a socket: {0}")]
    Runtime(#[source] io::Error),
    /// The system gave no signal handler.
    #[error("cannot handle signals: {0}")]
    Signals(#[source] io::Error),
    /// The system gave no random numbers; the keyed hash needs some.
    #[error("the system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}
