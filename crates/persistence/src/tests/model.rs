//! A keyspace as a map: commands that change it and write down their effects, as a shard does; effects that are
//! applied to it, as a start does; and a walk over it in slices, as a snapshot does.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::{Effect, Journal, Record};

/// A database and a name.
pub type Key = (u16, Vec<u8>);

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hash {
    pub fields: BTreeMap<Vec<u8>, Vec<u8>>,
    pub deadline: Option<i64>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Model {
    keys: BTreeMap<Key, Hash>,
}

#[derive(Clone, Debug)]
pub enum Command {
    Set(Key, u8, u8),
    SetAndExpire(Key, u8, u8, i64),
    RemoveField(Key, u8),
    Expire(Key, i64),
    Persist(Key),
    Remove(Key),
    Rename(Key, Key),
    Flush(u16),
}

impl Model {
    /// Runs a command and writes down what it does. Times to live are relative to `now`.
    pub fn run(&mut self, command: &Command, now: i64, journal: &mut Journal) {
        match command {
            Command::Set(key, field, value) => {
                let deadline = self.alive(key, now).and_then(|hash| hash.deadline);
                self.set(key, (*field, *value), deadline, now, journal);
            }
            Command::SetAndExpire(key, field, value, ttl) => {
                self.set(key, (*field, *value), Some(now + ttl), now, journal);
            }
            Command::RemoveField(key, field) => {
                if let Some(hash) = self.alive(key, now)
                    && hash.fields.remove([*field].as_slice()).is_some()
                {
                    let is_empty = hash.fields.is_empty();
                    journal.key(key.0, &key.1);
                    journal.remove_field(&[*field]);
                    if is_empty {
                        self.keys.remove(key);
                    }
                }
            }
            Command::Expire(key, ttl) => self.set_deadline(key, Some(now + ttl), now, journal),
            Command::Persist(key) => self.set_deadline(key, None, now, journal),
            Command::Remove(key) => {
                self.alive(key, now);
                if self.keys.remove(key).is_some() {
                    journal.key(key.0, &key.1);
                    journal.remove();
                }
            }
            Command::Rename(from, to) => {
                self.alive(from, now);
                if let Some(hash) = self.keys.remove(from) {
                    journal.key(from.0, &from.1);
                    journal.remove();
                    journal.key(to.0, &to.1);
                    journal.remove();
                    hash.fields.iter().for_each(|(field, value)| journal.set(field, value));
                    journal.deadline(hash.deadline);
                    self.keys.insert(to.clone(), hash);
                }
            }
            Command::Flush(database) => {
                self.keys.retain(|key, _| key.0 != *database);
                journal.flush(*database);
            }
        }
    }

    /// Applies a record that was written down, whatever the time.
    pub fn apply(&mut self, body: &[u8]) {
        let record = Record::read(body).expect("what was written is read");
        let mut current = None;
        for effect in record.effects() {
            let effect = effect.expect("what was written is read");
            if let Effect::Key { database, key } = effect {
                current = Some((database, key.to_vec()));
                continue;
            }
            if let Effect::Flush { database } = effect {
                self.keys.retain(|key, _| key.0 != database);
                continue;
            }
            let key = current.clone().expect("a key was named");
            let hash = self.keys.get_mut(&key);
            match effect {
                Effect::Set { field, value } => {
                    let hash = self.keys.entry(key).or_default();
                    hash.fields.insert(field.to_vec(), value.to_vec());
                }
                Effect::RemoveField { field } => {
                    if let Some(hash) = hash {
                        hash.fields.remove(field);
                        if hash.fields.is_empty() {
                            self.keys.remove(&key);
                        }
                    }
                }
                Effect::Deadline(deadline) => {
                    if let Some(hash) = hash {
                        hash.deadline = deadline;
                    }
                }
                Effect::Remove => {
                    self.keys.remove(&key);
                }
                Effect::Key { .. } | Effect::Flush { .. } | Effect::Swap { .. } => {
                    unreachable!("two are done above, the third is not written here")
                }
            }
        }
    }

    /// What a client sees at `now`.
    pub fn seen(&self, now: i64) -> Model {
        let keys = self.keys.iter().filter(|(_, hash)| !hash.is_expired(now));
        Model { keys: keys.map(|(key, hash)| (key.clone(), hash.clone())).collect() }
    }

    fn alive(&mut self, key: &Key, now: i64) -> Option<&mut Hash> {
        if self.keys.get(key).is_some_and(|hash| hash.is_expired(now)) {
            self.keys.remove(key);
        }
        self.keys.get_mut(key)
    }

    fn set(
        &mut self,
        key: &Key,
        (field, value): (u8, u8),
        deadline: Option<i64>,
        now: i64,
        journal: &mut Journal,
    ) {
        journal.key(key.0, &key.1);
        if self.alive(key, now).is_none() {
            journal.remove();
        }
        let hash = self.keys.entry(key.clone()).or_default();
        hash.fields.insert(vec![field], vec![value]);
        hash.deadline = deadline;
        journal.set(&[field], &[value]);
        journal.deadline(deadline);
    }

    fn set_deadline(&mut self, key: &Key, deadline: Option<i64>, now: i64, journal: &mut Journal) {
        if let Some(hash) = self.alive(key, now) {
            hash.deadline = deadline;
            journal.key(key.0, &key.1);
            journal.deadline(deadline);
        }
    }
}

impl Hash {
    fn is_expired(&self, now: i64) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }
}

/// Where a walk over the keys has come: behind a field of a key, or behind a key.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    behind: Option<(Key, Option<Vec<u8>>)>,
}

impl Walk {
    /// Writes down up to `fields` fields and goes on behind them; says whether there may be more.
    pub fn slice(&mut self, model: &Model, now: i64, fields: usize, journal: &mut Journal) -> bool {
        journal.begin(now);
        let from = match &self.behind {
            None => Bound::Unbounded,
            Some((key, Some(_))) => Bound::Included(key.clone()),
            Some((key, None)) => Bound::Excluded(key.clone()),
        };
        let mut left = fields;
        for (key, hash) in model.keys.range((from, Bound::Unbounded)) {
            if hash.is_expired(now) {
                continue;
            }
            let behind = match &self.behind {
                Some((walked, Some(field))) if walked == key => Bound::Excluded(field.clone()),
                _ => Bound::Unbounded,
            };
            let mut rest = hash.fields.range((behind, Bound::Unbounded)).peekable();
            if rest.peek().is_some() {
                journal.key(key.0, &key.1);
                for (field, value) in rest.by_ref().take(left) {
                    journal.set(field, value);
                    left -= 1;
                    self.behind = Some((key.clone(), Some(field.clone())));
                }
                journal.deadline(hash.deadline);
            }
            if rest.peek().is_some() {
                return true;
            }
            self.behind = Some((key.clone(), None));
            if left == 0 {
                return true;
            }
        }
        false
    }
}
