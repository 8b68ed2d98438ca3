//! `RENAME key newkey`

use crate::argument::Argument;
use crate::changes::Class;
use crate::context::DataContext;
use crate::error::{CommandError, Outcome};
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "rename",
    summary: "Renames a key, with its TTL, and replaces what the new name held.",
    since: "1.0.0",
    complexity: "O(1); a large hash that is replaced is freed in pieces afterwards.",
    group: Group::Generic,
    arity: 3,
    flags: Flags::WRITE,
    keys: &[KeySpec::at(1, access::READ_DELETE), KeySpec::at(2, access::OVERWRITE)],
    arguments: &[Argument::key("key"), Argument::key("newkey")],
    run: Run::Keys(run),
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    rename(context, words, true)?;
    context.reply.ok();
    Ok(())
}

/// Gives the hash at position 1 the key at position 2, with its deadline; whether it did. Where that key exists
/// it is replaced or wins, as `replaces` says; a hash renamed to its own key is there already.
pub(super) fn rename(
    context: &mut DataContext<'_>,
    words: Words<'_>,
    replaces: bool,
) -> Result<bool, CommandError> {
    let (from, to) = (words.at(1), words.at(2));
    let data = &mut context.data;
    let database = data.database;
    if !data.exists_in(database, from) {
        return Err(CommandError::NoSuchKey);
    }
    if from == to || (!replaces && data.exists_in(database, to)) {
        return Ok(false);
    }
    let (ttl, now) = (data.ttl_of(database, to), data.now);
    if let Some(hash) = data.open(from) {
        let deadline = hash.deadline();
        let deadline = ttl.map_or(Ok(deadline), |ttl| ttl.carried(deadline, now))?;
        let mut hash = hash.detach();
        hash.set_deadline(deadline);
        data.changed_in(database, from, Class::Generic, "rename_from");
        data.attach_in(database, to, hash);
        data.changed_in(database, to, Class::Generic, "rename_to");
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, replay};

    #[test]
    fn cases() {
        replay(&[
            ("RENAME a b", "(error) ERR no such key"),
            ("RENAME a a", "(error) ERR no such key"),
            ("HSET a f 1", "(integer) 1"),
            ("RENAME a a", "OK"),
            ("RENAME a b", "OK"),
            ("EXISTS a", "(integer) 0"),
            ("HGET b f", "\"1\""),
            ("RENAME b", "(error) ERR wrong number of arguments for 'rename' command"),
            ("RENAME b c d", "(error) ERR wrong number of arguments for 'rename' command"),
        ]);
    }

    #[test]
    fn the_ttl_of_the_source_is_carried_and_replaces_that_of_the_target() {
        replay(&[
            ("HSETEX a f 1 10", "(integer) 1"),
            ("HSETEX b f 2 1", "(integer) 1"),
            ("HSET b g 3", "(integer) 1"),
            ("RENAME a b", "OK"),
            ("TTL b", "(integer) 10"),
            ("HGETALL b", "1) \"f\"\n2) \"1\""),
            ("WAIT 1000", ""),
            ("RECLAIM", ""),
            ("TTL b", "(integer) 9"),
            ("WAIT 9000", ""),
            ("EXISTS b", "(integer) 0"),
            ("RECLAIM", ""),
            // A source without a TTL takes the target's away.
            ("HSET a f 1", "(integer) 1"),
            ("HSETEX b f 2 1", "(integer) 1"),
            ("RENAME a b", "OK"),
            ("TTL b", "(integer) -1"),
            ("WAIT 1000", ""),
            ("RECLAIM", ""),
            ("HGET b f", "\"1\""),
        ]);
    }

    #[test]
    fn a_source_past_its_deadline_is_absent_and_such_a_target_is_free() {
        replay(&[
            ("HSETEX a f 1 1", "(integer) 1"),
            ("HSETEX b f 2 10", "(integer) 1"),
            ("WAIT 1000", ""),
            ("RENAME a b", "(error) ERR no such key"),
            ("RENAME a a", "(error) ERR no such key"),
            ("RENAME b a", "OK"),
            ("RECLAIM", ""),
            ("HGET a f", "\"2\""),
            ("TTL a", "(integer) 9"),
        ]);
    }

    #[test]
    fn large_hashes_keep_all_their_fields() {
        for shards in [1, 4] {
            let mut fixture = Fixture::with_shards(shards);
            for field in 0..1_000 {
                fixture.run(&format!("HSET a field:{field} {field}"));
            }
            fixture.replay(&[
                ("HSET b f v", "(integer) 1"),
                ("RENAME a b", "OK"),
                ("HLEN b", "(integer) 1000"),
                ("HGET b field:999", "\"999\""),
            ]);
        }
    }
}
