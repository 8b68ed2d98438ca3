//! `DUMP` and `RESTORE`.
//!
//! What a payload looks like is not the model's business: it learns which hash each one stands for when it is
//! made, and takes every other for a broken one.

use super::numbers;
use super::{Answer, Call, Field, Hash, Model, SYNTAX, exactly, is, ok};
use crate::expected::{Expected, Reply, parse};

impl Model {
    /// The answer to `DUMP` and `RESTORE`; `None` for any other command.
    pub(super) fn payload_call(&mut self, call: Call<'_>) -> Option<Answer> {
        Some(match call.name {
            "dump" if self.hash(call).is_some() => Ok(Expected::Any),
            "dump" => exactly(Reply::Null),
            "restore" => self.restore(call),
            _ => return None,
        })
    }

    /// A `DUMP` was answered: that is how its hash is written.
    pub fn learn_payload(&mut self, call: Call<'_>, reply: &[u8]) {
        let payload = parse(reply).and_then(|value| value.as_bytes().map(<[u8]>::to_vec));
        if call.name == "dump"
            && let (Some(hash), Some(payload)) = (self.hash(call), payload)
        {
            let fields = hash.values();
            self.payloads.insert(payload, fields);
        }
    }

    fn restore(&mut self, call: Call<'_>) -> Answer {
        let (mut replaces, mut base) = (false, self.now);
        let (mut idle_time, mut frequency) = (false, false);
        let mut options = call.words[4..].iter();
        while let Some(option) = options.next() {
            let mut number_up_to = |max: i64, refusal: &str| {
                let number = numbers::integer(options.next().ok_or(SYNTAX)?)?;
                if (0..=max).contains(&number) { Ok(()) } else { Err(refusal.to_owned()) }
            };
            if is(option, "replace") {
                replaces = true;
            } else if is(option, "absttl") {
                base = 0;
            } else if is(option, "idletime") && !frequency {
                idle_time = true;
                number_up_to(i64::MAX, "ERR Invalid IDLETIME value, must be >= 0")?;
            } else if is(option, "freq") && !idle_time {
                frequency = true;
                number_up_to(255, "ERR Invalid FREQ value, must be >= 0 and <= 255")?;
            } else {
                return Err(SYNTAX.to_owned());
            }
        }
        if !replaces && self.hash(call).is_some() {
            return Err("BUSYKEY Target key name already exists.".to_owned());
        }
        let ttl = numbers::integer(call.words[2])?;
        if ttl < 0 {
            return Err("ERR Invalid TTL value, must be >= 0".to_owned());
        }
        let deadline = if ttl == 0 { None } else { Some(numbers::deadline(ttl, 1, base, call.name)?) };
        let fields = self.payloads.get(call.words[3]).cloned();
        let fields = fields.ok_or("ERR DUMP payload version or checksum are wrong")?;
        if deadline.is_some_and(|deadline| deadline <= self.now) {
            self.databases[call.database].remove(call.key());
            return ok();
        }
        let born = self.next_stamp();
        let fields = fields.into_iter().map(|(name, value)| (name, Field { value, born })).collect();
        self.put(call.database, call.key(), Hash { fields, deadline, born });
        ok()
    }
}
