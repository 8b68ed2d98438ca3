//! `SWAPDB index1 index2`

use super::r#move::database_index;
use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::{CommandError, Outcome};
use crate::number;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "swapdb",
    summary: "Swaps two databases, for all clients at once.",
    since: "4.0.0",
    complexity: "O(1)",
    group: Group::Server,
    arity: 3,
    flags: Flags::WRITE.and(Flags::FAST).and(Flags::DANGEROUS),
    arguments: &[Argument::integer("index1"), Argument::integer("index2")],
    run: Run::AllShards(run),
    ..Spec::BLANK
};

const INVALID_FIRST: CommandError = CommandError::fixed("ERR invalid first DB index");
const INVALID_SECOND: CommandError = CommandError::fixed("ERR invalid second DB index");

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    check_number(words.at(1), INVALID_FIRST)?;
    check_number(words.at(2), INVALID_SECOND)?;
    let databases = context.data.database_count();
    let first = database_index(words.at(1), databases)?;
    let second = database_index(words.at(2), databases)?;
    context.data.swap(first, second);
    context.reply.ok();
    Ok(())
}

/// Refuses what is no 32-bit number with an error that says which of the two it is.
fn check_number(word: &[u8], refusal: CommandError) -> Outcome {
    let number = number::integer(word).and_then(|number| i32::try_from(number).ok());
    number.map(|_| ()).ok_or(refusal)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, replay};

    const OUT_OF_RANGE: &str = "(error) ERR DB index is out of range";
    const INVALID_FIRST: &str = "(error) ERR invalid first DB index";
    const INVALID_SECOND: &str = "(error) ERR invalid second DB index";

    #[test]
    fn the_databases_change_places_with_their_ttls() {
        for shards in [1, 4] {
            let mut fixture = Fixture::with_shards(shards);
            fixture.replay(&[
                ("HSETEX a f 1 10", "(integer) 1"),
                ("HSET b f 2", "(integer) 1"),
                ("MOVE b 9", "(integer) 1"),
                ("SWAPDB 9 9", "OK"),
                ("SWAPDB 0 9", "OK"),
                ("EXISTS a b", "(integer) 1"),
                ("HGET b f", "\"2\""),
            ]);
            fixture.client.database = 9;
            fixture.replay(&[
                ("TTL a", "(integer) 10"),
                ("WAIT 10000", ""),
                ("SWAPDB 9 3", "OK"),
                ("DBSIZE", "(integer) 0"),
            ]);
            fixture.client.database = 3;
            fixture.replay(&[("EXISTS a", "(integer) 0"), ("RECLAIM", ""), ("DBSIZE", "(integer) 0")]);
        }
    }

    #[test]
    fn wrong_words_are_refused() {
        replay(&[
            ("SWAPDB 0", "(error) ERR wrong number of arguments for 'swapdb' command"),
            ("SWAPDB 0 1 2", "(error) ERR wrong number of arguments for 'swapdb' command"),
            ("SWAPDB x 0", INVALID_FIRST),
            ("SWAPDB 99999999999 x", INVALID_FIRST),
            ("SWAPDB 0 x", INVALID_SECOND),
            ("SWAPDB 99 x", INVALID_SECOND),
            ("SWAPDB 0 99999999999", INVALID_SECOND),
            ("SWAPDB 16 0", OUT_OF_RANGE),
            ("SWAPDB 0 16", OUT_OF_RANGE),
            ("SWAPDB -1 0", OUT_OF_RANGE),
            ("SWAPDB 0 -1", OUT_OF_RANGE),
        ]);
    }
}
