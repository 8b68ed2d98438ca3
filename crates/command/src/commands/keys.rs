//! `KEYS pattern`

use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::glob;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "keys",
    summary: "Returns all keys that match a pattern; SCAN does so without stopping everybody else.",
    since: "1.0.0",
    complexity: "O(N) where N is the number of keys in the database.",
    group: Group::Generic,
    arity: 2,
    flags: Flags::READONLY.and(Flags::DANGEROUS),
    arguments: &[Argument::pattern("pattern")],
    run: Run::AllShards(run),
    ..Spec::BLANK
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let pattern = words.at(1);
    let (number, now) = (context.data.database, context.data.now);
    // The length of the reply comes first. What is kept until it is known is a number for each match, which is
    // less than the match takes in the reply.
    let mut matches = Vec::new();
    for keyspace in context.data.keyspaces() {
        let database = keyspace.database(number);
        let mut found = Vec::new();
        let end = database.scan(0, usize::MAX, now, &mut |id| {
            if pattern == b"*" || glob::matches(pattern, database.key(id)) {
                found.push(id);
            }
        });
        debug_assert_eq!(end, 0, "a walk without a limit ends at the end");
        matches.push(found);
    }
    context.reply.array(matches.iter().map(Vec::len).sum());
    for (keyspace, found) in context.data.keyspaces().zip(matches) {
        let database = keyspace.database(number);
        for id in found {
            context.reply.bulk(database.key(id));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, replay};

    #[test]
    fn cases() {
        replay(&[
            ("KEYS *", "(empty array)"),
            ("HSET user:1 f v", "(integer) 1"),
            ("HSETEX session:1 f v 1", "(integer) 1"),
            ("KEYS user:*", "1) \"user:1\""),
            ("KEYS session:?", "1) \"session:1\""),
            ("KEYS USER:*", "(empty array)"),
            ("KEYS [us]*:1x", "(empty array)"),
            ("WAIT 1000", ""),
            ("KEYS session:*", "(empty array)"),
            ("KEYS *", "1) \"user:1\""),
            ("KEYS", "(error) ERR wrong number of arguments for 'keys' command"),
            ("KEYS a b", "(error) ERR wrong number of arguments for 'keys' command"),
        ]);
    }

    #[test]
    fn every_key_of_the_selected_database_comes_once() {
        for shards in [1, 4] {
            let mut fixture = Fixture::with_shards(shards);
            for number in 0..3_000 {
                fixture.run(&format!("HSET key:{number} f v"));
            }
            fixture.replay(&[("COPY key:1 elsewhere DB 1", "(integer) 1")]);
            let reply = fixture.run("KEYS *");
            let mut keys: Vec<_> = reply.lines().filter_map(|line| line.split('"').nth(1)).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!((keys.len(), reply.lines().count()), (3_000, 3_000));
            fixture.client.database = 1;
            fixture.replay(&[("KEYS *", "1) \"elsewhere\"")]);
        }
    }
}
