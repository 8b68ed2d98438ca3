//! Commands on whole keys and databases.

use super::numbers;
use super::{Answer, Call, DATABASES, Model, NO_SUCH_KEY, SYNTAX, exactly, integer, is, ok, truth};
use crate::expected::{Expected, Reply};

const SAME_OBJECT: &str = "ERR source and destination objects are the same";
const NO_FREQUENCY: &str = "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note \
    that when switching between policies at runtime LRU and LFU data will take some time to adjust.";
const OUT_OF_RANGE: &str = "ERR DB index is out of range";

impl Model {
    /// The answer to a command on keys; `None` for any other command.
    pub(super) fn key_call(&mut self, call: Call<'_>) -> Option<Answer> {
        let words = call.words;
        Some(match call.name {
            "del" | "unlink" => {
                let database = &mut self.databases[call.database];
                integer(words[1..].iter().filter(|key| database.remove(**key).is_some()).count())
            }
            "exists" | "touch" => {
                let database = &self.databases[call.database];
                integer(words[1..].iter().filter(|key| database.contains_key(**key)).count())
            }
            "get" => match self.hash(call) {
                Some(_) => {
                    Err("WRONGTYPE Operation against a key holding the wrong kind of value".to_owned())
                }
                None => exactly(Reply::Null),
            },
            "type" => exactly(Reply::Simple(if self.hash(call).is_some() { "hash" } else { "none" })),
            "rename" => self.rename(call, true).and_then(|_| ok()),
            "renamenx" => self.rename(call, false).and_then(truth),
            "copy" => self.copy(call),
            "move" => self.move_key(call),
            "expire" => self.expire(call, 1_000, self.now),
            "pexpire" => self.expire(call, 1, self.now),
            "expireat" => self.expire(call, 1_000, 0),
            "pexpireat" => self.expire(call, 1, 0),
            "ttl" => self.time(call, |deadline, now| (deadline - now).saturating_add(500) / 1_000),
            "pttl" => self.time(call, |deadline, now| deadline - now),
            "expiretime" => self.time(call, |deadline, _| deadline.saturating_add(500) / 1_000),
            "pexpiretime" => self.time(call, |deadline, _| deadline),
            "persist" => truth(self.hash_mut(call).is_some_and(|hash| hash.deadline.take().is_some())),
            "object|encoding" => {
                let encodings = [Reply::bulk("listpack"), Reply::bulk("hashtable")];
                Ok(Expected::OneOf(self.hash(call).map_or(vec![Reply::Null], |_| encodings.to_vec())))
            }
            "object|refcount" => exactly(self.hash(call).map_or(Reply::Null, |_| Reply::Integer(1))),
            // The model keeps neither.
            "object|idletime" if self.hash(call).is_some() => Ok(Expected::Any),
            "object|freq" if self.hash(call).is_some() => Err(NO_FREQUENCY.to_owned()),
            "object|idletime" | "object|freq" => exactly(Reply::Null),
            "memory|usage" => self.memory_usage(call),
            "scan" => self.scan(call),
            "keys" => {
                let keys = self.databases[call.database].keys().filter(|key| glob(words[1], key));
                Ok(Expected::InAnyOrder(keys.cloned().collect()))
            }
            "randomkey" => {
                let keys: Vec<_> = self.databases[call.database].keys().map(Reply::bulk).collect();
                Ok(Expected::OneOf(if keys.is_empty() { vec![Reply::Null] } else { keys }))
            }
            "dbsize" => integer(self.databases[call.database].len()),
            "flushdb" | "flushall" => self.flush(call),
            "swapdb" => self.swap(call),
            // About the process as much as about the data.
            "info" | "memory|stats" | "memory|doctor" => Ok(Expected::Any),
            "config|resetstat" => ok(),
            _ => return None,
        })
    }

    fn rename(&mut self, call: Call<'_>, replaces: bool) -> Result<bool, String> {
        let (from, to) = (call.words[1], call.words[2]);
        let database = &mut self.databases[call.database];
        if !database.contains_key(from) {
            return Err(NO_SUCH_KEY.to_owned());
        }
        if from == to || (!replaces && database.contains_key(to)) {
            return Ok(false);
        }
        if let Some(hash) = database.remove(from) {
            self.put(call.database, to, hash);
        }
        Ok(true)
    }

