//! The log of slow calls: the latest so many, newest first, as in Redis.

use std::collections::VecDeque;

use super::Measured;

/// Words of a call that an entry keeps, as in Redis; the last of them says how many more there were.
const WORDS_MAX: usize = 32;
/// Bytes of a word that an entry keeps, as in Redis.
const WORD_BYTES_MAX: usize = 128;
/// What stands in the place of passwords.
pub(crate) const REDACTED: &str = "(redacted)";

/// A slow call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SlowCall {
    /// Ascending from 0 since the start.
    pub id: u64,
    /// When it ended, Unix seconds.
    pub unix_seconds: i64,
    /// How long it took, in microseconds.
    pub micros: u64,
    /// Its words, cut to what is kept.
    pub words: Vec<Vec<u8>>,
    /// The remote address of the client, `host:port`; empty if it had gone.
    pub address: String,
    /// The name of the client.
    pub name: Vec<u8>,
}

impl SlowCall {
    /// Of what was measured. What is in `secret` is not kept.
    pub(super) fn new(call: &Measured<'_>, secret: &[usize]) -> Self {
        let count = call.words.len();
        let kept = if count > WORDS_MAX { WORDS_MAX - 1 } else { count };
        let mut words: Vec<_> = call
            .words
            .from(0)
            .take(kept)
            .enumerate()
            .map(|(position, word)| match secret.contains(&position) {
                true => REDACTED.as_bytes().to_vec(),
                false => short(word),
            })
            .collect();
        if kept < count {
            words.push(format!("... ({} more arguments)", count - kept).into_bytes());
        }
        if call.together > 1 {
            words.push(format!("... (one of {} calls that took this together)", call.together).into_bytes());
        }
        let name = call.client.as_ref().map_or_else(Vec::new, |card| card.names().name.clone());
        SlowCall {
            id: 0,
            unix_seconds: call.now.0 / 1_000,
            micros: call.nanos / 1_000,
            words,
            address: call.client.as_ref().map_or_else(String::new, |card| card.address.clone()),
            name,
        }
    }
}

fn short(word: &[u8]) -> Vec<u8> {
    let Some(more) = word.len().checked_sub(WORD_BYTES_MAX).filter(|more| *more > 0) else {
        return word.to_vec();
    };
    let mut short = word[..WORD_BYTES_MAX].to_vec();
    short.extend_from_slice(format!("... ({more} more bytes)").as_bytes());
    short
}

/// The latest slow calls.
#[derive(Debug, Default)]
pub struct SlowLog {
    /// Newest first.
    entries: VecDeque<SlowCall>,
    entries_max: usize,
    next_id: u64,
}

impl SlowLog {
    /// Changes how many are kept; the oldest go.
    pub fn set_entries_max(&mut self, entries_max: usize) {
        self.entries_max = entries_max;
        self.entries.truncate(entries_max);
        if entries_max == 0 {
            self.entries = VecDeque::new();
        }
    }

    /// Adds the newest.
    pub(super) fn add(&mut self, mut call: SlowCall) {
        call.id = self.next_id;
        self.next_id += 1;
        self.entries.truncate(self.entries_max.saturating_sub(1));
        if self.entries_max > 0 {
            self.entries.push_front(call);
        }
    }

    /// Those that are kept, newest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &SlowCall> {
        self.entries.iter()
    }

    /// Forgets all of them; numbers go on.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use mayfly_resp::Span;
    use mayfly_store::UnixMillis;

    use super::*;
    use crate::table::Table;
    use crate::words::Words;

    fn kept(words: &[&[u8]], secret: &[usize], together: usize) -> Vec<String> {
        let mut bytes = Vec::new();
        let spans: Vec<_> = words
            .iter()
            .map(|word| {
                let start = bytes.len();
                bytes.extend_from_slice(word);
                Span { start: start as u32, length: word.len() as u32 }
            })
            .collect();
        let call = Measured {
            command: Table::get().all().first().unwrap(),
            words: Words::new(&bytes, &spans),
            together,
            nanos: 1_999,
            now: UnixMillis(5_999),
            client: None,
        };
        let call = SlowCall::new(&call, secret);
        assert_eq!((call.unix_seconds, call.micros), (5, 1));
        call.words.into_iter().map(|word| String::from_utf8(word).unwrap()).collect()
    }

    #[test]
    fn words_are_cut_as_in_redis() {
        assert_eq!(kept(&[b"a", b"b"], &[1], 1), ["a", "(redacted)"]);
        assert_eq!(kept(&[&[b'x'; 128]], &[], 1), ["x".repeat(128)]);
        assert_eq!(kept(&[&[b'x'; 130]], &[], 1), ["x".repeat(128) + "... (2 more bytes)"]);
        assert_eq!(kept(&[&b"w"[..]; 32], &[], 1).len(), 32);
        let many = kept(&[&b"w"[..]; 40], &[], 1);
        assert_eq!((many.len(), &many[31][..]), (32, "... (9 more arguments)"));
        assert_eq!(kept(&[b"a"], &[], 3)[1], "... (one of 3 calls that took this together)");
    }

    #[test]
    fn the_oldest_go() {
        let call = SlowCall {
            id: 0,
            unix_seconds: 0,
            micros: 0,
            words: Vec::new(),
            address: String::new(),
            name: Vec::new(),
        };
        let mut log = SlowLog::default();
        log.add(call.clone());
        assert_eq!(log.iter().len(), 0);
        log.set_entries_max(2);
        (0..3).for_each(|_| log.add(call.clone()));
        let ids = |log: &SlowLog| log.iter().map(|call| call.id).collect::<Vec<_>>();
        assert_eq!(ids(&log), [3, 2]);
        log.set_entries_max(1);
        assert_eq!(ids(&log), [3]);
        log.clear();
        log.add(call);
        assert_eq!(ids(&log), [4]);
    }
}
