//! `MEMORY <subcommand>`: what keys and all data take. What is wrong with it is `doctor.rs`, the figures `stats.rs`.

mod doctor;
mod stats;

use crate::argument::Argument;
use crate::context::DataContext;
use crate::documentation::help_spec;
use crate::error::{CommandError, Outcome};
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::{Words, is};

pub static SPEC: Spec = Spec {
    name: "memory",
    summary: "A container for memory diagnostics commands.",
    since: "4.0.0",
    complexity: "Depends on subcommand.",
    group: Group::Server,
    arity: -2,
    run: Run::Container(&[&doctor::SPEC, &MALLOC_STATS, &PURGE, &stats::SPEC, &USAGE, &HELP]),
    ..Spec::BLANK
};

static USAGE: Spec = Spec {
    name: "usage",
    summary: "Returns the bytes that a key and its hash take; they are counted, not sampled.",
    since: "4.0.0",
    complexity: "O(1)",
    group: Group::Server,
    arity: -3,
    flags: Flags::READONLY,
    keys: &[KeySpec::at(2, access::LOOK)],
    arguments: &[Argument::key("key"), Argument::integer("count").after("SAMPLES").optional()],
    run: Run::Keys(usage),
};

static MALLOC_STATS: Spec = Spec {
    name: "malloc-stats",
    summary: "Returns the allocator statistics, of which there are none.",
    run: Run::Session(|context, _| {
        context.reply.verbatim("txt", b"Stats not supported for the current allocator");
        Ok(())
    }),
    ..ABOUT_ALL
};

static PURGE: Spec = Spec {
    name: "purge",
    summary: "Does nothing: the allocator gives memory back by itself.",
    run: Run::Session(|context, _| {
        context.reply.ok();
        Ok(())
    }),
    ..ABOUT_ALL
};

const ABOUT_ALL: Spec = Spec { since: "4.0.0", group: Group::Server, arity: 2, ..Spec::BLANK };

static HELP: Spec = Spec { since: "4.0.0", ..help_spec(Group::Server) };

fn usage(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    check_samples(words)?;
    // Neither a hit nor a miss nor a use, as in Redis: monitoring walks whole keyspaces with this.
    match context.data.open_in(context.data.database, words.at(2)) {
        Some(hash) => context.reply.integer(i64::try_from(hash.bytes()).unwrap_or(i64::MAX)),
        None => context.reply.null(),
    }
    Ok(())
}

/// Reads `SAMPLES count`, which changes nothing here.
fn check_samples(words: Words<'_>) -> Outcome {
    let mut options = words.cursor(3);
    while let Some(option) = options.next() {
        if !is(option, "samples") || options.integer()? < 0 {
            return Err(CommandError::Syntax);
        }
    }
    Ok(())
}

/// What the shards hold.
#[derive(Clone, Default, Debug)]
struct Sizes {
    /// Bytes in use, by shard: what `maxmemory` counts.
    used_bytes: Vec<u64>,
    /// Bytes allocated for that, with the room that is left for the next entries.
    held_bytes: u64,
    /// Keys whose time has not come.
    keys: u64,
    /// Index and timers of each logical database.
    overheads: Vec<Overhead>,
}

/// What finds the keys of a logical database and what finds those that are due.
#[derive(Clone, Copy, Default, Debug)]
struct Overhead {
    keys: u64,
    index_bytes: u64,
    timer_bytes: u64,
}

impl Sizes {
    fn gather(context: &mut DataContext<'_>) -> Self {
        let now = context.data.now;
        let mut sizes = Sizes::default();
        for keyspace in context.data.keyspaces() {
            sizes.used_bytes.push(keyspace.used_bytes() as u64);
            sizes.held_bytes += keyspace.bytes() as u64;
            sizes.overheads.resize(usize::from(keyspace.databases()), Overhead::default());
            for (overhead, index) in sizes.overheads.iter_mut().zip(0..) {
                let database = keyspace.database(index);
                overhead.keys += database.live_len(now) as u64;
                overhead.index_bytes += database.index_bytes() as u64;
                overhead.timer_bytes += database.timer_bytes() as u64;
            }
        }
        sizes.keys = sizes.overheads.iter().map(|overhead| overhead.keys).sum();
        sizes
    }

    fn all_used_bytes(&self) -> u64 {
        self.used_bytes.iter().sum()
    }
}

/// How many times `whole` goes into `part`; 0 where there is no whole.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, replay};

    const SYNTAX: &str = "(error) ERR syntax error";

    #[test]
    fn cases() {
        replay(&[
            ("MEMORY USAGE h", "(nil)"),
            ("MEMORY USAGE h SAMPLES 0", "(nil)"),
            ("HSETEX h f v 1", "(integer) 1"),
            ("WAIT 1000", ""),
            ("MEMORY USAGE h", "(nil)"),
            ("MEMORY USAGE h SAMPLES", SYNTAX),
            ("MEMORY USAGE h SAMPLES -1", SYNTAX),
            ("MEMORY USAGE h FOO", SYNTAX),
            ("MEMORY USAGE h SAMPLES x", "(error) ERR value is not an integer or out of range"),
            ("MEMORY", "(error) ERR wrong number of arguments for 'memory' command"),
            ("MEMORY USAGE", "(error) ERR wrong number of arguments for 'memory|usage' command"),
            ("MEMORY FOO", "(error) ERR unknown subcommand 'FOO'. Try MEMORY HELP."),
        ]);
    }

    #[test]
    fn the_allocator_is_left_alone() {
        replay(&[
            ("MEMORY PURGE", "OK"),
            ("MEMORY MALLOC-STATS", "\"Stats not supported for the current allocator\""),
        ]);
    }

    #[test]
    fn usage_grows_with_the_hash_whatever_the_samples() {
        let mut fixture = Fixture::new();
        let mut before = 0;
        for bytes in [10, 1_000, 50_000] {
            fixture.run(&format!("HSET h f:{bytes} {}", "x".repeat(bytes)));
            let reply = fixture.run("MEMORY USAGE h");
            assert_eq!(fixture.run("MEMORY USAGE h samples 5 SAMPLES 0"), reply);
            let after: usize = reply.strip_prefix("(integer) ").unwrap().parse().unwrap();
            assert!(after >= before + bytes, "{before} + {bytes} > {after}");
            before = after;
        }
        assert_eq!(fixture.lookups(), (0, 0));
    }

    #[test]
    fn help_names_the_subcommands() {
        let help = Fixture::new().run("MEMORY HELP");
        assert!(help.contains("1) MEMORY <subcommand>"), "{help}");
        assert!(help.contains("USAGE key [SAMPLES count]"), "{help}");
    }
}
