//! `HGETDEL key FIELDS numfields field [field ...]`

use crate::argument::Argument;
use crate::changes::Class;
use crate::context::DataContext;
use crate::error::{CommandError, Outcome};
use crate::number;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::{Words, is};

pub static SPEC: Spec = Spec {
    name: "hgetdel",
    summary: "Returns the values of fields and removes these; the last one takes the hash with it.",
    since: "8.0.0",
    complexity: "O(N) where N is the number of fields named.",
    group: Group::Hash,
    arity: -5,
    flags: Flags::WRITE.and(Flags::FAST),
    keys: &[KeySpec::at(1, access::READ_DELETE)],
    arguments: &[Argument::key("key"), Argument::block("fields", &FIELDS).after("FIELDS")],
    run: Run::Keys(run),
};

pub(super) const FIELDS: [Argument; 2] = [Argument::integer("numfields"), Argument::string("field").multiple()];

/// Position of the first field.
const FIRST: usize = 4;

const NO_FIELDS: CommandError =
    CommandError::fixed("ERR Mandatory argument FIELDS is missing or not at the right position");
const NOT_POSITIVE: CommandError = CommandError::fixed("ERR Number of fields must be a positive integer");
const OTHER_COUNT: CommandError =
    CommandError::fixed("ERR The `numfields` parameter must match the number of arguments");

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let fields = named_fields(words)?;
    let mut hash = context.data.open(words.at(1));
    let mut removed = false;
    context.reply.array(fields.len());
    for field in fields {
        match hash.as_ref().and_then(|hash| hash.get(field)) {
            Some(value) => context.reply.bulk(value),
            None => context.reply.null(),
        }
        // A field that is named twice is gone by then.
        if let Some(hash) = &mut hash {
            removed |= hash.remove_field(field);
        }
    }
    if let Some(mut hash) = hash {
        if removed {
            hash.changed(Class::Hash, "hdel");
        }
        hash.remove_if_empty();
    }
    Ok(())
}

/// The fields of `key FIELDS numfields field [field ...]`.
pub(super) fn named_fields<'a>(
    words: Words<'a>,
) -> Result<impl ExactSizeIterator<Item = &'a [u8]> + Clone, CommandError> {
    if !is(words.at(2), "fields") {
        return Err(NO_FIELDS);
    }
    let count = number::integer(words.at(3)).filter(|&count| count > 0).ok_or(NOT_POSITIVE)?;
    let fields = words.from(FIRST);
    if count != fields.len() as i64 {
        return Err(OTHER_COUNT);
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    const NO_FIELDS: &str = "(error) ERR Mandatory argument FIELDS is missing or not at the right position";
    const NOT_POSITIVE: &str = "(error) ERR Number of fields must be a positive integer";
    const OTHER_COUNT: &str = "(error) ERR The `numfields` parameter must match the number of arguments";

    #[test]
    fn cases() {
        replay(&[
            ("HGETDEL h FIELDS 2 a b", "1) (nil)\n2) (nil)"),
            ("HSETEX h a 1 10", "(integer) 1"),
            ("HSET h b 2 c 3", "(integer) 2"),
            ("HGETDEL h fields 3 a x a", "1) \"1\"\n2) (nil)\n3) (nil)"),
            ("HKEYS h", "1) \"b\"\n2) \"c\""),
            ("TTL h", "(integer) 10"),
            ("HGETDEL h FIELDS 2 c b", "1) \"3\"\n2) \"2\""),
            ("EXISTS h", "(integer) 0"),
            ("HSETEX h a 1 1", "(integer) 1"),
            ("WAIT 1000", ""),
            ("HGETDEL h FIELDS 1 a", "1) (nil)"),
        ]);
    }

    #[test]
    fn errors_change_nothing() {
        replay(&[
            ("HSET h a 1", "(integer) 1"),
            ("HGETDEL h FIELDS 1", "(error) ERR wrong number of arguments for 'hgetdel' command"),
            ("HGETDEL h x 1 a", NO_FIELDS),
            ("HGETDEL h 1 a FIELDS", NO_FIELDS),
            ("HGETDEL missing x 0 a", NO_FIELDS),
            ("HGETDEL h FIELDS 0 a", NOT_POSITIVE),
            ("HGETDEL h FIELDS -1 a", NOT_POSITIVE),
            ("HGETDEL h FIELDS x a", NOT_POSITIVE),
            ("HGETDEL h FIELDS 9223372036854775808 a", NOT_POSITIVE),
            ("HGETDEL h FIELDS 9223372036854775807 a", OTHER_COUNT),
            ("HGETDEL h FIELDS 2 a", OTHER_COUNT),
            ("HGETDEL h FIELDS 1 a b", OTHER_COUNT),
            ("HGET h a", "\"1\""),
        ]);
    }
}
