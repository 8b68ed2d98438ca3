//! The log: one line an event on standard error, as the section `[log]` says. `RUST_LOG` has no part in it.

use std::io::{self, IsTerminal};

use mayfly_config::{Level, LogConfig, LogFormat};
use tracing_subscriber::filter::LevelFilter;

/// Installs the log of this process. To be called once.
pub fn install(config: &LogConfig) {
    let builder = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(filter(config.level))
        .with_ansi(io::stderr().is_terminal());
    match config.format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}

fn filter(level: Level) -> LevelFilter {
    match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    }
}
