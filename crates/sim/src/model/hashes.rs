//! Commands on the fields of one hash.

use super::numbers::{self, quarters, quarters_text, rounded};
use super::{
    Answer, Call, Field, Hash, Model, SYNTAX, bulk_or_null, exactly, integer, is, ok, truth, wrong_arity,
};
use crate::expected::{Drawn, Expected, Fields, Reply};
use crate::model::keys::Walk;

/// Bytes that a reply with repeats may have; the simulator asks for few or for far too many.
const REPEATS_MAX: u64 = 1_000_000;

impl Model {
    /// The answer to a command on fields; `None` for any other command.
    pub(super) fn hash_call(&mut self, call: Call<'_>) -> Option<Answer> {
        let words = call.words;
        Some(match call.name {
            "hset" => self.hset(call).map(|new| Expected::Exactly(Reply::Integer(new))),
            "hmset" => self.hset(call).and_then(|_| ok()),
            "hsetnx" => {
                let is_free = self.hash(call).and_then(|hash| hash.value(words[2])).is_none();
                if is_free {
                    self.set(call, words[2], words[3]);
                }
                truth(is_free)
            }
            "hsetex" if words.len() == 5 => self.hsetex_one(call),
            "hsetex" => self.hsetex_keywords(call),
            "hsetexpire" => self.hsetexpire(call),
            "hget" => exactly(bulk_or_null(self.value(call, words[2]))),
            "hmget" => {
                let values = words[2..].iter().map(|field| bulk_or_null(self.value(call, field)));
                exactly(Reply::Array(values.collect()))
            }
            "hgetall" => Ok(Expected::Pairs(self.fields(call))),
            "hkeys" => Ok(Expected::InAnyOrder(self.fields(call).into_keys().collect())),
            "hvals" => Ok(Expected::InAnyOrder(self.fields(call).into_values().collect())),
            "hlen" => integer(self.fields(call).len()),
            "hexists" => truth(self.value(call, words[2]).is_some()),
            "hstrlen" => integer(self.value(call, words[2]).map_or(0, <[u8]>::len)),
            "hdel" => integer(words[2..].iter().filter(|field| self.take(call, field).is_some()).count()),
            "hgetdel" => self.hgetdel(call),
            "httl" | "hpttl" | "hexpiretime" | "hpexpiretime" => self.field_ttls(call),
            "hincrby" => self.hincrby(call),
            "hincrbyfloat" => self.hincrbyfloat(call),
            "hrandfield" => self.hrandfield(call),
            "hscan" => self.hscan(call),
            _ => return None,
        })
    }

    fn value(&self, call: Call<'_>, field: &[u8]) -> Option<&[u8]> {
        self.hash(call)?.value(field)
    }

    fn fields(&self, call: Call<'_>) -> Fields {
        self.hash(call).map(Hash::values).unwrap_or_default()
    }

    fn take(&mut self, call: Call<'_>, field: &[u8]) -> Option<Field> {
        self.hash_mut(call)?.fields.remove(field)
    }

    fn set_pairs(&mut self, call: Call<'_>, pairs: &[&[u8]]) -> i64 {
        pairs.chunks(2).map(|pair| i64::from(self.set(call, pair[0], pair[1]))).sum()
    }

    fn set_deadline(&mut self, call: Call<'_>, deadline: i64) {
        let now = self.now;
        if let Some(hash) = self.hash_mut(call) {
            hash.deadline = Some(deadline);
            if deadline <= now {
                hash.fields.clear();
            }
        }
    }

    fn hset(&mut self, call: Call<'_>) -> Result<i64, String> {
        let pairs = &call.words[2..];
        if pairs.len() % 2 == 1 {
            wrong_arity(call.name)?;
        }
        Ok(self.set_pairs(call, pairs))
    }

    /// A deadline so many seconds from now; it must lie ahead.
    fn seconds_ahead(&self, call: Call<'_>, seconds: &[u8]) -> Result<i64, String> {
        let seconds = numbers::integer(seconds)?;
        if seconds <= 0 {
            return Err(format!("ERR invalid expire time in '{}' command", call.name));
        }
        numbers::deadline(seconds, 1_000, self.now, call.name)
    }

