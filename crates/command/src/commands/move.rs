//! `MOVE key db`

use crate::argument::Argument;
use crate::changes::Class;
use crate::context::{DataContext, Hash};
use crate::error::{CommandError, Outcome};
use crate::number;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "move",
    summary: "Moves a key, with its TTL, to another database.",
    since: "1.0.0",
    complexity: "O(1)",
    group: Group::Generic,
    arity: 3,
    flags: Flags::WRITE.and(Flags::FAST),
    keys: &[KeySpec::at(1, access::READ_UPDATE)],
    arguments: &[Argument::key("key"), Argument::integer("db")],
    run: Run::Keys(run),
};

pub(super) const SAME_OBJECT: CommandError =
    CommandError::fixed("ERR source and destination objects are the same");
const NOT_AN_INT: CommandError =
    CommandError::fixed("ERR value is out of range, value must between -2147483648 and 2147483647");

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let key = words.at(1);
    let target = database_index(words.at(2), context.data.database_count())?;
    if target == context.data.database {
        return Err(SAME_OBJECT);
    }
    let is_free = !context.data.exists_in(target, key);
    let (ttl, now) = (context.data.ttl_of(target, key), context.data.now);
    let hash = context.data.open(key).filter(|_| is_free);
    let deadline = hash.as_ref().and_then(Hash::deadline);
    let deadline = match ttl {
        Some(ttl) if hash.is_some() => ttl.carried(deadline, now)?,
        _ => deadline,
    };
    let hash = hash.map(Hash::detach);
    context.reply.boolean_as_integer(hash.is_some());
    if let Some(mut hash) = hash {
        hash.set_deadline(deadline);
        context.data.changed_in(context.data.database, key, Class::Generic, "move_from");
        context.data.attach_in(target, key, hash);
        context.data.changed_in(target, key, Class::Generic, "move_to");
    }
    Ok(())
}

/// Reads the number of a logical database out of `databases`.
pub(super) fn database_index(word: &[u8], databases: u16) -> Result<u16, CommandError> {
    let index = number::integer(word).ok_or(CommandError::NotAnInteger)?;
    let index = i32::try_from(index).map_err(|_| NOT_AN_INT)?;
    let index = u16::try_from(index).ok().filter(|&index| index < databases);
    index.ok_or(CommandError::DatabaseOutOfRange)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, replay};

    const OUT_OF_RANGE: &str = "(error) ERR DB index is out of range";
    const SAME_OBJECT: &str = "(error) ERR source and destination objects are the same";
    const NOT_AN_INT: &str =
        "(error) ERR value is out of range, value must between -2147483648 and 2147483647";

    #[test]
    fn the_ttl_moves_along() {
        for shards in [1, 4] {
            let mut fixture = Fixture::with_shards(shards);
            fixture.replay(&[
                ("MOVE h 1", "(integer) 0"),
                ("HSETEX h f v 10", "(integer) 1"),
                ("MOVE h 1", "(integer) 1"),
                ("EXISTS h", "(integer) 0"),
                ("HSET h f other", "(integer) 1"),
                ("MOVE h 1", "(integer) 0"),
                ("HGET h f", "\"other\""),
            ]);
            fixture.client.database = 1;
            fixture.replay(&[
                ("TTL h", "(integer) 10"),
                ("HGET h f", "\"v\""),
                ("WAIT 10000", ""),
                ("MOVE h 2", "(integer) 0"),
            ]);
            // Past its deadline it is not in the way.
            fixture.client.database = 0;
            fixture.replay(&[("MOVE h 1", "(integer) 1"), ("RECLAIM", ""), ("EXISTS h", "(integer) 0")]);
            fixture.client.database = 1;
            fixture.replay(&[("HGET h f", "\"other\""), ("TTL h", "(integer) -1")]);
        }
    }

    #[test]
    fn wrong_words_are_refused() {
        replay(&[
            ("HSET h f v", "(integer) 1"),
            ("MOVE h", "(error) ERR wrong number of arguments for 'move' command"),
            ("MOVE h 1 2", "(error) ERR wrong number of arguments for 'move' command"),
            ("MOVE h 0", SAME_OBJECT),
            ("MOVE missing 0", SAME_OBJECT),
            ("MOVE h 16", OUT_OF_RANGE),
            ("MOVE h -1", OUT_OF_RANGE),
            ("MOVE h 65536", OUT_OF_RANGE),
            ("MOVE h 2147483648", NOT_AN_INT),
            ("MOVE h -2147483649", NOT_AN_INT),
            ("MOVE h x", "(error) ERR value is not an integer or out of range"),
            ("EXISTS h", "(integer) 1"),
        ]);
    }
}
