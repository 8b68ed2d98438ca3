//! The `mayfly` binary: flags → config → run → exit code.
//!
//! The flags are in `flags.rs`, the log in `log.rs`, `mayfly check` in `check.rs`, `mayfly import`, `mayfly export` and
//! `mayfly ping` in `transfer.rs`, `mayfly completions` and `mayfly man` in `generated.rs`. What a setting means and which one wins is in `crates/config`, everything that happens while the
//! server runs in `crates/server`.

mod check;
mod flags;
mod generated;
mod log;
mod panic;
mod transfer;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use flags::{Action, Flags, Refusal};
use mayfly_config::{ConfigError, Loaded, Place};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The process stopped because something failed while it ran, or `--check-config` found a mistake.
const FAILED: u8 = 1;
/// The flags, the environment or the file are wrong; nothing was started.
const MISCONFIGURED: u8 = 2;

fn main() -> ExitCode {
    let flags = match Flags::read(std::env::args_os()) {
        Ok(flags) => flags,
        Err(Refusal::Shown(text)) => return print(&text),
        Err(Refusal::Wrong(problem)) => return complain(MISCONFIGURED, &problem),
    };
    // These need no settings.
    match &flags.action {
        Some(Action::Check(flags)) => return check::run(flags),
        Some(Action::Completions(flags)) => return generated::completions(flags),
        Some(Action::Man(flags)) => return generated::man(flags),
        _ => {}
    }
    match load(&flags) {
        Ok(loaded) if flags.check_config => match mayfly_server::check(&loaded) {
            Ok(()) => print(&format!("OK: {}\n", loaded.source)),
            Err(error) => complain(FAILED, &error.to_string()),
        },
        Ok(loaded) if flags.print_config => print(&loaded.render_toml()),
        Ok(loaded) => match &flags.action {
            Some(Action::Import(flags)) => transfer::import(flags, &loaded.config),
            Some(Action::Export(flags)) => transfer::export(flags, &loaded.config),
            Some(Action::Ping(flags)) => transfer::ping(flags, &loaded.config),
            // The others have run above.
            _ => start(loaded, flags),
        },
        Err(error) => complain(if flags.check_config { FAILED } else { MISCONFIGURED }, &error.to_string()),
    }
}

fn start(loaded: Loaded, flags: Flags) -> ExitCode {
    let set_log_level = log::install(&loaded.config.log);
    panic::end_process_on_panic();
    match mayfly_server::run(loaded, set_log_level, Box::new(move || load(&flags))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(FAILED, &error.to_string()),
    }
}

fn load(flags: &Flags) -> Result<Loaded, ConfigError> {
    let overrides = flags.overrides();
    let overrides: Vec<_> = overrides.iter().map(|(path, text)| (*path, text.as_str())).collect();
    mayfly_config::load(flags.config.as_deref(), environment()?, &overrides)
}

/// The variables that are Mayfly's; those of others may hold anything.
fn environment() -> Result<Vec<(String, String)>, ConfigError> {
    let ours = |name: OsString| name.into_string().ok().filter(|name| name.starts_with("MAYFLY_"));
    let variables = std::env::vars_os().filter_map(|(name, text)| Some((ours(name)?, text)));
    let readable = |(name, text): (String, OsString)| match text.into_string() {
        Ok(text) => Ok((name, text)),
        Err(_) => {
            let place = Place::Environment(name);
            Err(ConfigError { place, key: String::new(), problem: "the value is not UTF-8".into() })
        }
    };
    variables.map(readable).collect()
}

/// Writes to standard output. A reader that has closed it, `mayfly --help | head`, is no failure.
fn print(text: &str) -> ExitCode {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(FAILED, &format!("standard output: {error}"))
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Writes one line to standard error. If even that fails there is nobody left to tell.
fn complain(code: u8, problem: &str) -> ExitCode {
    let _ = writeln!(io::stderr().lock(), "mayfly: {problem}");
    ExitCode::from(code)
}
