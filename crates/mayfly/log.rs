//! The log: one line an event on standard error, as the section `[log]` says. `RUST_LOG` has no part in it.

use std::io::{self, IsTerminal};

use mayfly_config::{Level, LogConfig, LogFormat};
use mayfly_server::SetLogLevel;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

/// Installs the log of this process, once, and returns how to change its level.
pub fn install(config: &LogConfig) -> SetLogLevel {
    let (level, handle) = reload::Layer::new(filter(config.level));
    let lines =
        tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let log = tracing_subscriber::registry().with(level);
    match config.format {
        LogFormat::Text => log.with(lines).init(),
        LogFormat::Json => log.with(lines.json().flatten_event(true)).init(),
    }
    Box::new(move |level| {
        // It fails only once the log is gone.
        let _ = handle.reload(filter(level));
    })
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
