//! `MEMORY <subcommand>`: what keys and all data take.

use crate::argument::Argument;
use crate::context::{DataContext, SessionContext};
use crate::documentation::{help_spec, reply_help};
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
    run: Run::Container(&[&DOCTOR, &MALLOC_STATS, &PURGE, &STATS, &USAGE, &HELP]),
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

static DOCTOR: Spec = Spec {
    name: "doctor",
    summary: "Outputs a memory problems report: what the allocator holds beyond the data.",
    run: Run::AllShards(doctor),
    ..ABOUT_ALL
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

static STATS: Spec = Spec {
    name: "stats",
    summary: "Returns details about memory usage.",
    complexity: "O(N) where N is the number of shards and databases",
    run: Run::AllShards(stats),
    ..ABOUT_ALL
};

const ABOUT_ALL: Spec = Spec { since: "4.0.0", group: Group::Server, arity: 2, ..Spec::BLANK };

static HELP: Spec = Spec { since: "4.0.0", ..help_spec(Group::Server, help) };

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

/// Memory that is not worth a look, as in Redis.
const LITTLE_BYTES: u64 = 5 << 20;

fn doctor(context: &mut DataContext<'_>, _: Words<'_>) -> Outcome {
    let (used, resident) = (used_bytes(context), context.host.facts().resident_bytes);
    let text = if used < LITTLE_BYTES {
        "There is very little data: nothing can be said about its memory.\n".to_owned()
    } else if resident > used.saturating_mul(2) {
        format!(
            "The process holds {resident} bytes for {used} bytes of data: either much was removed lately, or \
             connections hold much. INFO memory and CLIENT LIST tell more.\n"
        )
    } else {
        "No memory issue was found.\n".to_owned()
    };
    context.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// Redis' names; what Mayfly does not have is left out or zero.
fn stats(context: &mut DataContext<'_>, _: Words<'_>) -> Outcome {
    let (used, now) = (used_bytes(context), context.data.now);
    let facts = context.host.facts();
    let keys = context.data.keyspaces().map(|keyspace| {
        (0..keyspace.databases()).map(|index| keyspace.database(index).live_len(now) as u64).sum::<u64>()
    });
    let keys: u64 = keys.sum();
    let peak = facts.resident_bytes_max.max(used);
    let percentage = |part: u64, whole: u64| if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 };
    let integers = [
        ("peak.allocated", peak),
        ("total.allocated", used),
        ("startup.allocated", 0),
        ("replication.backlog", 0),
        ("clients.slaves", 0),
        ("clients.normal", facts.client_bytes),
        ("cluster.links", 0),
        ("aof.buffer", 0),
        ("lua.caches", 0),
        ("functions.caches", 0),
        ("overhead.total", 0),
        ("keys.count", keys),
        ("keys.bytes-per-key", used.checked_div(keys).unwrap_or(0)),
        ("dataset.bytes", used),
        ("fragmentation.bytes", facts.resident_bytes.saturating_sub(used)),
    ];
    let doubles = [
        ("dataset.percentage", percentage(used, used)),
        ("peak.percentage", percentage(used, peak)),
        ("fragmentation", percentage(facts.resident_bytes, used) / 100.0),
    ];
    context.reply.map(integers.len() + doubles.len());
    for (name, value) in integers {
        context.reply.bulk(name.as_bytes());
        context.reply.integer(i64::try_from(value).unwrap_or(i64::MAX));
    }
    for (name, value) in doubles {
        context.reply.bulk(name.as_bytes());
        context.reply.double(value);
    }
    Ok(())
}

/// What all shards account for.
fn used_bytes(context: &mut DataContext<'_>) -> u64 {
    context.data.keyspaces().map(|keyspace| keyspace.used_bytes() as u64).sum()
}

fn help(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    reply_help(&mut context.reply, &SPEC);
    Ok(())
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
    fn all_data_is_accounted_for() {
        let mut fixture = Fixture::with_shards(4);
        fixture.replay(&[
            ("HSET a f v", "(integer) 1"),
            ("HSETEX b f v 1", "(integer) 1"),
            ("WAIT 1000", ""),
            ("MEMORY PURGE", "OK"),
            ("MEMORY DOCTOR", "\"There is very little data: nothing can be said about its memory.\\n\""),
            ("MEMORY MALLOC-STATS", "\"Stats not supported for the current allocator\""),
            ("MEMORY STATS now", "(error) ERR wrong number of arguments for 'memory|stats' command"),
        ]);
        let stats = fixture.run("MEMORY STATS");
        assert!(stats.contains("\"keys.count\"\n24) (integer) 1\n"), "{stats}");
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
