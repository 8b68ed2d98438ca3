//! `LATENCY <subcommand>`: events of latency are not collected, so there are none; `CONFIG GET` says that it is off.
//! How long commands take is in `INFO latencystats` and in `/metrics`.

use crate::argument::Argument;
use crate::context::SessionContext;
use crate::documentation::{help_spec, reply_help};
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "latency",
    summary: "A container for latency diagnostics commands.",
    since: "2.8.13",
    complexity: "Depends on subcommand.",
    group: Group::Server,
    arity: -2,
    run: Run::Container(&[&DOCTOR, &HISTORY, &LATEST, &RESET, &HELP]),
    ..Spec::BLANK
};

static DOCTOR: Spec = Spec {
    name: "doctor",
    summary: "Says that events of latency are not collected.",
    run: Run::Session(|context, _| {
        let text = "Events of latency are not collected here. See INFO latencystats for how long commands take, and \
                    the metrics of the shards for how long each was busy.\n";
        context.reply.verbatim("txt", text.as_bytes());
        Ok(())
    }),
    ..SUBCOMMAND
};

static HISTORY: Spec = Spec {
    name: "history",
    summary: "Returns the samples of a latency event: none are collected.",
    arity: 3,
    arguments: &[Argument::string("event")],
    run: Run::Session(nothing),
    ..SUBCOMMAND
};

static LATEST: Spec = Spec {
    name: "latest",
    summary: "Returns the latest samples of all latency events: none are collected.",
    run: Run::Session(nothing),
    ..SUBCOMMAND
};

static RESET: Spec = Spec {
    name: "reset",
    summary: "Resets the samples of latency events and returns of how many, which is 0.",
    arity: -2,
    arguments: &[Argument::string("event").optional().multiple()],
    run: Run::Session(|context, _| {
        context.reply.integer(0);
        Ok(())
    }),
    ..SUBCOMMAND
};

const SUBCOMMAND: Spec = Spec {
    since: "2.8.13",
    group: Group::Server,
    arity: 2,
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    ..Spec::BLANK
};

static HELP: Spec = help_spec(Group::Server, help);

fn nothing(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    context.reply.array(0);
    Ok(())
}

fn help(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    reply_help(&mut context.reply, &SPEC);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("LATENCY LATEST", "(empty array)"),
            ("LATENCY HISTORY command", "(empty array)"),
            ("LATENCY RESET", "(integer) 0"),
            ("LATENCY RESET command fork", "(integer) 0"),
            ("LATENCY HISTORY", "(error) ERR wrong number of arguments for 'latency|history' command"),
            ("LATENCY FOO", "(error) ERR unknown subcommand 'FOO'. Try LATENCY HELP."),
            ("LATENCY DOCTOR", "*"),
            ("LATENCY HELP", "*"),
        ]);
    }
}
