//! `SLOWLOG <subcommand>`: there is no log of slow commands, so it is empty; `CONFIG GET` says that it is off.

use crate::argument::Argument;
use crate::context::SessionContext;
use crate::documentation::{help_spec, reply_help};
use crate::error::{CommandError, Outcome};
use crate::number;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "slowlog",
    summary: "A container for slow log commands.",
    since: "2.2.12",
    complexity: "Depends on subcommand.",
    group: Group::Server,
    arity: -2,
    run: Run::Container(&[&GET, &LEN, &RESET, &HELP]),
    ..Spec::BLANK
};

static GET: Spec = Spec {
    name: "get",
    summary: "Returns the slow log's entries: none, as slow commands are not logged.",
    arity: -2,
    arguments: &[Argument::integer("count").optional()],
    run: Run::Session(get),
    ..SUBCOMMAND
};

static LEN: Spec = Spec {
    name: "len",
    summary: "Returns the number of entries in the slow log, which is 0.",
    run: Run::Session(|context, _| {
        context.reply.integer(0);
        Ok(())
    }),
    ..SUBCOMMAND
};

static RESET: Spec = Spec {
    name: "reset",
    summary: "Clears the slow log, which is empty.",
    run: Run::Session(|context, _| {
        context.reply.ok();
        Ok(())
    }),
    ..SUBCOMMAND
};

const SUBCOMMAND: Spec = Spec {
    since: "2.2.12",
    group: Group::Server,
    arity: 2,
    flags: Flags::ADMIN.and(Flags::LOADING).and(Flags::STALE),
    ..Spec::BLANK
};

static HELP: Spec = help_spec(Group::Server, help);

const BAD_COUNT: CommandError = CommandError::fixed("ERR count should be greater than or equal to -1");

fn get(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    match words.len() {
        2 => {}
        3 => _ = number::integer(words.at(2)).filter(|count| *count >= -1).ok_or(BAD_COUNT)?,
        _ => return Err(CommandError::WrongArity),
    }
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
        const COUNT: &str = "(error) ERR count should be greater than or equal to -1";
        replay(&[
            ("SLOWLOG GET", "(empty array)"),
            ("SLOWLOG GET -1", "(empty array)"),
            ("SLOWLOG GET 128", "(empty array)"),
            ("SLOWLOG GET -2", COUNT),
            ("SLOWLOG GET x", COUNT),
            ("SLOWLOG LEN", "(integer) 0"),
            ("SLOWLOG RESET", "OK"),
            ("SLOWLOG HELP", "*"),
        ]);
    }
}
