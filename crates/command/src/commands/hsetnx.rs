//! `HSETNX key field value`

use crate::argument::Argument;
use crate::changes::Class;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "hsetnx",
    summary: "Sets a field of a hash unless it exists; the hash's TTL stays.",
    since: "2.0.0",
    complexity: "O(1)",
    group: Group::Hash,
    arity: 4,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    keys: &[KeySpec::at(1, access::INSERT)],
    arguments: &[Argument::key("key"), Argument::string("field"), Argument::string("value")],
    run: Run::Keys(run),
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let (key, field, value) = (words.at(1), words.at(2), words.at(3));
    // What changes nothing is not the business of rules for TTLs.
    if context.data.has_ttl_rules() && context.data.open(key).is_some_and(|hash| hash.get(field).is_some()) {
        context.reply.boolean_as_integer(false);
        return Ok(());
    }
    let mut hash = context.data.open_to_write(key, [(field, value)], context.random)?;
    let absent = hash.get(field).is_none();
    if absent {
        hash.set(field, value);
        hash.changed(Class::Hash, "hset");
    }
    context.reply.boolean_as_integer(absent);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("HSETNX h f 1", "(integer) 1"),
            ("HSETNX h f 2", "(integer) 0"),
            ("HGET h f", "\"1\""),
            ("HSETNX h f", "(error) ERR wrong number of arguments for 'hsetnx' command"),
            ("HSETNX h f 1 2", "(error) ERR wrong number of arguments for 'hsetnx' command"),
        ]);
    }

    #[test]
    fn the_ttl_stays() {
        replay(&[
            ("HSETEX h f 1 10", "(integer) 1"),
            ("HSETNX h g 2", "(integer) 1"),
            ("TTL h", "(integer) 10"),
            ("WAIT 10000", ""),
            ("HSETNX h g 3", "(integer) 1"),
            ("HGETALL h", "1) \"g\"\n2) \"3\""),
            ("TTL h", "(integer) -1"),
        ]);
    }
}
