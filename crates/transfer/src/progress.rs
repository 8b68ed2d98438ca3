//! How far a transfer is: a bar on a terminal, a line in the log now and then elsewhere.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::source::Progressed;
use crate::{Report, clock};

const LOG_EVERY: Duration = Duration::from_secs(10);

/// Shows how far a transfer is, on standard error.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    logged: Instant,
}

impl Progress {
    pub(crate) fn new(begun: Progressed) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let counts =
                if begun.is_bytes { "{bytes}/{total_bytes}" } else { "{human_pos}/{human_len} keys" };
            let template = format!("{{wide_bar}} {counts} {{msg}} {{eta}}");
            let style =
                ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(begun.total).with_style(style)
        });
        Progress { bar, logged: clock::instant() }
    }

    /// To be called after each round.
    pub(crate) fn show(&mut self, progressed: Progressed, report: &Report) {
        if let Some(bar) = &self.bar {
            bar.set_length(progressed.total.max(progressed.done));
            bar.set_position(progressed.done);
            bar.set_message(format!("{} hashes", report.hashes));
            return;
        }
        let now = clock::instant();
        if now.duration_since(self.logged) >= LOG_EVERY {
            self.logged = now;
            let Progressed { done, total, is_bytes } = progressed;
            let unit = if is_bytes { "bytes" } else { "keys" };
            tracing::info!(done, total, unit, hashes = report.hashes, "under way");
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
