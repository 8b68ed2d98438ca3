//! `mayfly import`: from a file or a running server into a running Mayfly, or a new data folder.

use std::path::PathBuf;

use crate::file_source::FileSource;
use crate::folder_sink::{FolderSink, FolderTarget};
use crate::progress::Progress;
use crate::server_sink::ServerSink;
use crate::server_source::ServerSource;
use crate::sink::{Discard, Sink};
use crate::source::{Filter, Source};
use crate::state::{Copy, State, StateFile};
use crate::{Origin, Report, ServerAddress, TransferError};

/// What to do with a key that exists at the target.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Existing {
    /// Stop.
    #[default]
    Fail,
    /// Put the new hash in its place.
    Replace,
    /// Leave it, and count.
    Skip,
}

/// Where an import goes to.
#[derive(Clone, Debug)]
pub enum Target {
    /// A running server.
    Server(ServerAddress),
    /// A data folder, for a server that is started later.
    Folder(FolderTarget),
}

/// What to import, to where, and how.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// Where from.
    pub origin: Origin,
    /// Where to.
    pub target: Target,
    /// What to do with keys that exist there; in a new folder there are none.
    pub existing: Existing,
    /// Which keys.
    pub filter: Filter,
    /// Read and count only.
    pub dry_run: bool,
    /// Where to keep how far a copy from a server is.
    pub state: Option<PathBuf>,
}

/// Runs an import to its end.
///
/// # Errors
/// What stopped it. What was written until then stays.
pub fn import(options: &ImportOptions) -> Result<Report, TransferError> {
    match &options.origin {
        Origin::File(_) if options.state.is_some() => {
            Err(TransferError::Options("--state is for copies from a server; a file is read in one go"))
        }
        Origin::File(path) => {
            let source = FileSource::open(path, options.filter.clone())?;
            run(source, options, options.existing, |_| Ok(()))
        }
        Origin::Server(address) => import_from_server(address, options),
    }
}

fn run<S: Source>(
    mut source: S,
    options: &ImportOptions,
    existing: Existing,
    prepare: impl FnOnce(&mut ServerSink) -> Result<(), TransferError>,
) -> Result<Report, TransferError> {
    let mut report = Report::default();
    match &options.target {
        _ if options.dry_run => pump(&mut source, &mut Discard::default(), &mut report, |_, _| Ok(()))?,
        Target::Server(address) => {
            let mut sink = ServerSink::connect(address, existing)?;
            prepare(&mut sink)?;
            pump(&mut source, &mut sink, &mut report, |_, _| Ok(()))?;
        }
        Target::Folder(target) => into_folder(&mut source, target, &mut report)?,
    }
    Ok(report)
}

/// All or nothing: a folder does not count before it is whole.
fn into_folder<S: Source>(
    source: &mut S,
    target: &FolderTarget,
    report: &mut Report,
) -> Result<(), TransferError> {
    let mut sink = FolderSink::create(target)?;
    match pump(source, &mut sink, report, |_, _| Ok(())) {
        Ok(()) => sink.finish(),
        Err(error) => {
            sink.abandon();
            Err(error)
        }
    }
}

/// Hands everything over, round by round; what a round has handed over is at its place when it is `noted`.
pub(crate) fn pump<S: Source>(
    source: &mut S,
    sink: &mut dyn Sink,
    report: &mut Report,
    mut note: impl FnMut(&S, &Report) -> Result<(), TransferError>,
) -> Result<(), TransferError> {
    let mut progress = Progress::new(source.progressed());
    loop {
        let has_more = source.round(sink, report)?;
        sink.flush(report)?;
        note(source, report)?;
        progress.show(source.progressed(), report);
        if !has_more {
            return Ok(());
        }
    }
}

/// A copy that meets what itself has written must not stop there: SCAN may give a key twice, and a round that was
/// interrupted is done again. So unless told what to do with keys that exist, it wants the target to be empty at its
/// beginning, and replaces from then on.
fn import_from_server(address: &ServerAddress, options: &ImportOptions) -> Result<Report, TransferError> {
    let mut filter = options.filter.clone();
    if let Some(database) = address.database() {
        if filter.databases.is_some() {
            return Err(TransferError::Options(
                "the address names a database already: --databases is too much",
            ));
        }
        filter.databases = Some(vec![database]);
    }
    let mut source = ServerSource::connect(address, filter.clone())?;
    let existing = if options.existing == Existing::Skip { Existing::Skip } else { Existing::Replace };
    let copy = match (&options.state, &options.target) {
        (None, _) => None,
        (Some(path), Target::Server(target)) => {
            let (pattern, databases) = (filter.pattern, filter.databases);
            let copy = Copy { source: address.to_string(), target: target.to_string(), pattern, databases };
            Some((StateFile::new(path, copy), target))
        }
        (Some(_), Target::Folder(_)) => {
            let problem = "--state is for copies to a server; a folder is written in one go";
            return Err(TransferError::Options(problem));
        }
    };
    let wants_empty = |sink: &mut ServerSink, databases: &[u64]| match options.existing {
        Existing::Fail => databases.iter().try_for_each(|database| sink.check_empty(*database)),
        Existing::Replace | Existing::Skip => Ok(()),
    };
    let Some((state_file, target)) = copy.filter(|_| !options.dry_run) else {
        let databases = source.databases().to_vec();
        return run(source, options, existing, |sink| wants_empty(sink, &databases));
    };
    let mut sink = ServerSink::connect(target, existing)?;
    let mut report = Report::default();
    match state_file.load()? {
        Some(state) if state.run == source.run() => {
            tracing::info!(hashes = state.report.hashes, "going on where the copy was interrupted");
            source.resume(state.position, state.done);
            report = state.report;
        }
        Some(_) => tracing::warn!("the source has been started anew since: copying all of it again"),
        None => wants_empty(&mut sink, source.databases())?,
    }
    let note = |source: &ServerSource, report: &Report| match source.position() {
        Some(position) => {
            let (run, report) = (source.run().to_owned(), report.clone());
            state_file.save(&State { run, position, done: source.done(), report })
        }
        None => state_file.remove(),
    };
    // Before the first round too: what that writes must not look like somebody else's when it is interrupted.
    note(&source, &report)?;
    pump(&mut source, &mut sink, &mut report, note)?;
    Ok(report)
}