    fn hsetex_one(&mut self, call: Call<'_>) -> Answer {
        let deadline = self.seconds_ahead(call, call.words[4])?;
        let is_new = self.set(call, call.words[2], call.words[3]);
        self.set_deadline(call, deadline);
        truth(is_new)
    }

    fn hsetexpire(&mut self, call: Call<'_>) -> Answer {
        if (call.words.len() - 3) % 2 == 1 {
            return wrong_arity(call.name);
        }
        let deadline = self.seconds_ahead(call, call.words[2])?;
        self.set_pairs(call, &call.words[3..]);
        self.set_deadline(call, deadline);
        ok()
    }

    fn hsetex_keywords(&mut self, call: Call<'_>) -> Answer {
        let words = call.words;
        let (mut exists, mut fields_exist, mut whole_key) = (None, None, false);
        let (mut has_expiry, mut deadline) = (false, None);
        let mut pairs: Option<&[&[u8]]> = None;
        let mut at = 2;
        while at < words.len() {
            let word = words[at];
            at += 1;
            let unit_and_base =
                [("ex", (1_000, self.now)), ("px", (1, self.now)), ("exat", (1_000, 0)), ("pxat", (1, 0))];
            let time = unit_and_base.into_iter().find(|(name, _)| is(word, name)).map(|(_, time)| time);
            if is(word, "nx") || is(word, "xx") {
                if exists.replace(is(word, "xx")).is_some() {
                    return Err("ERR Only one of NX or XX arguments can be specified".to_owned());
                }
            } else if is(word, "fnx") || is(word, "fxx") {
                if fields_exist.replace(is(word, "fxx")).is_some() {
                    return Err("ERR Only one of FXX or FNX arguments can be specified".to_owned());
                }
            } else if is(word, "key") {
                whole_key = true;
            } else if is(word, "keepttl") || time.is_some() {
                if has_expiry {
                    return Err(
                        "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified".to_owned()
                    );
                }
                has_expiry = true;
                if let Some((unit, base)) = time {
                    let amount = words.get(at).ok_or("ERR missing expire time")?;
                    at += 1;
                    let amount = numbers::integer(amount)?;
                    if amount < 0 {
                        return Err("ERR invalid expire time, must be >= 0".to_owned());
                    }
                    deadline = Some(numbers::deadline(amount, unit, base, "hsetex")?);
                }
            } else if is(word, "fields") {
                if pairs.is_some() || at >= words.len() {
                    return wrong_arity("hsetex");
                }
                let count =
                    numbers::integer(words[at]).ok().filter(|count| (1..=0x7fff_ffff).contains(count));
                let count = count.ok_or("ERR invalid number of fields")? as usize;
                at += 1;
                if words.len() - at < 2 * count {
                    return wrong_arity("hsetex");
                }
                pairs = Some(&words[at..at + 2 * count]);
                at += 2 * count;
            } else {
                let end = word.iter().position(|byte| *byte == 0).unwrap_or(word.len());
                return Err(format!("ERR unknown argument: {}", String::from_utf8_lossy(&word[..end])));
            }
        }
        let Some(pairs) = pairs else { return wrong_arity("hsetex") };
        if deadline.is_some() && !whole_key {
            return Err(
                "ERR HSETEX with FIELDS and an expiry sets per-field TTLs, which are not supported; \
                        add KEY to expire the whole hash"
                    .to_owned(),
            );
        }
        let hash_holds = exists.is_none_or(|exists| exists == self.hash(call).is_some());
        let mut fields = pairs.iter().step_by(2);
        let fields_hold =
            fields_exist.is_none_or(|exist| fields.all(|field| exist == self.value(call, field).is_some()));
        if !hash_holds || !fields_hold {
            return truth(false);
        }
        self.set_pairs(call, pairs);
        if let Some(deadline) = deadline {
            self.set_deadline(call, deadline);
        }
        truth(true)
    }

    fn hgetdel(&mut self, call: Call<'_>) -> Answer {
        let values = named_fields(call.words)?
            .iter()
            .map(|field| self.take(call, field).map_or(Reply::Null, |field| Reply::Bulk(field.value)));
        exactly(Reply::Array(values.collect()))
    }

