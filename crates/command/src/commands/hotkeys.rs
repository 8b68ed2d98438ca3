//! `HOTKEYS <subcommand>`: which keys are called most.
//!
//! Mayfly samples calls all the time (`hot_keys.sample_calls`), so that `HOTKEYS TOP` answers when somebody asks.

use mayfly_store::HOT_KEYS_MAX;

use crate::argument::Argument;
use crate::context::DataContext;
use crate::documentation::help_spec;
use crate::error::{CommandError, Outcome};
use crate::number;
use crate::ranking::{RankedHotKey, ShardHotKeys, hottest};
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "hotkeys",
    summary: "A container for commands about hot keys.",
    since: "8.6.0",
    complexity: "Depends on subcommand.",
    group: Group::Server,
    arity: -2,
    run: Run::Container(&[&TOP, &HELP]),
    ..Spec::BLANK
};

static TOP: Spec = Spec {
    name: "top",
    summary: "Returns the keys that are called most now, by a sample of all calls.",
    since: "1.0.0",
    complexity: "O(N*K) where N is the number of shards and K that of the keys each keeps, 128.",
    arity: -2,
    arguments: &[Argument::integer("count").optional()],
    run: Run::AllShards(top),
    ..SUBCOMMAND
};

const SUBCOMMAND: Spec = Spec {
    since: "8.6.0",
    group: Group::Server,
    arity: 2,
    flags: Flags::ADMIN.and(Flags::NOSCRIPT),
    ..Spec::BLANK
};

static HELP: Spec = Spec { since: "8.6.0", ..help_spec(Group::Server) };

/// Keys that are shown where nobody says how many.
const COUNT_DEFAULT: usize = 10;

fn top(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let count = match words.len() {
        2 => COUNT_DEFAULT,
        3 => number::integer(words.at(2))
            .and_then(|count| usize::try_from(count).ok())
            .filter(|count| (1..=HOT_KEYS_MAX).contains(count))
            .ok_or_else(|| CommandError::text(format!("ERR count must be between 1 and {HOT_KEYS_MAX}")))?,
        _ => return Err(CommandError::WrongArity),
    };
    let now = context.data.now;
    let shards = (0..).zip(context.data.keyspaces());
    let shards = shards.map(|(shard, keyspace)| (shard, ShardHotKeys::of(keyspace, count, now)));
    let found = hottest(shards, count);
    context.reply.array(found.len());
    for RankedHotKey { shard, key, calls_per_second, calls_percent } in found {
        let reply = &mut context.reply;
        reply.map(6);
        reply.bulk(b"key");
        reply.bulk(&key.key);
        for (name, value) in [
            ("key-bytes", key.key_bytes as i64),
            ("database", i64::from(key.database)),
            ("shard", i64::from(shard)),
        ] {
            reply.bulk(name.as_bytes());
            reply.integer(value);
        }
        for (name, value) in [("calls-per-second", calls_per_second), ("calls-percent", calls_percent)] {
            reply.bulk(name.as_bytes());
            reply.double(rounded(value));
        }
    }
    Ok(())
}

/// To two digits behind the point: a sample knows no more.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        const COUNT: &str = "(error) ERR count must be between 1 and 128";
        replay(&[
            ("HOTKEYS TOP", "(empty array)"),
            ("HOTKEYS TOP 128", "(empty array)"),
            ("HOTKEYS TOP 0", COUNT),
            ("HOTKEYS TOP 129", COUNT),
            ("HOTKEYS TOP x", COUNT),
            ("HOTKEYS TOP 1 2", "(error) ERR wrong number of arguments for 'hotkeys|top' command"),
            ("HOTKEYS FOO", "(error) ERR unknown subcommand 'FOO'. Try HOTKEYS HELP."),
            ("HOTKEYS HELP", "*"),
        ]);
    }
}
