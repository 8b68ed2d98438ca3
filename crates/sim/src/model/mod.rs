//! The model: what the server's data must be, written as plainly as possible.
//!
//! Maps in maps and no cleverness: a database is a map of keys, a key a map of fields and a deadline. It knows no
//! shards, no wheel, no packing. What each command does to it is written down a second time, from the
//! specification: `hashes` for fields, `keys` for whole keys and databases, `payloads` for what leaves and comes back,
//! `rankings` for the largest and the hottest. `changes` says what observers hear of it.

mod changes;
mod hashes;
mod keys;
mod numbers;
mod payloads;
mod rankings;

use std::collections::BTreeMap;

use crate::expected::{Expected, Fields, Reply};

pub use changes::Change;
pub use keys::glob;

/// Number of logical databases.
pub const DATABASES: usize = 16;

/// All data.
#[derive(Debug)]
pub struct Model {
    databases: Vec<BTreeMap<Vec<u8>, Hash>>,
    /// Counts what is made, so that one can tell what was there before.
    stamp: u64,
    now: i64,
    /// What every payload of `DUMP` so far stands for.
    payloads: BTreeMap<Vec<u8>, Fields>,
    changes: Vec<Change>,
}

/// One hash.
#[derive(Clone, PartialEq, Debug)]
pub struct Hash {
    /// Its fields.
    pub fields: BTreeMap<Vec<u8>, Field>,
    /// When it expires, Unix milliseconds.
    pub deadline: Option<i64>,
    /// When it came to its key.
    pub born: u64,
}

/// One field.
#[derive(Clone, PartialEq, Debug)]
pub struct Field {
    /// Its value.
    pub value: Vec<u8>,
    /// When the field was made.
    pub born: u64,
}

/// A call as the model sees it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Full name of the command.
    pub name: &'a str,
    /// Its words, the name first.
    pub words: &'a [&'a [u8]],
    /// The selected database.
    pub database: usize,
}

impl<'a> Call<'a> {
    /// The key that it names first; behind the subcommand, where there is one.
    fn key(self) -> &'a [u8] {
        self.words[if self.name.contains('|') { 2 } else { 1 }]
    }
}

type Answer = Result<Expected, String>;

const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";
const SYNTAX: &str = "ERR syntax error";
const NO_SUCH_KEY: &str = "ERR no such key";

impl Default for Model {
    fn default() -> Self {
        Model {
            databases: vec![BTreeMap::new(); DATABASES],
            stamp: 0,
            now: 0,
            payloads: BTreeMap::new(),
            changes: Vec::new(),
        }
    }
}

impl Model {
    /// Time goes on: what is due is gone.
    pub fn advance_to(&mut self, now: i64) {
        if now > self.now {
            self.now = now;
            let changes = &mut self.changes;
            for (number, database) in self.databases.iter_mut().enumerate() {
                database.retain(|key, hash| {
                    let is_live = hash.deadline.is_none_or(|deadline| deadline > now);
                    if !is_live {
                        changes.push(Change::Due(number, key.clone()));
                    }
                    is_live
                });
            }
        }
    }

    /// Carries out a call and says what its reply must be; `None` for a command that the model does not know.
    pub fn call(&mut self, call: Call<'_>) -> Option<Expected> {
        let before = self.before(call);
        let answer = self
            .hash_call(call)
            .or_else(|| self.key_call(call))
            .or_else(|| self.payload_call(call))
            .or_else(|| self.ranking_call(call))?;
        self.databases[call.database].retain(|_, hash| !hash.fields.is_empty());
        let answer = answer.unwrap_or_else(|text| Expected::Exactly(Reply::Error(text)));
        self.note(call, before, &answer);
        Some(answer)
    }

    /// The live keys of a database.
    pub fn database(&self, number: usize) -> &BTreeMap<Vec<u8>, Hash> {
        &self.databases[number]
    }

    /// The moment as [`Hash::born`] and [`Field::born`] count.
    pub fn stamp(&self) -> u64 {
        self.stamp
    }

    fn hash(&self, call: Call<'_>) -> Option<&Hash> {
        self.databases[call.database].get(call.key())
    }

    fn hash_mut(&mut self, call: Call<'_>) -> Option<&mut Hash> {
        self.databases[call.database].get_mut(call.key())
    }

    fn next_stamp(&mut self) -> u64 {
        self.stamp += 1;
        self.stamp
    }

    /// Sets a field of the hash that a call names, which is created if it is absent; true if the field is new.
    fn set(&mut self, call: Call<'_>, field: &[u8], value: &[u8]) -> bool {
        let born = self.next_stamp();
        let hash =
            self.databases[call.database].entry(call.key().to_vec()).or_insert_with(|| Hash::new(born));
        match hash.fields.get_mut(field) {
            Some(known) => {
                known.value = value.to_vec();
                false
            }
            None => hash.fields.insert(field.to_vec(), Field { value: value.to_vec(), born }).is_none(),
        }
    }

    /// Puts a hash at a key, as something that was not there before.
    fn put(&mut self, database: usize, key: &[u8], hash: Hash) {
        let born = self.next_stamp();
        self.databases[database].insert(key.to_vec(), Hash { born, ..hash });
    }
}

impl Hash {
    fn new(born: u64) -> Self {
        Hash { fields: BTreeMap::new(), deadline: None, born }
    }

    fn value(&self, field: &[u8]) -> Option<&[u8]> {
        self.fields.get(field).map(|field| &field.value[..])
    }

    /// Fields and values, without their history.
    pub fn values(&self) -> Fields {
        self.fields.iter().map(|(name, field)| (name.clone(), field.value.clone())).collect()
    }
}

fn exactly(reply: Reply) -> Answer {
    Ok(Expected::Exactly(reply))
}

fn integer(value: usize) -> Answer {
    exactly(Reply::Integer(value as i64))
}

fn truth(value: bool) -> Answer {
    exactly(Reply::truth(value))
}

fn ok() -> Answer {
    exactly(Reply::Simple("OK"))
}

fn bulk_or_null(bytes: Option<&[u8]>) -> Reply {
    bytes.map_or(Reply::Null, Reply::bulk)
}

fn wrong_arity(name: &str) -> Answer {
    Err(format!("ERR wrong number of arguments for '{name}' command"))
}

/// Whether a word is an option, whatever its case.
fn is(word: &[u8], option: &str) -> bool {
    word.eq_ignore_ascii_case(option.as_bytes())
}

/// Whether a word is a 64-bit integer in the one spelling that is allowed.
pub fn is_integer(word: &[u8]) -> bool {
    numbers::integer(word).is_ok()
}