    /// No field has a TTL of its own.
    fn field_ttls(&self, call: Call<'_>) -> Answer {
        let ttl = |field: &&[u8]| Reply::Integer(if self.value(call, field).is_some() { -1 } else { -2 });
        exactly(Reply::Array(named_fields(call.words)?.iter().map(ttl).collect()))
    }

    fn hincrby(&mut self, call: Call<'_>) -> Answer {
        let by = numbers::integer(call.words[3])?;
        let value = self.value(call, call.words[2]).map_or(Ok(0), numbers::integer);
        let value = value.map_err(|_| "ERR hash value is not an integer")?;
        let sum = value.checked_add(by).ok_or("ERR increment or decrement would overflow")?;
        self.set(call, call.words[2], sum.to_string().as_bytes());
        exactly(Reply::Integer(sum))
    }

    fn hincrbyfloat(&mut self, call: Call<'_>) -> Answer {
        if is(call.words[3], "inf") {
            return Err("ERR value is NaN or Infinity".to_owned());
        }
        let by = quarters(call.words[3]).ok_or("ERR value is not a valid float")?;
        let value = self.value(call, call.words[2]).map_or(Some(0), quarters);
        let value = value.ok_or("ERR hash value is not a float")?;
        let sum = quarters_text(rounded(rounded(value) + rounded(by)));
        self.set(call, call.words[2], sum.as_bytes());
        exactly(Reply::bulk(sum))
    }

    fn hrandfield(&self, call: Call<'_>) -> Answer {
        let words = call.words;
        let from = self.fields(call);
        if words.len() == 2 {
            let names: Vec<_> = from.into_keys().map(Reply::Bulk).collect();
            return Ok(Expected::OneOf(if names.is_empty() { vec![Reply::Null] } else { names }));
        }
        let count = numbers::integer(words[2])?;
        if count == i64::MIN {
            return Err("ERR value is out of range, value must between -9223372036854775807 and \
                        9223372036854775807"
                .to_owned());
        }
        let with_values = words.len() > 3;
        if words.len() > 4 || (with_values && !is(words[3], "withvalues")) {
            return Err(SYNTAX.to_owned());
        }
        if with_values && count.unsigned_abs() > i64::MAX as u64 / 2 {
            return Err("ERR value is out of range".to_owned());
        }
        if from.is_empty() {
            return exactly(Reply::Array(Vec::new()));
        }
        let repeats = count < 0;
        if repeats && count.unsigned_abs() > REPEATS_MAX {
            return Err("ERR value is out of range, the reply would exceed 64 megabytes".to_owned());
        }
        let count = count.unsigned_abs() as usize;
        let count = if repeats { count } else { count.min(from.len()) };
        Ok(Expected::Drawn(Drawn { from, count, repeats, with_values }))
    }

    fn hscan(&self, call: Call<'_>) -> Answer {
        if numbers::cursor(call.words[2]).is_err() {
            return Ok(Expected::Any);
        }
        let walk = Walk::parse(&call.words[3..], |option| match option {
            option if is(option, "novalues") => Ok(()),
            _ => Err(SYNTAX.to_owned()),
        })?;
        let mut among = self.fields(call);
        among.retain(|name, _| walk.admits(name));
        Ok(Expected::Step { among, with_values: !walk.is_flagged })
    }
}

/// The fields of `key FIELDS numfields field [field ...]`.
fn named_fields<'a, 'b>(words: &'a [&'b [u8]]) -> Result<&'a [&'b [u8]], String> {
    if !is(words[2], "fields") {
        return Err("ERR Mandatory argument FIELDS is missing or not at the right position".to_owned());
    }
    let count = numbers::integer(words[3]).ok().filter(|&count| count > 0);
    let count = count.ok_or("ERR Number of fields must be a positive integer")?;
    let fields = &words[4..];
    if count != fields.len() as i64 {
        return Err("ERR The `numfields` parameter must match the number of arguments".to_owned());
    }
    Ok(fields)
}
