//! `LATENCY <subcommand>`: what took long, and how long commands take.
//!
//! Events are collected from `latency-monitor-threshold` on: `command` and `fast-command` (calls), `expire-cycle` (a
//! slice of expiry), `eviction-cycle` (making room before a write), `aof-write` and `aof-fsync` (the log's disk, on a thread
//! of its own). Histograms are always there, from the counters of `/metrics`. Here: the replies. Elsewhere: the events
//! (`diagnostics`), and who measures (`mayfly-engine`, `mayfly-server`).

mod doctor;
mod graph;

use crate::argument::Argument;
use crate::context::SessionContext;
use crate::documentation::help_spec;
use crate::error::{CommandError, Outcome, shown};
use crate::host::CommandFacts;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "latency",
    summary: "A container for latency diagnostics commands.",
    since: "2.8.13",
    complexity: "Depends on subcommand.",
    group: Group::Server,
    arity: -2,
    run: Run::Container(&[&DOCTOR, &GRAPH, &HISTOGRAM, &HISTORY, &LATEST, &RESET, &HELP]),
    ..Spec::BLANK
};

static DOCTOR: Spec = Spec {
    name: "doctor",
    summary: "Returns a human-readable latency analysis report.",
    complexity: "O(1)",
    run: Run::Session(|context, _| {
        let report = doctor::report(context.host.diagnostics());
        context.reply.verbatim("txt", report.as_bytes());
        Ok(())
    }),
    ..SUBCOMMAND
};

static GRAPH: Spec = Spec {
    name: "graph",
    summary: "Returns a latency graph for an event.",
    complexity: "O(1)",
    arity: 3,
    arguments: &[Argument::string("event")],
    run: Run::Session(graph),
    ..SUBCOMMAND
};

static HISTOGRAM: Spec = Spec {
    name: "histogram",
    summary: "Returns the cumulative distribution of latencies of a subset or all commands.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of commands with latency information being retrieved.",
    arity: -2,
    arguments: &[Argument::string("command").optional().multiple()],
    run: Run::Session(histogram),
    ..SUBCOMMAND
};

static HISTORY: Spec = Spec {
    name: "history",
    summary: "Returns timestamp-latency samples for an event.",
    complexity: "O(1)",
    arity: 3,
    arguments: &[Argument::string("event")],
    run: Run::Session(history),
    ..SUBCOMMAND
};

static LATEST: Spec = Spec {
    name: "latest",
    summary: "Returns the latest latency samples for all events.",
    complexity: "O(1)",
    run: Run::Session(latest),
    ..SUBCOMMAND
};

static RESET: Spec = Spec {
    name: "reset",
    summary: "Resets the latency data for one or more events.",
    complexity: "O(1)",
    arity: -2,
    arguments: &[Argument::string("event").optional().multiple()],
    run: Run::Session(reset),
    ..SUBCOMMAND
};

const SUBCOMMAND: Spec = Spec {
    since: "2.8.13",
    group: Group::Server,
    arity: 2,
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    ..Spec::BLANK
};

static HELP: Spec = help_spec(Group::Server);

fn graph(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let (name, event) = {
        let events = context.host.diagnostics().latency();
        let found = events.find(words.at(2)).map(|(name, event)| (name, event.clone()));
        found.ok_or_else(|| {
            let name = shown(words.at(2), usize::MAX);
            CommandError::text(format!("ERR No samples available for event '{name}'"))
        })?
    };
    let now_seconds = context.now().0 / 1_000;
    context.reply.verbatim("txt", graph::draw(name, &event, now_seconds).as_bytes());
    Ok(())
}

fn history(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let events = context.host.diagnostics().latency();
    let samples: Vec<_> =
        events.find(words.at(2)).map_or_else(Vec::new, |(_, event)| event.samples().collect());
    drop(events);
    context.reply.array(samples.len());
    for (second, millis) in samples {
        context.reply.array(2);
        context.reply.integer(second);
        context.reply.integer(millis as i64);
    }
    Ok(())
}

