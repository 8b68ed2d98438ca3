//! `HSETEXPIRE key seconds field value [field value ...]`, for callers of kvrocks.

use super::hset::PAIR;
use crate::argument::Argument;
use crate::changes::Class;
use crate::context::DataContext;
use crate::error::{CommandError, Outcome};
use crate::expiry::TimeForm;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "hsetexpire",
    summary: "Sets fields and the TTL of the whole hash in one atomic step, spelt as in kvrocks.",
    since: "0.1.0",
    complexity: "O(N) where N is the number of fields to set.",
    group: Group::Hash,
    arity: -5,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    keys: &[KeySpec::at(1, access::UPDATE)],
    arguments: &[
        Argument::key("key"),
        Argument::integer("seconds"),
        Argument::block("data", &PAIR).multiple(),
    ],
    run: Run::Keys(run),
};

/// Position of the first field.
const FIRST: usize = 3;

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    if !(words.len() - FIRST).is_multiple_of(2) {
        return Err(CommandError::WrongArity);
    }
    let deadline = TimeForm::SECONDS.positive_deadline(words.integer(2)?, context.data.now)?;
    let deadline = context.data.deadline_for(words.at(1), deadline, context.random);
    let mut hash = context.data.open_or_create(words.at(1), words.pairs_from(FIRST));
    for (field, value) in words.pairs_from(FIRST) {
        hash.set(field, value);
    }
    hash.set_deadline(Some(deadline));
    hash.changed(Class::Hash, "hset");
    hash.changed(Class::Generic, "expire");
    context.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    const ARITY: &str = "(error) ERR wrong number of arguments for 'hsetexpire' command";
    const INVALID_TIME: &str = "(error) ERR invalid expire time in 'hsetexpire' command";
    const NOT_AN_INTEGER: &str = "(error) ERR value is not an integer or out of range";

    #[test]
    fn fields_and_the_ttl_of_the_whole_hash_are_set() {
        replay(&[
            ("HSETEXPIRE h 60 a 1 b 2", "OK"),
            ("HMGET h a b", "1) \"1\"\n2) \"2\""),
            ("TTL h", "(integer) 60"),
            ("HSETEXPIRE h 10 b 3", "OK"),
            ("HMGET h a b", "1) \"1\"\n2) \"3\""),
            ("TTL h", "(integer) 10"),
            ("WAIT 10000", ""),
            ("HSETEXPIRE h 5 c 4", "OK"),
            ("HGETALL h", "1) \"c\"\n2) \"4\""),
        ]);
    }

    #[test]
    fn errors_change_nothing() {
        replay(&[
            ("HSETEXPIRE h 60 a 1", "OK"),
            ("HSETEXPIRE h 60 a", ARITY),
            ("HSETEXPIRE h 60 a 2 b", ARITY),
            ("HSETEXPIRE h x a 2 b", ARITY),
            ("HSETEXPIRE h x a 2", NOT_AN_INTEGER),
            ("HSETEXPIRE h +1 a 2", NOT_AN_INTEGER),
            ("HSETEXPIRE h 1.5 a 2", NOT_AN_INTEGER),
            ("HSETEXPIRE h 0 a 2", INVALID_TIME),
            ("HSETEXPIRE h -1 a 2", INVALID_TIME),
            ("HSETEXPIRE h 9223372036854775 a 2", INVALID_TIME),
            ("HSETEXPIRE new 0 a 2", INVALID_TIME),
            ("HGET h a", "\"1\""),
            ("TTL h", "(integer) 60"),
            ("EXISTS new", "(integer) 0"),
        ]);
    }
}
