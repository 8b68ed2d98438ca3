//! `FLUSHALL [ASYNC | SYNC]`

use super::flushdb::{FLUSH_TYPE, check_flush_type};
use crate::context::DataContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "flushall",
    summary: "Removes all keys from all databases; their memory is freed in pieces afterwards.",
    since: "1.0.0",
    complexity: "O(1)",
    group: Group::Server,
    arity: -1,
    flags: Flags::WRITE.and(Flags::DANGEROUS),
    arguments: &[FLUSH_TYPE],
    run: Run::AllShards(run),
    ..Spec::BLANK
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    check_flush_type(words)?;
    for number in 0..context.data.database_count() {
        context.data.flush(number);
    }
    context.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, replay};

    const SYNTAX: &str = "(error) ERR syntax error";

    #[test]
    fn every_database_is_emptied() {
        for (line, shards) in ["FLUSHALL", "FLUSHALL async", "FLUSHALL SYNC"].into_iter().zip([1, 2, 4]) {
            let mut fixture = Fixture::with_shards(shards);
            fixture.replay(&[
                ("HSETEX a f 1 10", "(integer) 1"),
                ("COPY a a DB 15", "(integer) 1"),
                (line, "OK"),
                ("DBSIZE", "(integer) 0"),
                ("RECLAIM", ""),
                ("EXISTS a", "(integer) 0"),
            ]);
            fixture.client.database = 15;
            fixture.replay(&[("EXISTS a", "(integer) 0"), ("DBSIZE", "(integer) 0")]);
        }
    }

    #[test]
    fn wrong_words_are_refused_and_change_nothing() {
        replay(&[
            ("HSET h f v", "(integer) 1"),
            ("FLUSHALL FOO", SYNTAX),
            ("FLUSHALL SYNC ASYNC", SYNTAX),
            ("EXISTS h", "(integer) 1"),
        ]);
    }
}
