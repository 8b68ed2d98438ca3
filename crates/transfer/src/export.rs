//! `mayfly export`: from a running server into an RDB file.

use std::path::PathBuf;

use crate::file_sink::FileSink;
use crate::import::pump;
use crate::server_source::ServerSource;
use crate::source::Filter;
use crate::{Report, ServerAddress, TransferError};

/// What to export, and to where.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// Where from.
    pub server: ServerAddress,
    /// The file to write.
    pub path: PathBuf,
    /// Which keys.
    pub filter: Filter,
}

/// Runs an export to its end.
///
/// # Errors
/// What stopped it. A file that was there before is as it was.
pub fn export(options: &ExportOptions) -> Result<Report, TransferError> {
    let mut source = ServerSource::connect(&options.server, options.filter.clone())?;
    let mut sink = FileSink::create(&options.path)?;
    let mut report = Report::default();
    pump(&mut source, &mut sink, &mut report, |_, _| Ok(()))?;
    sink.finish(&mut report)?;
    Ok(report)
}