fn latest(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    let events = context.host.diagnostics().latency();
    let latest: Vec<_> =
        events.iter().map(|(name, event)| (name, event.latest(), event.highest_ms)).collect();
    drop(events);
    context.reply.array(latest.len());
    for (name, (second, millis), highest) in latest {
        context.reply.array(4);
        context.reply.bulk(name.as_bytes());
        context.reply.integer(second);
        context.reply.integer(millis as i64);
        context.reply.integer(highest as i64);
    }
    Ok(())
}

fn reset(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let mut events = context.host.diagnostics().latency();
    let count = match words.len() {
        2 => events.reset_all(),
        _ => words.from(2).filter(|name| events.reset(name)).count(),
    };
    drop(events);
    context.reply.integer(count as i64);
    Ok(())
}

fn histogram(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let commands = context.host.facts().commands;
    let chosen: Vec<&CommandFacts> = match words.len() {
        2 => commands.iter().collect(),
        _ => words.from(2).flat_map(|name| commands.iter().filter(|facts| is_or_is_in(facts, name))).collect(),
    };
    let reply = &mut context.reply;
    reply.map(chosen.len());
    for facts in chosen {
        let buckets = cumulated(&facts.nanos);
        reply.bulk(facts.name.as_bytes());
        reply.map(2);
        reply.bulk(b"calls");
        reply.integer(facts.calls as i64);
        reply.bulk(b"histogram_usec");
        reply.map(buckets.len());
        for (micros, calls) in buckets {
            reply.integer(micros as i64);
            reply.integer(calls as i64);
        }
    }
    Ok(())
}

/// Whether a command is the one of this name, or a subcommand of it.
fn is_or_is_in(facts: &CommandFacts, name: &[u8]) -> bool {
    let known = facts.name.as_bytes();
    known.eq_ignore_ascii_case(name)
        || (known.get(name.len()) == Some(&b'|') && known[..name.len()].eq_ignore_ascii_case(name))
}

/// Microseconds and how many calls took no longer, where that differs from the bucket before. The microseconds are
/// Redis' numbers: ends of the buckets of a histogram with two exact digits, 1.008 times a power of two.
fn cumulated(nanos: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut buckets: Vec<(u64, u64)> = Vec::new();
    let mut all = 0;
    for (exponent, (calls, _)) in (0_u32..).zip(nanos) {
        all += calls;
        // All up to 2^10 ns are within the first microsecond.
        let exponent = exponent.max(10);
        let micros = ((1_u64 << exponent) + (1 << (exponent - 7)) - 1) / 1_000;
        match buckets.last_mut() {
            Some(last) if last.0 == micros => last.1 = all,
            _ if *calls > 0 => buckets.push((micros, all)),
            _ => {}
        }
    }
    buckets
}

#[cfg(test)]
mod tests {
    use super::cumulated;
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("LATENCY LATEST", "(empty array)"),
            ("LATENCY HISTORY command", "(empty array)"),
            ("LATENCY RESET", "(integer) 0"),
            ("LATENCY RESET command fork", "(integer) 0"),
            ("LATENCY GRAPH command", "(error) ERR No samples available for event 'command'"),
            ("LATENCY HISTOGRAM nothing", "(empty array)"),
            ("LATENCY HISTORY", "(error) ERR wrong number of arguments for 'latency|history' command"),
            ("LATENCY FOO", "(error) ERR unknown subcommand 'FOO'. Try LATENCY HELP."),
            ("LATENCY DOCTOR", "*"),
            ("LATENCY HELP", "*"),
        ]);
    }

    #[test]
    fn the_ends_of_buckets_are_those_of_redis() {
        let one_each = [(1, 0); 25];
        let expected: Vec<(u64, u64)> = [
            1, 2, 4, 8, 16, 33, 66, 132, 264, 528, 1_056, 2_113, 4_227, 8_454, 16_908,
        ]
        .into_iter()
        .zip(11..)
        .collect();
        assert_eq!(cumulated(&one_each), expected);
        let mut few = [(0, 0); 40];
        (few[3], few[9], few[15]) = ((2, 0), (3, 0), (4, 0));
        assert_eq!(cumulated(&few), [(1, 5), (33, 9)]);
        assert_eq!(cumulated(&[]), []);
    }
}
