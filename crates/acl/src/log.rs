//! The log of what was denied: `ACL LOG`.

use std::collections::VecDeque;

use crate::check::Denial;

/// Entries alike that are no further apart than this are one, which counts.
const TOGETHER_MILLIS: i64 = 60_000;

/// How many of the newest entries are compared with a new one.
const COMPARED: usize = 10;

/// Bytes of a key, a channel or a name that an entry keeps.
const OBJECT_BYTES_MAX: usize = 1_024;

/// What was denied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogReason {
    /// To log in.
    Auth,
    /// A command.
    Command,
    /// A key.
    Key,
    /// A channel.
    Channel,
}

impl LogReason {
    /// Its name in the log.
    pub fn name(self) -> &'static str {
        match self {
            LogReason::Auth => "auth",
            LogReason::Command => "command",
            LogReason::Key => "key",
            LogReason::Channel => "channel",
        }
    }
}

impl From<Denial> for LogReason {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Command => LogReason::Command,
            Denial::Key(_) => LogReason::Key,
            Denial::Channel(_) => LogReason::Channel,
        }
    }
}

/// Where it was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogContext {
    /// By itself.
    TopLevel,
    /// In a transaction.
    Multi,
}

impl LogContext {
    /// Its name in the log.
    pub fn name(self) -> &'static str {
        match self {
            LogContext::TopLevel => "toplevel",
            LogContext::Multi => "multi",
        }
    }
}

/// An entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogEntry {
    /// Ascending from 0 since the start.
    pub id: u64,
    /// How often it was denied.
    pub count: u64,
    /// What was denied.
    pub reason: LogReason,
    /// Where it was asked for.
    pub context: LogContext,
    /// The command, the key or the channel; of a log-in the command that tried.
    pub object: Vec<u8>,
    /// Who asked, or as whom somebody tried to log in.
    pub user: Vec<u8>,
    /// The line of the client that asked last, as in `CLIENT LIST`.
    pub client: String,
    /// When it was denied first, Unix milliseconds.
    pub created_millis: i64,
    /// When it was denied last, Unix milliseconds.
    pub updated_millis: i64,
}

impl LogEntry {
    /// What was denied just now.
    pub fn new(reason: LogReason, context: LogContext, object: &[u8], user: &[u8], now_millis: i64) -> Self {
        let short = |text: &[u8]| text[..text.len().min(OBJECT_BYTES_MAX)].to_vec();
        LogEntry {
            id: 0,
            count: 1,
            reason,
            context,
            object: short(object),
            user: short(user),
            client: String::new(),
            created_millis: now_millis,
            updated_millis: now_millis,
        }
    }

    /// Says who asked, with a line of `CLIENT LIST`.
    pub fn by(self, client: &str) -> Self {
        LogEntry { client: client.trim_end().to_owned(), ..self }
    }

    fn is_like(&self, other: &LogEntry) -> bool {
        self.reason == other.reason
            && self.context == other.context
            && self.object == other.object
            && self.user == other.user
            && (self.updated_millis - other.updated_millis).abs() <= TOGETHER_MILLIS
    }
}

/// The newest entries.
#[derive(Debug)]
pub(crate) struct Log {
    entries: VecDeque<LogEntry>,
    entries_max: usize,
    next_id: u64,
}

impl Log {
    pub(crate) fn new(entries_max: usize) -> Self {
        Log { entries: VecDeque::new(), entries_max, next_id: 0 }
    }

    pub(crate) fn set_entries_max(&mut self, entries_max: usize) {
        self.entries_max = entries_max;
        self.entries.truncate(entries_max);
    }

    pub(crate) fn add(&mut self, entry: LogEntry) {
        let known = self.entries.iter().take(COMPARED).position(|known| known.is_like(&entry));
        let entry = match known.and_then(|place| self.entries.remove(place)) {
            Some(known) => {
                let (client, updated_millis) = (entry.client, entry.updated_millis);
                LogEntry { count: known.count + 1, client, updated_millis, ..known }
            }
            None => {
                self.next_id += 1;
                LogEntry { id: self.next_id - 1, ..entry }
            }
        };
        self.entries.push_front(entry);
        self.entries.truncate(self.entries_max);
    }

    pub(crate) fn newest(&self, count: usize) -> Vec<LogEntry> {
        self.entries.iter().take(count).cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(object: &str, now_millis: i64) -> LogEntry {
        LogEntry::new(LogReason::Key, LogContext::TopLevel, object.as_bytes(), b"alice", now_millis)
    }

    #[test]
    fn entries_alike_are_one_that_counts() {
        let mut log = Log::new(2);
        log.add(entry("a", 0).by("first"));
        log.add(entry("b", 1));
        log.add(entry("a", 60_000).by("second\n"));
        let [newest, other] = &log.newest(9)[..] else { panic!("two entries") };
        assert_eq!((newest.id, newest.count, &newest.client[..]), (0, 2, "second"));
        assert_eq!((newest.created_millis, newest.updated_millis, other.id), (0, 60_000, 1));
        log.add(entry("a", 120_001));
        assert_eq!(
            log.newest(9).iter().map(|entry| (entry.id, entry.count)).collect::<Vec<_>>(),
            [(2, 1), (0, 2)]
        );
        log.set_entries_max(0);
        log.add(entry("a", 120_002));
        assert!(log.newest(9).is_empty());
    }
}
