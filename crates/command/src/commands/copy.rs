//! `COPY source destination [DB destination-db] [REPLACE]`

use super::r#move::{SAME_OBJECT, database_index};
use crate::argument::Argument;
use crate::changes::Class;
use crate::context::DataContext;
use crate::error::{CommandError, Outcome};
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::{Words, is};

pub static SPEC: Spec = Spec {
    name: "copy",
    summary: "Copies a hash and its TTL to another key, also of another database.",
    since: "6.2.0",
    complexity: "O(N) where N is the size of the hash.",
    group: Group::Generic,
    arity: -3,
    flags: Flags::WRITE.and(Flags::DENYOOM),
    keys: &[KeySpec::at(1, access::READ), KeySpec::at(2, access::OVERWRITE)],
    arguments: &[
        Argument::key("source"),
        Argument::key("destination"),
        Argument::integer("destination-db").after("DB").optional(),
        Argument::flag("replace", "REPLACE").optional(),
    ],
    run: Run::Keys(run),
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let (source, destination) = (words.at(1), words.at(2));
    let mut database = context.data.database;
    let mut replaces = false;
    let mut options = words.cursor(3);
    while let Some(option) = options.next() {
        if is(option, "replace") {
            replaces = true;
        } else if is(option, "db") {
            database = database_index(options.value()?, context.data.database_count())?;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if database == context.data.database && source == destination {
        return Err(SAME_OBJECT);
    }
    let is_free = replaces || !context.data.exists_in(database, destination);
    let now = context.data.now;
    let ttl = context.data.ttl_of(database, destination);
    let mut copy = context.data.read(source).filter(|_| is_free).map(|hash| hash.copy(now));
    if let (Some(copy), Some(ttl)) = (&mut copy, ttl) {
        copy.set_deadline(ttl.carried(copy.deadline(), now)?);
    }
    context.reply.boolean_as_integer(copy.is_some());
    if let Some(copy) = copy {
        context.data.attach_in(database, destination, copy);
        context.data.changed_in(database, destination, Class::Generic, "copy_to");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, replay};

    const OUT_OF_RANGE: &str = "(error) ERR DB index is out of range";
    const SAME_OBJECT: &str = "(error) ERR source and destination objects are the same";
    const SYNTAX: &str = "(error) ERR syntax error";

    #[test]
    fn the_copy_has_the_fields_and_the_ttl_and_a_life_of_its_own() {
        replay(&[
            ("COPY a b", "(integer) 0"),
            ("HSETEX a f 1 10", "(integer) 1"),
            ("COPY a b", "(integer) 1"),
            ("HSET b f 2", "(integer) 0"),
            ("EXPIRE b 5", "(integer) 1"),
            ("HGET a f", "\"1\""),
            ("TTL a", "(integer) 10"),
            ("COPY a b", "(integer) 0"),
            ("HGET b f", "\"2\""),
            ("COPY a b replace", "(integer) 1"),
            ("HGET b f", "\"1\""),
            ("TTL b", "(integer) 10"),
            ("DEL a", "(integer) 1"),
            ("TTL b", "(integer) 10"),
            // A source without a TTL: none on the copy either.
            ("HSET a f 3", "(integer) 1"),
            ("COPY a b REPLACE", "(integer) 1"),
            ("TTL b", "(integer) -1"),
            ("WAIT 10000", ""),
            ("RECLAIM", ""),
            ("HGET b f", "\"3\""),
        ]);
    }

    #[test]
    fn keys_past_their_deadline_are_neither_source_nor_in_the_way() {
        replay(&[
            ("HSETEX gone f 1 1", "(integer) 1"),
            ("HSET a f 2", "(integer) 1"),
            ("WAIT 1000", ""),
            ("COPY gone b", "(integer) 0"),
            ("COPY gone a REPLACE", "(integer) 0"),
            ("HGET a f", "\"2\""),
            ("COPY a gone", "(integer) 1"),
            ("RECLAIM", ""),
            ("HGET gone f", "\"2\""),
            ("TTL gone", "(integer) -1"),
        ]);
    }

    #[test]
    fn another_database_is_another_place() {
        for shards in [1, 4] {
            let mut fixture = Fixture::with_shards(shards);
            fixture.replay(&[
                ("HSETEX a f 1 10", "(integer) 1"),
                ("COPY a a DB 1", "(integer) 1"),
                ("COPY a a DB 1", "(integer) 0"),
                ("COPY a a DB 1 REPLACE", "(integer) 1"),
                ("COPY a b REPLACE DB 15", "(integer) 1"),
                ("EXISTS b", "(integer) 0"),
            ]);
            for (database, key) in [(1, "a"), (15, "b")] {
                fixture.client.database = database;
                fixture.replay(&[(&format!("TTL {key}"), "(integer) 10"), ("DBSIZE", "(integer) 1")]);
            }
        }
    }

    #[test]
    fn wrong_words_are_refused() {
        replay(&[
            ("HSET h f v", "(integer) 1"),
            ("COPY h", "(error) ERR wrong number of arguments for 'copy' command"),
            ("COPY h h", SAME_OBJECT),
            ("COPY h h DB 0 REPLACE", SAME_OBJECT),
            ("COPY h h DB 1 DB 0", SAME_OBJECT),
            ("COPY missing missing", SAME_OBJECT),
            ("COPY h g DB", SYNTAX),
            ("COPY h g FOO", SYNTAX),
            ("COPY h g DB 16", OUT_OF_RANGE),
            ("COPY h g DB -1", OUT_OF_RANGE),
            ("COPY missing g DB 16", OUT_OF_RANGE),
            ("COPY h g DB x", "(error) ERR value is not an integer or out of range"),
            ("EXISTS g", "(integer) 0"),
        ]);
    }

    #[test]
    fn only_the_source_is_a_hit_or_a_miss() {
        let mut fixture = Fixture::new();
        fixture.replay(&[("HSET a f v", "(integer) 1"), ("COPY a b", "(integer) 1")]);
        fixture.replay(&[("COPY missing c", "(integer) 0")]);
        assert_eq!(fixture.lookups(), (1, 1));
    }
}
