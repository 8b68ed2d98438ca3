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
