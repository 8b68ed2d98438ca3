//! `mayfly import`, `mayfly export` and `mayfly ping`: from flags and settings to `mayfly_transfer`, and its report to
//! the terminal.

use std::process::ExitCode;

use mayfly_config::Config;
use mayfly_transfer::{
    Existing, ExportOptions, ExportOrigin, Filter, FolderOrigin, FolderTarget, ImportOptions, Origin, Report,
    ServerAddress, Target, TransferError,
};

use crate::flags::{ExportFlags, ImportFlags, PingFlags, Selection};
use crate::{FAILED, MISCONFIGURED, complain, log, print};

/// Runs `mayfly import`.
pub fn import(flags: &ImportFlags, config: &Config) -> ExitCode {
    // The level stays: nobody can change it meanwhile.
    let _ = log::install(&config.log);
    run(import_options(flags, config), mayfly_transfer::import)
}

/// Runs `mayfly export`.
pub fn export(flags: &ExportFlags, config: &Config) -> ExitCode {
    // The level stays: nobody can change it meanwhile.
    let _ = log::install(&config.log);
    run(export_options(flags, config), mayfly_transfer::export)
}

/// Runs `mayfly ping`.
pub fn ping(flags: &PingFlags, config: &Config) -> ExitCode {
    match server(flags.address.as_deref(), config).map(|server| mayfly_transfer::ping(&server)) {
        Ok(Ok(())) => print("PONG\n"),
        Ok(Err(error)) => complain(FAILED, &error.to_string()),
        Err(error) => complain(MISCONFIGURED, &error.to_string()),
    }
}

fn run<O>(options: Result<O, TransferError>, transfer: fn(&O) -> Result<Report, TransferError>) -> ExitCode {
    match options.map(|options| transfer(&options)) {
        Ok(Ok(report)) => print(&report.to_string()),
        Err(error) | Ok(Err(error @ TransferError::Options(_))) => {
            complain(MISCONFIGURED, &error.to_string())
        }
        Ok(Err(error)) => complain(FAILED, &error.to_string()),
    }
}

fn import_options(flags: &ImportFlags, config: &Config) -> Result<ImportOptions, TransferError> {
    let existing = match (flags.replace, flags.skip_existing) {
        (true, _) => Existing::Replace,
        (_, true) => Existing::Skip,
        _ => Existing::Fail,
    };
    let target = match &flags.to_folder {
        Some(path) => Target::Folder(FolderTarget {
            path: path.clone(),
            databases: config.server.databases as u64,
            word_bytes_max: config.limits.bulk_bytes_max,
        }),
        None => Target::Server(server(flags.to.as_deref(), config)?),
    };
    Ok(ImportOptions {
        origin: Origin::parse(&flags.source)?,
        target,
        existing,
        filter: filter(&flags.selection),
        dry_run: flags.dry_run,
        state: flags.state.clone(),
    })
}

fn export_options(flags: &ExportFlags, config: &Config) -> Result<ExportOptions, TransferError> {
    let origin = match &flags.from_folder {
        Some(path) => {
            let databases = config.server.databases as u64;
            ExportOrigin::Folder(FolderOrigin { path: path.clone(), databases })
        }
        None => ExportOrigin::Server(server(flags.from.as_deref(), config)?),
    };
    Ok(ExportOptions { origin, path: flags.file.clone(), filter: filter(&flags.selection) })
}

/// The server that is named, or else the one that these settings start here.
fn server(address: Option<&str>, config: &Config) -> Result<ServerAddress, TransferError> {
    let password = Some(config.server.password.reveal()).filter(|password| !password.is_empty());
    match address {
        Some(address) => ServerAddress::parse(address),
        None => Ok(ServerAddress::local(config.server.port, password)),
    }
}

fn filter(selection: &Selection) -> Filter {
    Filter { databases: selection.databases.clone(), pattern: selection.pattern.clone() }
}
