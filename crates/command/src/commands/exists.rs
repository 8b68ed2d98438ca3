//! `EXISTS key [key ...]`

use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "exists",
    summary: "Counts how many of the keys exist; a key that is named twice counts twice.",
    since: "1.0.0",
    complexity: "O(N) where N is the number of keys to check.",
    group: Group::Generic,
    arity: -2,
    flags: Flags::READONLY.and(Flags::FAST),
    keys: &[KeySpec::all_from(1, access::LOOK)],
    arguments: &[Argument::key("key").multiple()],
    run: Run::Keys(run),
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let mut found = 0;
    for key in words.from(1) {
        found += i64::from(context.data.peek(key).is_some());
    }
    context.reply.integer(found);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, replay};

    #[test]
    fn cases() {
        replay(&[
            ("EXISTS h", "(integer) 0"),
            ("HSET h f v", "(integer) 1"),
            ("EXISTS h", "(integer) 1"),
            ("EXISTS h missing h", "(integer) 2"),
            ("EXISTS", "(error) ERR wrong number of arguments for 'exists' command"),
            ("PEXPIRE h 1", "(integer) 1"),
            ("WAIT 1", ""),
            ("EXISTS h h", "(integer) 0"),
        ]);
    }

    #[test]
    fn every_key_is_a_hit_or_a_miss() {
        let mut fixture = Fixture::new();
        fixture.replay(&[("HSET h f v", "(integer) 1"), ("EXISTS h missing h", "(integer) 2")]);
        assert_eq!(fixture.lookups(), (2, 1));
    }
}
