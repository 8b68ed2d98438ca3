//! `FLUSHDB [ASYNC | SYNC]`

use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::{CommandError, Outcome};
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::{Words, is};

pub static SPEC: Spec = Spec {
    name: "flushdb",
    summary: "Removes all keys from the current database; their memory is freed in pieces afterwards.",
    since: "1.0.0",
    complexity: "O(1)",
    group: Group::Server,
    arity: -1,
    flags: Flags::WRITE.and(Flags::DANGEROUS),
    arguments: &[FLUSH_TYPE],
    run: Run::AllShards(run),
    ..Spec::BLANK
};

/// `[ASYNC | SYNC]`
pub(super) const FLUSH_TYPE: Argument = Argument::one_of("flush-type", &FLUSH_TYPES).optional();
const FLUSH_TYPES: [Argument; 2] = [Argument::flag("async", "ASYNC"), Argument::flag("sync", "SYNC")];

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    check_flush_type(words)?;
    context.data.flush(context.data.database);
    context.reply.ok();
    Ok(())
}

/// Reads `[ASYNC | SYNC]`. Both mean the same here: all keys are absent at once, and nobody waits for the memory.
pub(super) fn check_flush_type(words: Words<'_>) -> Outcome {
    let is_type = |word| is(word, "async") || is(word, "sync");
    match words.get(1) {
        Some(word) if words.len() > 2 || !is_type(word) => Err(CommandError::Syntax),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, replay};

    const SYNTAX: &str = "(error) ERR syntax error";

    #[test]
    fn only_the_selected_database_is_emptied() {
        for (line, shards) in ["FLUSHDB", "FLUSHDB ASYNC", "FLUSHDB sync"].into_iter().zip([1, 2, 4]) {
            let mut fixture = Fixture::with_shards(shards);
            fixture.replay(&[
                (line, "OK"),
                ("HSETEX a f 1 10", "(integer) 1"),
                ("HSET b f 2", "(integer) 1"),
                ("MOVE b 9", "(integer) 1"),
                (line, "OK"),
                ("EXISTS a", "(integer) 0"),
                ("DBSIZE", "(integer) 0"),
                ("HSET a f 3", "(integer) 1"),
                ("TTL a", "(integer) -1"),
                ("WAIT 10000", ""),
                ("RECLAIM", ""),
                ("HGET a f", "\"3\""),
            ]);
            fixture.client.database = 9;
            fixture.replay(&[("HGET b f", "\"2\"")]);
        }
    }

    #[test]
    fn wrong_words_are_refused_and_change_nothing() {
        replay(&[
            ("HSET h f v", "(integer) 1"),
            ("FLUSHDB FOO", SYNTAX),
            ("FLUSHDB ASYNC SYNC", SYNTAX),
            ("FLUSHDB ASYNC ASYNC", SYNTAX),
            ("EXISTS h", "(integer) 1"),
        ]);
    }
}