    fn copy(&mut self, call: Call<'_>) -> Answer {
        let (from, to) = (call.words[1], call.words[2]);
        let (mut database, mut replaces) = (call.database, false);
        let mut options = call.words[3..].iter();
        while let Some(option) = options.next() {
            if is(option, "replace") {
                replaces = true;
            } else if is(option, "db") {
                database = database_number(options.next().ok_or(SYNTAX)?)?;
            } else {
                return Err(SYNTAX.to_owned());
            }
        }
        if database == call.database && from == to {
            return Err(SAME_OBJECT.to_owned());
        }
        let is_free = replaces || !self.databases[database].contains_key(to);
        let copy = self.hash(call).filter(|_| is_free).cloned();
        let is_copied = copy.is_some();
        if let Some(copy) = copy {
            self.put(database, to, copy);
        }
        truth(is_copied)
    }

    fn move_key(&mut self, call: Call<'_>) -> Answer {
        let key = call.words[1];
        let database = database_number(call.words[2])?;
        if database == call.database {
            return Err(SAME_OBJECT.to_owned());
        }
        let is_free = !self.databases[database].contains_key(key);
        let hash = is_free.then(|| self.databases[call.database].remove(key)).flatten();
        let is_moved = hash.is_some();
        if let Some(hash) = hash {
            self.put(database, key, hash);
        }
        truth(is_moved)
    }

    fn expire(&mut self, call: Call<'_>, unit: i64, base: i64) -> Answer {
        let (mut nx, mut xx, mut gt, mut lt) = (false, false, false, false);
        for option in &call.words[3..] {
            match option.to_ascii_lowercase().as_slice() {
                b"nx" => nx = true,
                b"xx" => xx = true,
                b"gt" => gt = true,
                b"lt" => lt = true,
                _ => {
                    return Err(format!(
                        "ERR Unsupported option {}",
                        String::from_utf8_lossy(&option[..option.len().min(128)])
                    ));
                }
            }
        }
        if nx && (xx || gt || lt) {
            return Err("ERR NX and XX, GT or LT options at the same time are not compatible".to_owned());
        }
        if gt && lt {
            return Err("ERR GT and LT options at the same time are not compatible".to_owned());
        }
        let deadline = numbers::deadline(numbers::integer(call.words[2])?, unit, base, call.name)?;
        let now = self.now;
        let Some(hash) = self.hash_mut(call) else { return truth(false) };
        // No deadline lies beyond every other.
        let current = hash.deadline.map_or(i128::MAX, i128::from);
        let is_refused = (nx && hash.deadline.is_some())
            || (xx && hash.deadline.is_none())
            || (gt && i128::from(deadline) <= current)
            || (lt && i128::from(deadline) >= current);
        if is_refused {
            return truth(false);
        }
        hash.deadline = Some(deadline);
        if deadline <= now {
            hash.fields.clear();
        }
        truth(true)
    }

    fn time(&self, call: Call<'_>, shape: impl Fn(i64, i64) -> i64) -> Answer {
        let answer = match self.hash(call) {
            None => -2,
            Some(hash) => hash.deadline.map_or(-1, |deadline| shape(deadline, self.now)),
        };
        exactly(Reply::Integer(answer))
    }

    fn memory_usage(&self, call: Call<'_>) -> Answer {
        let mut options = call.words[3..].iter();
        while let Some(option) = options.next() {
            if !is(option, "samples") || numbers::integer(options.next().ok_or(SYNTAX)?)? < 0 {
                return Err(SYNTAX.to_owned());
            }
        }
        if self.hash(call).is_some() { Ok(Expected::Positive) } else { exactly(Reply::Null) }
    }

