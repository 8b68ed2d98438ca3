//! `mayfly export`: from a running server, or the folder of one that does not run, into an RDB file.

use std::path::PathBuf;

use crate::file_sink::FileSink;
use crate::folder_source::{FolderOrigin, FolderSource};
use crate::import::pump;
use crate::server_source::ServerSource;
use crate::source::{Filter, Source};
use crate::{Report, ServerAddress, TransferError};

/// Where an export comes from.
#[derive(Clone, Debug)]
pub enum ExportOrigin {
    /// A running server.
    Server(ServerAddress),
    /// The data folder of one that does not run.
    Folder(FolderOrigin),
}

/// What to export, and to where.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// Where from.
    pub origin: ExportOrigin,
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
    let filter = options.filter.clone();
    match &options.origin {
        ExportOrigin::Server(address) => run(ServerSource::connect(address, filter)?, options),
        ExportOrigin::Folder(origin) => run(FolderSource::open(origin, filter)?, options),
    }
}

fn run<S: Source>(mut source: S, options: &ExportOptions) -> Result<Report, TransferError> {
    let mut sink = FileSink::create(&options.path)?;
    let mut report = Report::default();
    pump(&mut source, &mut sink, &mut report, |_, _| Ok(()))?;
    sink.finish(&mut report)?;
    Ok(report)
}
