//! `MONITOR`: what a client asks for, as lines that other clients read.
//!
//! ```text
//! +1700000000.123456 [0 127.0.0.1:40000] "HSET" "key" "field" "\x00\xff"
//! ```
//!
//! The lines of one burst are written once and leave as one message, whoever reads them. While nobody does, a burst
//! costs one look at a flag. A request is shown where it was read, so not in the order of other clients' requests
//! on other threads, and before it has run.

use std::fmt::Write as _;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use mayfly_command::{ClientState, Command, Flags, Host, ReplyMode, Words, secret_words};

use super::{Session, Surroundings};
use crate::batch::Outgoing;

/// What stands in the place of passwords.
const REDACTED: &str = "\"(redacted)\"";

/// What a session keeps of monitoring: by itself, and by others.
#[derive(Debug, Default)]
pub(super) struct Monitoring {
    /// Whoever brings lines knows of this client.
    is_known: bool,
    /// The lines of this burst.
    lines: String,
    /// Past it the rest of a burst is not shown: each monitor is closed by what it is sent already.
    bytes_max: usize,
}

impl Monitoring {
    /// Nothing shown, nothing known.
    pub(super) fn new(bytes_max: usize) -> Self {
        Monitoring { bytes_max, ..Monitoring::default() }
    }

    /// Changes the limit.
    pub(super) fn set_bytes_max(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
    }

    /// Shows a request to those who monitor, unless Redis would not: what is for operators is left out, passwords
    /// are redacted.
    #[cold]
    pub(super) fn show(
        &mut self,
        client: &ClientState,
        command: &'static Command,
        words: Words<'_>,
        host: &dyn Host,
        now_micros: i64,
    ) {
        if command.spec.flags.has(Flags::ADMIN) || self.lines.len() > self.bytes_max {
            return;
        }
        let lines = &mut self.lines;
        let (seconds, micros) = (now_micros / 1_000_000, now_micros % 1_000_000);
        let (database, address) = (client.database, &client.card.address);
        let _ = write!(lines, "+{seconds}.{micros:06} [{database} {address}]");
        let secret = secret_words(command, words, host);
        for (index, word) in words.from(0).enumerate() {
            lines.push(' ');
            if secret.contains(&index) { lines.push_str(REDACTED) } else { quote(word, lines) }
        }
        lines.push_str("\r\n");
    }
}

impl Session {
    /// Whether somebody reads what this client asks for.
    #[inline]
    pub(super) fn is_monitored(&self, surroundings: &Surroundings<'_>) -> bool {
        surroundings.is_monitored || self.client.card.is_monitor.load(Relaxed)
    }

    /// Takes lines for a client that monitors: they leave behind the replies that came before them.
    pub fn observe(&mut self, lines: &[u8]) {
        if !self.client.card.is_monitor.load(Relaxed) || self.client.reply_mode != ReplyMode::On {
            return;
        }
        let mut pushed = std::mem::take(&mut self.pushed);
        self.drain_replies(&mut pushed);
        self.pushed = pushed;
        self.pushed.extend_from_slice(lines);
        self.overflowed |= self.pushed.len() > self.options.output_bytes_max;
    }

    /// Whether the client reads what others ask for.
    pub fn is_monitor(&self) -> bool {
        self.client.card.is_monitor.load(Relaxed)
    }

    /// At the end of a burst: makes a monitor known or forgotten, and sends the lines off.
    pub(super) fn send_lines(&mut self, outgoing: &mut Vec<Outgoing>) {
        let is_monitor = self.is_monitor();
        if is_monitor != self.monitoring.is_known {
            self.monitoring.is_known = is_monitor;
            outgoing.push(Outgoing::Monitor { client: self.client.card.id, begins: is_monitor });
        }
        if !self.monitoring.lines.is_empty() {
            let lines = std::mem::take(&mut self.monitoring.lines);
            outgoing.push(Outgoing::Monitored(Bytes::from(lines)));
        }
    }

    /// The client has gone: no lines are brought any more.
    pub(super) fn end_monitoring(&mut self) {
        if std::mem::take(&mut self.monitoring.is_known) {
            self.forgets.push(Outgoing::Monitor { client: self.client.card.id, begins: false });
        }
    }
}

/// Writes a word as Redis shows it to monitors.
fn quote(word: &[u8], out: &mut String) {
    out.push('"');
    for &byte in word {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'"' => out.push_str("\\\""),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x07 => out.push_str("\\a"),
            0x08 => out.push_str("\\b"),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn words_are_quoted_as_in_redis() {
        let mut line = String::new();
        quote(b"f\"\\x '", &mut line);
        quote(b"v\n\r\t\x07\x08\x00\x7f\xff", &mut line);
        assert_eq!(line, r#""f\"\\x '""v\n\r\t\a\b\x00\x7f\xff""#);
    }
}
