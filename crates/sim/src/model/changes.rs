//! What calls change, as watchers and readers of keyspace events hear of it.

use super::{Call, Model, is};
use crate::expected::{Expected, Reply};

/// One thing that happened to a key or to whole databases.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// An event on a key.
    Key {
        /// The logical database.
        database: usize,
        /// Its name.
        event: &'static str,
        /// The key.
        key: Vec<u8>,
    },
    /// A database lost all its keys; these were there.
    Flushed(usize, Vec<Vec<u8>>),
    /// Two databases changed places; in each these keys were there.
    Swapped([(usize, Vec<Vec<u8>>); 2]),
    /// The time of a key had come. Nobody knows when the event is sent.
    Due(usize, Vec<u8>),
}

/// What must be known before a call to say what it changed.
#[derive(Debug)]
pub(super) struct Before {
    /// Those of its words that are keys of the selected database, each once.
    present: Vec<Vec<u8>>,
    keys: Vec<Vec<Vec<u8>>>,
}

impl Model {
    /// What has changed since the last time.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    pub(super) fn before(&self, call: Call<'_>) -> Before {
        let mut present: Vec<Vec<u8>> = Vec::new();
        for word in &call.words[1..] {
            if self.databases[call.database].contains_key(*word) && !present.iter().any(|known| known == word)
            {
                present.push(word.to_vec());
            }
        }
        let is_whole = matches!(call.name, "flushdb" | "flushall" | "swapdb");
        let databases = if is_whole { &self.databases[..] } else { &[] };
        Before { present, keys: databases.iter().map(|keys| keys.keys().cloned().collect()).collect() }
    }

    /// Notes what a call has changed, given what it answered.
    pub(super) fn note(&mut self, call: Call<'_>, mut before: Before, answer: &Expected) {
        let number = match answer {
            Expected::Exactly(Reply::Error(_)) => return,
            Expected::Exactly(Reply::Integer(number)) => *number,
            Expected::Exactly(Reply::Array(items)) => {
                items.iter().filter(|item| **item != Reply::Null).count() as i64
            }
            _ => 0,
        };
        let (words, here) = (call.words, call.database);
        let was = |key: &[u8]| before.present.iter().any(|known| known == key);
        let is_here = |model: &Model| model.databases[here].contains_key(words[1]);
        let mut events: Vec<(usize, &'static str, &[u8])> = Vec::new();
        match call.name {
            "hset" | "hmset" => events.push((here, "hset", words[1])),
            "hsetnx" if number == 1 => events.push((here, "hset", words[1])),
            "hsetex" if words.len() == 5 || number == 1 => {
                let times = ["ex", "px", "exat", "pxat"];
                let is_time = |word: &&[u8]| times.iter().any(|time| is(word, time));
                let has_time = words.len() == 5 || words[2..].iter().any(is_time);
                match (is_here(self), has_time) {
                    (true, true) => events.extend([(here, "hset", words[1]), (here, "expire", words[1])]),
                    (true, false) => events.push((here, "hset", words[1])),
                    // The deadline had passed: nothing was ever set.
                    (false, _) if was(words[1]) => events.push((here, "del", words[1])),
                    (false, _) => {}
                }
            }
            "hsetexpire" => events.extend([(here, "hset", words[1]), (here, "expire", words[1])]),
            "hdel" | "hgetdel" if number > 0 => {
                events.push((here, "hdel", words[1]));
                if !is_here(self) {
                    events.push((here, "del", words[1]));
                }
            }
            "hincrby" => events.push((here, "hincrby", words[1])),
            "hincrbyfloat" => events.push((here, "hincrbyfloat", words[1])),
            "del" | "unlink" => events.extend(before.present.iter().map(|key| (here, "del", &key[..]))),
            "expire" | "pexpire" | "expireat" | "pexpireat" if number == 1 => {
                events.push((here, if is_here(self) { "expire" } else { "del" }, words[1]));
            }
            "persist" if number == 1 => events.push((here, "persist", words[1])),
            "rename" | "renamenx" if words[1] != words[2] && (call.name == "rename" || number == 1) => {
                events.extend([(here, "rename_from", words[1]), (here, "rename_to", words[2])]);
            }
            "copy" if number == 1 => {
                let options = words[3..].iter().zip(&words[3..][1.min(words.len() - 3)..]);
                let target = options.rev().find(|(option, _)| is(option, "db"));
                let target = target.map_or(here, |(_, number)| database(number));
                events.push((target, "copy_to", words[2]));
            }
            "move" if number == 1 => {
                events.extend([(here, "move_from", words[1]), (database(words[2]), "move_to", words[1])]);
            }
            "restore" if is_here(self) => events.push((here, "restore", words[1])),
            "restore" if was(words[1]) => events.push((here, "del", words[1])),
            _ => {}
        }
        let events = events.into_iter().map(|(database, event, key)| Change::Key {
            database,
            event,
            key: key.to_vec(),
        });
        self.changes.extend(events.collect::<Vec<_>>());
        let mut flushed = |number: usize| Change::Flushed(number, std::mem::take(&mut before.keys[number]));
        match call.name {
            "flushdb" => self.changes.push(flushed(here)),
            "flushall" => self.changes.extend((0..super::DATABASES).map(flushed)),
            "swapdb" if database(words[1]) != database(words[2]) => {
                let pair = [words[1], words[2]].map(|word| {
                    let number = database(word);
                    (number, before.keys[number].clone())
                });
                self.changes.push(Change::Swapped(pair));
            }
            _ => {}
        }
    }
}

/// The number of a database, which the call has checked.
fn database(word: &[u8]) -> usize {
    String::from_utf8_lossy(word).parse().unwrap_or_default()
}
