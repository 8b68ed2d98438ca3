//! `DBSIZE`

use crate::context::DataContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "dbsize",
    summary: "Returns the number of keys in the database; those past their deadline do not count.",
    since: "1.0.0",
    complexity: "O(N) where N is the number of keys that have come due since the last tick.",
    group: Group::Server,
    arity: 1,
    flags: Flags::READONLY.and(Flags::FAST),
    run: Run::AllShards(run),
    ..Spec::BLANK
};

fn run(context: &mut DataContext<'_>, _: Words<'_>) -> Outcome {
    let (number, now) = (context.data.database, context.data.now);
    let mut keys = 0;
    for keyspace in context.data.keyspaces() {
        keys += keyspace.database(number).live_len(now) as i64;
    }
    context.reply.integer(keys);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, replay};

    #[test]
    fn cases() {
        replay(&[
            ("DBSIZE", "(integer) 0"),
            ("HSET a f v", "(integer) 1"),
            ("HSET b f v", "(integer) 1"),
            ("DBSIZE", "(integer) 2"),
            ("COPY a a DB 1", "(integer) 1"),
            ("DBSIZE", "(integer) 2"),
            ("DEL a", "(integer) 1"),
            ("DBSIZE", "(integer) 1"),
            ("DBSIZE x", "(error) ERR wrong number of arguments for 'dbsize' command"),
        ]);
    }

    #[test]
    fn keys_past_their_deadline_do_not_count_before_the_wheel_turns() {
        for shards in [1, 4] {
            let mut fixture = Fixture::with_shards(shards);
            for number in 0..1_000 {
                fixture.run(&format!("HSETEX key:{number} f v {}", 1 + number % 2));
            }
            fixture.replay(&[
                // A deadline that moved later is not one that has come.
                ("EXPIRE key:0 100", "(integer) 1"),
                ("EXPIRE key:1 100", "(integer) 1"),
                ("PERSIST key:2", "(integer) 1"),
                ("DBSIZE", "(integer) 1000"),
                ("WAIT 1000", ""),
                ("DBSIZE", "(integer) 502"),
                ("WAIT 1000", ""),
                ("DBSIZE", "(integer) 3"),
                ("RECLAIM", ""),
                ("DBSIZE", "(integer) 3"),
                ("WAIT 98000", ""),
                ("DBSIZE", "(integer) 1"),
            ]);
        }
    }
}