    fn scan(&self, call: Call<'_>) -> Answer {
        if numbers::cursor(call.words[1]).is_err() {
            return Ok(Expected::Any);
        }
        let mut of_hashes = true;
        let mut takes_type = false;
        let walk = Walk::parse(&call.words[2..], |option| {
            if std::mem::take(&mut takes_type) {
                of_hashes = is(option, "hash");
            } else if is(option, "type") {
                takes_type = true;
            } else if is(option, "novalues") {
                return Err("ERR NOVALUES option can only be used in HSCAN".to_owned());
            } else {
                return Err(SYNTAX.to_owned());
            }
            Ok(())
        })?;
        let keys = self.databases[call.database].keys().filter(|key| of_hashes && walk.admits(key));
        Ok(Expected::Step { among: keys.map(|key| (key.clone(), Vec::new())).collect(), with_values: false })
    }

    fn flush(&mut self, call: Call<'_>) -> Answer {
        let is_kind = |word: &[u8]| is(word, "async") || is(word, "sync");
        if call.words.len() > 2 || call.words[1..].iter().any(|word| !is_kind(word)) {
            return Err(SYNTAX.to_owned());
        }
        if call.name == "flushall" {
            self.databases.iter_mut().for_each(std::collections::BTreeMap::clear);
        } else {
            self.databases[call.database].clear();
        }
        ok()
    }

    fn swap(&mut self, call: Call<'_>) -> Answer {
        for (word, which) in [(call.words[1], "first"), (call.words[2], "second")] {
            let number = numbers::integer(word).ok().and_then(|number| i32::try_from(number).ok());
            number.ok_or_else(|| format!("ERR invalid {which} DB index"))?;
        }
        let (a, b) = (database_number(call.words[1])?, database_number(call.words[2])?);
        self.databases.swap(a, b);
        // Whoever walks over one of them meets keys that were not there before.
        let born = self.next_stamp();
        for number in [a, b] {
            self.databases[number].values_mut().for_each(|hash| hash.born = born);
        }
        ok()
    }
}

fn database_number(word: &[u8]) -> Result<usize, String> {
    let number = numbers::integer(word)?;
    let number = i32::try_from(number)
        .map_err(|_| "ERR value is out of range, value must between -2147483648 and 2147483647")?;
    usize::try_from(number).ok().filter(|&number| number < DATABASES).ok_or_else(|| OUT_OF_RANGE.to_owned())
}

/// The options of `SCAN` and `HSCAN`.
pub(super) struct Walk<'a> {
    pattern: Option<&'a [u8]>,
    /// Whether any option of the command's own was given.
    pub(super) is_flagged: bool,
}

impl<'a> Walk<'a> {
    /// Reads options; `other` gets every word that is neither `MATCH`, `COUNT` nor their values.
    pub(super) fn parse(
        words: &[&'a [u8]],
        mut other: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<Self, String> {
        let mut walk = Walk { pattern: None, is_flagged: false };
        let mut options = words.iter();
        while let Some(option) = options.next() {
            if is(option, "match") {
                walk.pattern = Some(options.next().ok_or(SYNTAX)?);
            } else if is(option, "count") {
                if numbers::integer(options.next().ok_or(SYNTAX)?)? < 1 {
                    return Err(SYNTAX.to_owned());
                }
            } else {
                other(option)?;
                walk.is_flagged = true;
                // The one option with a value of its own.
                if is(option, "type") {
                    other(options.next().ok_or(SYNTAX)?)?;
                }
            }
        }
        Ok(walk)
    }

    pub(super) fn admits(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob(pattern, name))
    }
}

/// Patterns of `*`, `?`, `[a-z]` and plain bytes: those that the simulator's clients send.
pub fn glob(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], _) => name.is_empty(),
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|skipped| glob(rest, &name[skipped..])),
        (_, []) => false,
        ([b'?', rest @ ..], [_, name @ ..]) => glob(rest, name),
        ([b'[', low, b'-', high, b']', rest @ ..], [byte, name @ ..]) => {
            (low..=high).contains(&byte) && glob(rest, name)
        }
        ([literal, rest @ ..], [byte, name @ ..]) => literal == byte && glob(rest, name),
    }
}
