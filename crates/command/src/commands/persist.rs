//! `PERSIST key`

use crate::argument::Argument;
use crate::changes::Class;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "persist",
    summary: "Removes the expiration time of a key.",
    since: "2.2.0",
    complexity: "O(1)",
    group: Group::Generic,
    arity: 2,
    flags: Flags::WRITE.and(Flags::FAST),
    keys: &[KeySpec::at(1, access::UPDATE)],
    arguments: &[Argument::key("key")],
    run: Run::Keys(run),
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let ttl = context.data.ttl_of(context.data.database, words.at(1));
    let now = context.data.now;
    let expiring = context.data.open(words.at(1)).filter(|hash| hash.deadline().is_some());
    let is_removed = expiring.is_some();
    if let Some(mut hash) = expiring {
        let deadline = ttl.map_or(Ok(None), |ttl| ttl.without(now))?;
        hash.set_deadline(deadline);
        hash.changed(Class::Generic, if deadline.is_none() { "persist" } else { "expire" });
    }
    context.reply.boolean_as_integer(is_removed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("PERSIST h", "(integer) 0"),
            ("HSETEX h f v 1", "(integer) 1"),
            ("PERSIST h", "(integer) 1"),
            ("PERSIST h", "(integer) 0"),
            ("TTL h", "(integer) -1"),
            ("WAIT 1000", ""),
            ("RECLAIM", ""),
            ("HGET h f", "\"v\""),
            ("PERSIST", "(error) ERR wrong number of arguments for 'persist' command"),
            ("PERSIST h h", "(error) ERR wrong number of arguments for 'persist' command"),
        ]);
    }

    #[test]
    fn a_key_past_its_deadline_is_not_brought_back() {
        replay(&[
            ("HSETEX h f v 1", "(integer) 1"),
            ("WAIT 1000", ""),
            ("PERSIST h", "(integer) 0"),
            ("EXISTS h", "(integer) 0"),
        ]);
    }
}
