//! How far the start is: a bar on a terminal, a line in the log now and then elsewhere.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::measures::LoadMeasures;

/// How often a bar is drawn anew.
pub const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often a line is logged.
const LOG_EVERY: Duration = Duration::from_secs(3);

/// Shows on standard error how much of the folder is loaded.
pub struct Progress {
    bar: Option<ProgressBar>,
    /// At which time of the start a line was logged.
    logged: Duration,
}

impl Progress {
    /// Of a start that has to read so many bytes.
    pub fn new(total_bytes: u64) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {percent}% {msg} {eta}")
                    .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(total_bytes).with_style(style)
        });
        Progress { bar, logged: Duration::ZERO }
    }

    /// To be called every [`LOOK_EVERY`], with the time since the start began.
    pub fn show(&mut self, load: &LoadMeasures, elapsed: Duration) {
        let facts = load.facts();
        if let Some(bar) = &self.bar {
            bar.set_position(facts.loaded_bytes);
            bar.set_message(format!("{} keys", facts.keys));
        } else if elapsed - self.logged >= LOG_EVERY {
            self.logged = elapsed;
            let percent = format!("{:.1}", facts.loaded_percent());
            let (bytes, total) = (facts.loaded_bytes, facts.total_bytes);
            tracing::info!(bytes, total, percent, keys = facts.keys, "loading goes on");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
