//! `HSET key field value [field value ...]`

use crate::argument::Argument;
use crate::changes::Class;
use crate::context::DataContext;
use crate::error::{CommandError, Outcome};
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "hset",
    summary: "Sets fields of a hash; its TTL stays.",
    since: "2.0.0",
    complexity: "O(N) where N is the number of fields to set.",
    group: Group::Hash,
    arity: -4,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    keys: &[KeySpec::at(1, access::UPDATE)],
    arguments: &[Argument::key("key"), Argument::block("data", &PAIR).multiple()],
    run: Run::Keys(run),
};

/// `field value`, as several commands take it.
pub(super) const PAIR: [Argument; 2] = [Argument::string("field"), Argument::string("value")];

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let created = set_pairs(context, words, 2)?;
    context.reply.integer(created);
    Ok(())
}

/// Sets all pairs from position `first` on in the hash at position 1; the number of new fields.
pub(super) fn set_pairs(
    context: &mut DataContext<'_>,
    words: Words<'_>,
    first: usize,
) -> Result<i64, CommandError> {
    if !(words.len() - first).is_multiple_of(2) {
        return Err(CommandError::WrongArity);
    }
    let mut hash = context.data.open_to_write(words.at(1), words.pairs_from(first), context.random)?;
    let mut created = 0;
    for (field, value) in words.pairs_from(first) {
        created += i64::from(hash.set(field, value));
    }
    hash.changed(Class::Hash, "hset");
    Ok(created)
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("HSET h a 1 b 2", "(integer) 2"),
            ("HSET h a 9 c 3", "(integer) 1"),
            ("HSET h a 7 a 8", "(integer) 0"),
            ("HGET h a", "\"8\""),
            ("HSET h a", "(error) ERR wrong number of arguments for 'hset' command"),
            ("HSET h a 1 b", "(error) ERR wrong number of arguments for 'hset' command"),
            ("HSET h \"\" \"\"", "(integer) 1"),
            ("HGET h \"\"", "\"\""),
        ]);
    }

    #[test]
    fn the_ttl_stays() {
        replay(&[
            ("HSETEX h a 1 60", "(integer) 1"),
            ("HSET h b 2", "(integer) 1"),
            ("TTL h", "(integer) 60"),
            ("WAIT 60000", ""),
            ("HSET h c 3", "(integer) 1"),
            ("HGET h a", "(nil)"),
            ("TTL h", "(integer) -1"),
        ]);
    }
}
