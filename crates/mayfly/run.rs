//! The seam to `crates/server`.

use std::fmt;

use mayfly_config::Loaded;

/// Why the server could not start or had to stop.
// SEAM: becomes `mayfly_server::StartError`.
#[derive(Debug)]
pub struct StartError;

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the server is not connected yet")
    }
}

/// Runs the server until it is told to stop.
// SEAM: becomes `mayfly_server::run(loaded)`.
#[expect(clippy::needless_pass_by_value, reason = "the server takes it")]
pub fn run(loaded: Loaded) -> Result<(), StartError> {
    tracing::info!(source = %loaded.source, "settings loaded");
    Err(StartError)
}
