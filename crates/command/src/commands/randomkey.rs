//! `RANDOMKEY`

use mayfly_store::Database;

use crate::context::DataContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "randomkey",
    summary: "Returns a random key name from the database.",
    since: "1.0.0",
    complexity: "O(1) unless most keys are past their deadline.",
    group: Group::Generic,
    arity: 1,
    flags: Flags::READONLY,
    run: Run::AllShards(run),
    ..Spec::BLANK
};

fn run(context: &mut DataContext<'_>, _: Words<'_>) -> Outcome {
    let (number, now) = (context.data.database, context.data.now);
    let databases: Vec<&Database> =
        context.data.keyspaces().map(|keyspace| keyspace.database(number)).collect();
    let keys: usize = databases.iter().map(|database| database.len()).sum();
    let first = holder(databases.iter().map(|database| database.len()), context.random.usize(..keys.max(1)));
    // The next ones only where the first holds nothing but keys past their deadline.
    let (before, from) = databases.split_at(first);
    let random = context.random.u64(..);
    let mut found = from.iter().chain(before).filter_map(|database| {
        let id = database.random(random, now)?;
        Some(database.key(id))
    });
    match found.next() {
        Some(key) => context.reply.bulk(key),
        None => context.reply.null(),
    }
    Ok(())
}

/// Which of several databases, given how many keys each has, holds the key of this number among all of them.
fn holder(lengths: impl Iterator<Item = usize>, mut number: usize) -> usize {
    for (position, length) in lengths.enumerate() {
        if number < length {
            return position;
        }
        number -= length;
    }
    0
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::holder;
    use crate::testing::{Fixture, replay};

    #[test]
    fn cases() {
        replay(&[
            ("RANDOMKEY", "(nil)"),
            ("HSET a f v", "(integer) 1"),
            ("RANDOMKEY", "\"a\""),
            ("COPY a elsewhere DB 1", "(integer) 1"),
            ("RANDOMKEY", "\"a\""),
            ("DEL a", "(integer) 1"),
            ("RANDOMKEY", "(nil)"),
            ("RANDOMKEY x", "(error) ERR wrong number of arguments for 'randomkey' command"),
        ]);
    }

    #[test]
    fn shards_are_weighted_by_their_keys() {
        let lengths = || [0, 3, 0, 1].into_iter();
        let holders: Vec<_> = (0..4).map(|number| holder(lengths(), number)).collect();
        assert_eq!(holders, [1, 1, 1, 3]);
        assert_eq!(holder([].into_iter(), 0), 0);
    }

    #[test]
    fn a_key_past_its_deadline_is_never_chosen() {
        for shards in [1, 4] {
            let mut fixture = Fixture::with_shards(shards);
            for number in 0..500 {
                fixture.run(&format!("HSETEX gone:{number} f v 1"));
            }
            fixture.replay(&[("HSET here f v", "(integer) 1"), ("WAIT 1000", "")]);
            for _ in 0..50 {
                fixture.replay(&[("RANDOMKEY", "\"here\"")]);
            }
            fixture.replay(&[("DEL here", "(integer) 1"), ("RANDOMKEY", "(nil)")]);
        }
    }

    #[test]
    fn every_key_has_its_turn() {
        for shards in [1, 4] {
            let mut fixture = Fixture::with_shards(shards);
            for number in 0..20 {
                fixture.run(&format!("HSET key:{number} f v"));
            }
            let mut counts = HashMap::new();
            for _ in 0..4_000 {
                *counts.entry(fixture.run("RANDOMKEY")).or_insert(0) += 1;
            }
            assert_eq!(counts.len(), 20);
            assert!(counts.values().all(|count| (50..800).contains(count)), "{counts:?}");
        }
    }
}
