//! `HTTL key FIELDS numfields field [field ...]`
//!
//! No field has a TTL of its own, and programs that ask are told so: some ask of every hash they write, once the server
//! is a Redis of 7.4 or later.

use super::hgetdel::{FIELDS, named_fields};
use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "httl",
    summary: "Answers -1 for each field, which has no TTL of its own, and -2 where there is none.",
    ..TTL_OF_FIELDS
};

/// What asks for the TTLs of fields, in whatever unit: the answer is the same.
pub(super) const TTL_OF_FIELDS: Spec = Spec {
    since: "7.4.0",
    complexity: "O(N) where N is the number of fields named.",
    group: Group::Hash,
    arity: -5,
    flags: Flags::READONLY.and(Flags::FAST),
    keys: &[KeySpec::at(1, access::READ)],
    arguments: &[Argument::key("key"), Argument::block("fields", &FIELDS).after("FIELDS")],
    run: Run::Keys(reply_no_ttl),
    ..Spec::BLANK
};

/// Answers for each named field that it has no TTL of its own (-1), or is not there (-2).
fn reply_no_ttl(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let fields = named_fields(words)?;
    let hash = context.data.read(words.at(1));
    context.reply.array(fields.len());
    for field in fields {
        let is_there = hash.as_ref().is_some_and(|hash| hash.get(field).is_some());
        context.reply.integer(if is_there { -1 } else { -2 });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("HTTL none FIELDS 2 a b", "1) (integer) -2\n2) (integer) -2"),
            ("HSETEX h a 1 10", "(integer) 1"),
            ("HTTL h fields 3 a b a", "1) (integer) -1\n2) (integer) -2\n3) (integer) -1"),
            ("TTL h", "(integer) 10"),
            ("HTTL h FIELDS 1", "(error) ERR wrong number of arguments for 'httl' command"),
            ("HTTL h a 1 FIELDS", "(error) ERR Mandatory argument FIELDS is missing or not at the right position"),
            ("HTTL h FIELDS 0 a", "(error) ERR Number of fields must be a positive integer"),
            ("HTTL h FIELDS 2 a", "(error) ERR The `numfields` parameter must match the number of arguments"),
            ("WAIT 10000", ""),
            ("HTTL h FIELDS 1 a", "1) (integer) -2"),
        ]);
    }
}
