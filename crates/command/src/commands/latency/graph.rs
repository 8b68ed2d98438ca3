//! `LATENCY GRAPH`: the latest samples of an event as columns of characters, and how long ago each was.
//!
//! ```text
//!   #_        a column is as high as its sample between the lowest and the highest; its top is _, o or #, by how much
//!  _||        of the last character it fills
//! _|||
//! ```

use std::fmt::Write as _;

use crate::diagnostics::Event;

/// Columns that fit a terminal.
const COLUMNS_MAX: usize = 80;
/// Lines of the columns.
const LINES: u64 = 4;
/// The tops of columns, by the part of a character that is filled.
const TOPS: [char; 3] = ['_', 'o', '#'];

/// Draws the samples of an event, as seen at `now_seconds`.
pub(super) fn draw(name: &str, event: &Event, now_seconds: i64) -> String {
    let samples: Vec<_> = event.samples().collect();
    let samples = &samples[samples.len().saturating_sub(COLUMNS_MAX)..];
    let millis = || samples.iter().map(|(_, millis)| *millis);
    let (low, high) = (millis().min().unwrap_or(0), millis().max().unwrap_or(0));
    let mut text = String::new();
    let _ = writeln!(text, "{name} - high {high} ms, low {low} ms (all time high {} ms)", event.highest_ms);
    let _ = writeln!(text, "{}", "-".repeat(COLUMNS_MAX));
    let steps = LINES * TOPS.len() as u64;
    // The lowest sample fills the first step, the highest the last.
    let height = |millis: u64| (millis - low) * (steps - 1) / (high - low).max(1);
    for line in (0..LINES).rev() {
        let row = millis().map(|millis| {
            let (filled, top) = (height(millis) / 3, height(millis) % 3);
            match filled {
                _ if filled > line => '|',
                _ if filled == line => TOPS[top as usize],
                _ => ' ',
            }
        });
        let _ = writeln!(text, "{}", row.collect::<String>().trim_end());
    }
    text.push('\n');
    let ages: Vec<String> = samples.iter().map(|(second, _)| age(now_seconds - second)).collect();
    for line in 0..ages.iter().map(String::len).max().unwrap_or(0) {
        let row = ages.iter().map(|age| age.chars().nth(line).unwrap_or(' '));
        let _ = writeln!(text, "{}", row.collect::<String>().trim_end());
    }
    text
}

/// How long ago, in the largest unit of which it is at least one.
fn age(seconds: i64) -> String {
    match seconds.max(0) {
        seconds if seconds < 60 => format!("{seconds}s"),
        seconds if seconds < 3_600 => format!("{}m", seconds / 60),
        seconds if seconds < 86_400 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use mayfly_store::UnixMillis;

    use super::*;
    use crate::diagnostics::{Diagnostics, DiagnosticsOptions};

    #[test]
    fn columns_stand_over_their_ages() {
        let diagnostics = Diagnostics::default();
        diagnostics.set_options(DiagnosticsOptions {
            slow_call_nanos_min: None,
            slow_log_entries_max: 0,
            latency_millis_min: 1,
        });
        for (millis, second) in [(40, 11), (10, 3_553), (500, 3_556), (200, 3_598), (100, 3_601)] {
            diagnostics.took("command", millis * 1_000_000, UnixMillis(second * 1_000));
        }
        let events = diagnostics.latency();
        let (name, event) = events.find(b"command").unwrap();
        let drawn = draw(name, event, 3_611);
        let lines: Vec<_> = drawn.lines().collect();
        assert_eq!(lines[0], "command - high 500 ms, low 10 ms (all time high 500 ms)");
        assert_eq!(lines[2..], ["  #", "  |", "  |o", "__||#", "", "15511", "h8530", " ssss"]);
    }
}
