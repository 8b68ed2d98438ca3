//! Hashes in and out: `mayfly import` and `mayfly export`.
//!
//! ```text
//!  RDB file ──── FileSource ──┐                      ┌── ServerSink ──── RESTORE ──▶ a running Mayfly
//!  SCAN, DUMP ── ServerSource ┼─▶ begin, field …, end┼── FileSink ─────────────────▶ RDB file
//!  of a running server        │                      └── FolderSink ───────────────▶ a new data folder
//!  data folder ─ FolderSource ┘
//! ```
//!
//! A [`Source`] hands over one hash after the other, field by field, in rounds; a [`Sink`] takes them. So neither
//! side ever holds more than a piece of a hash and the requests of one round: memory does not grow with the data. The
//! exception is a data folder as a source, which has to be loaded as a start loads it.
//! A further kind of source or sink is one more implementation (`source.rs`, `sink.rs`).
//!
//! - `import.rs`, `export.rs`: what the two commands do, in order.
//! - `file_source.rs`, `server_source.rs`, `server_sink.rs`, `file_sink.rs`: servers and RDB files.
//!   `folder_source.rs`, `folder_sink.rs`: data folders of a Mayfly that does not run.
//! - `repeats.rs`: what a SCAN has given twice, found in bounded memory.
//! - `ping.rs`: whether a server answers at all.
//! - `state.rs`: where an interrupted copy goes on. `report.rs`, `progress.rs`: what the operator sees.
//!
//! One thread and blocking connections: the work is the server's. Elsewhere: the format of files and payloads
//! (`mayfly-rdb`), flags and exit codes (the binary). There is no TLS.

mod address;
mod clock;
mod connection;
mod error;
mod export;
mod fields;
mod file_sink;
mod file_source;
mod folder_sink;
mod folder_source;
mod import;
mod ping;
mod progress;
mod repeats;
mod report;
mod server_sink;
mod server_source;
mod sink;
mod source;
mod state;

pub use address::{Origin, ServerAddress};
pub use error::TransferError;
pub use export::{ExportOptions, ExportOrigin, export};
pub use folder_sink::FolderTarget;
pub use folder_source::FolderOrigin;
pub use import::{Existing, ImportOptions, Target, import};
pub use ping::ping;
pub use report::Report;
pub use sink::{Head, Sink};
pub use source::{Filter, Progressed, Source};
