//! `MEMORY USAGE key [SAMPLES count]`, `MEMORY HELP`

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
    run: Run::Container(&[&USAGE, &HELP]),
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

static HELP: Spec = Spec { since: "4.0.0", ..help_spec(Group::Server, help) };

fn usage(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    check_samples(words)?;
    // Neither a hit nor a miss, as in Redis: monitoring walks whole keyspaces with this.
    match context.data.open(words.at(2)) {
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
        assert!(help.starts_with("1) MEMORY <subcommand>"), "{help}");
        assert!(help.contains("USAGE key [SAMPLES count]"), "{help}");
    }
}
