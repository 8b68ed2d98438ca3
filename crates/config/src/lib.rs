//! The settings of Mayfly: one table of directives, and everything that derives from it.
//!
//! ```text
//! defaults ─┐
//! file ─────┤                        ┌→ Config          what the server reads
//! environ. ─┼→ load: parse, check, ──┼→ Place           who set it, for errors and --print-config
//! flags ────┘  the later one wins    └→ ConfigError     one line: where, what, what is allowed
//!
//! directives.rs ─→ the structs, their defaults, config/mayfly.toml, --print-config,
//!                  MAYFLY_SECTION__KEY, CONFIG GET, SET and REWRITE, the table of the README
//! ```
//!
//! A new directive is one entry in `directives.rs`; nothing else lists them.
//!
//! Elsewhere: the flags and the exit codes are the binary's (`crates/mayfly`), acting on a setting is the
//! server's. Nothing here opens a socket, reads a clock or looks at the environment by itself; the one
//! effect is reading the file that [`load`] is given.

mod check;
mod directive;
mod directives;
mod error;
mod file;
mod load;
mod output_limits;
mod redis;
mod reload;
mod render;
mod rewrite;
mod save_points;
mod set;
mod size;
mod suggest;
#[cfg(test)]
mod sweep;
mod ttl_rules;
mod values;

pub use directive::{Directive, Kind, Section, Value};
pub use directives::{
    AccessConfig, Config, DIRECTIVES, EventsConfig, ExpiryConfig, HashConfig, LimitsConfig, LogConfig,
    MemoryConfig, MetricsConfig, PersistenceConfig, SECTIONS, ServerConfig, TlsConfig, TtlConfig,
};
pub use error::{ConfigError, Place};
pub use load::{Loaded, Source, load};
pub use reload::{Change, Reload};
pub use render::{render_markdown, render_toml};
pub use rewrite::rewrite;
pub use save_points::SavePoints;
pub use set::SetError;
pub use ttl_rules::{TtlRule, parse_ttl_rules};
pub use values::{
    AuthClients, FsyncPolicy, Level, LogFormat, MemoryPolicy, Secret, TLS12_CIPHERS, TLS13_CIPHERSUITES,
    TlsProtocols,
};
