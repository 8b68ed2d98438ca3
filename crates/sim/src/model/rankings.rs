//! `BIGKEYS` and `HOTKEYS TOP`.
//!
//! The model counts neither the bytes that a hash takes nor samples: it knows which hashes may be named and must be,
//! and in which order.

use std::collections::BTreeMap;

use super::numbers;
use super::{Answer, Call, Model, SYNTAX, is, wrong_arity};
use crate::expected::{BigKeys, Expected};

/// A hash whose fields and values are together as large as this is large for certain.
const LARGE_BYTES: usize = 16 << 10;
/// The most keys that may be asked for.
const COUNT_MAX: i64 = 128;

impl Model {
    /// The answer to a ranking of keys; `None` for any other command.
    pub(super) fn ranking_call(&self, call: Call<'_>) -> Option<Answer> {
        Some(match call.name {
            "bigkeys" => self.big_keys(call),
            "hotkeys|top" => hot_keys(call),
            _ => return None,
        })
    }

    fn big_keys(&self, call: Call<'_>) -> Answer {
        let mut count = 10;
        let mut options = call.words[1..].iter();
        while let Some(option) = options.next() {
            if !is(option, "count") {
                return Err(SYNTAX.to_owned());
            }
            count = numbers::integer(options.next().ok_or(SYNTAX)?)?;
            if !(1..=COUNT_MAX).contains(&count) {
                return Err(format!("ERR COUNT must be between 1 and {COUNT_MAX}"));
            }
        }
        let all = (0..).zip(&self.databases).flat_map(|(number, database)| {
            database.iter().map(move |(key, hash)| ((number, key.clone()), hash))
        });
        let (mut fields, mut large) = (BTreeMap::new(), 0);
        for (place, hash) in all {
            let bytes = hash.fields.iter().map(|(name, field)| name.len() + field.value.len());
            large += usize::from(bytes.sum::<usize>() >= LARGE_BYTES);
            fields.insert(place, hash.fields.len());
        }
        Ok(Expected::BigKeys(BigKeys { fields, large, count: count as usize }))
    }
}

fn hot_keys(call: Call<'_>) -> Answer {
    let count = match call.words {
        [_, _] => 10,
        [_, _, count] => numbers::integer(count)
            .ok()
            .filter(|count| (1..=COUNT_MAX).contains(count))
            .ok_or_else(|| format!("ERR count must be between 1 and {COUNT_MAX}"))?,
        _ => return wrong_arity(call.name),
    };
    Ok(Expected::HotKeys { count: count as usize })
}
