//! The log: every change, in the order in which it was handed over, in one file behind the other.
//!
//! ```text
//!  log-00000007.mayfly                      log-00000008.mayfly
//!  ┌──────────┬──────┬──────┬──────┬─────┐  ┌──────────┬──────┬──────┬────
//!  │ MAYFLYLG │  41  │  42  │  43  │ 44  │  │ MAYFLYLG │  44  │  45  │ …
//!  │ 7, 41    │      │      │      │     │  │ 8, 44    │      │      │
//!  └──────────┴──────┴──────┴──────┴─────┘  └──────────┴──────┴──────┴────
//!   number,              │          └ superseded: 44 is read from the next segment, which says so at its front
//!   first record         └ known to be on the disk when the next segment was begun
//! ```
//!
//! A segment is begun where a snapshot begins, so that those before it can go; where a sync failed; and when a
//! process starts. It is on the disk, name and front, before a record is written to it.
//!
//! **A sync that fails** says that some of what was written may never come to the disk, while a second sync of the same
//! file would say that all is well. So nothing more is trusted to that segment: all that was not synced, which the
//! writer has kept in memory, is written to a new one, and the old one is cut where its last good sync was. Should
//! that cut be lost, the reader still knows: a segment counts up to the record that the next one begins with.
//!
//! [`LogWriter`] writes, [`LogReader`] reads.

mod kept;
mod reader;
mod writer;

pub(crate) use reader::numbers;
pub use reader::{Entry, LogEnd, LogReader, Torn};
pub use writer::{AppendError, Health, LogOptions, LogWriter};

/// The first bytes of a segment.
pub(crate) const MAGIC: [u8; 8] = *b"MAYFLYLG";

/// Where a log begins: a segment, and its first record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogStart {
    /// The number of the segment.
    pub segment: u64,
    /// The number of the first record.
    pub sequence: u64,
}

impl LogStart {
    /// Where the log of a new folder begins.
    pub const FIRST: LogStart = LogStart { segment: 1, sequence: 1 };
}
