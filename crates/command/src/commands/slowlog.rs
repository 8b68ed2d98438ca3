//! `SLOWLOG <subcommand>`: the latest calls that took long, newest first.
//!
//! A call is measured from its look-up to its reply, with what it evicts; waiting in queues and for the disk is not in
//! it. What is logged is in `diagnostics`.

use crate::argument::Argument;
use crate::context::SessionContext;
use crate::diagnostics::SlowCall;
use crate::documentation::help_spec;
use crate::error::{CommandError, Outcome, QUOTED_BYTES_MAX, shown};
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
    summary: "Returns the slow log's entries, newest first: 10, or count, or with -1 all.",
    complexity: "O(N) where N is the number of entries returned",
    arity: -2,
    arguments: &[Argument::integer("count").optional()],
    run: Run::Session(get),
    ..SUBCOMMAND
};

static LEN: Spec = Spec {
    name: "len",
    summary: "Returns the number of entries in the slow log.",
    complexity: "O(1)",
    run: Run::Session(|context, _| {
        let length = context.host.diagnostics().slow_log().iter().len();
        context.reply.integer(length as i64);
        Ok(())
    }),
    ..SUBCOMMAND
};

static RESET: Spec = Spec {
    name: "reset",
    summary: "Clears all entries from the slow log.",
    complexity: "O(N) where N is the number of entries in the slowlog",
    run: Run::Session(|context, _| {
        context.host.diagnostics().slow_log().clear();
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

static HELP: Spec = help_spec(Group::Server);

/// Entries that `GET` answers unless it is told how many, as in Redis.
const COUNT: usize = 10;
const BAD_COUNT: CommandError = CommandError::fixed("ERR count should be greater than or equal to -1");

fn get(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let count = match words.len() {
        2 => COUNT,
        3 => match number::integer(words.at(2)).filter(|count| *count >= -1).ok_or(BAD_COUNT)? {
            -1 => usize::MAX,
            count => count as usize,
        },
        _ => {
            let name = shown(words.at(1), QUOTED_BYTES_MAX);
            return Err(CommandError::text(format!(
                "ERR unknown subcommand or wrong number of arguments for '{name}'. Try SLOWLOG HELP."
            )));
        }
    };
    // Copied, so that whoever has something to log need not wait until it is written.
    let calls: Vec<SlowCall> = context.host.diagnostics().slow_log().iter().take(count).cloned().collect();
    let reply = &mut context.reply;
    reply.array(calls.len());
    for call in calls {
        reply.array(6);
        reply.integer(call.id as i64);
        reply.integer(call.unix_seconds);
        reply.integer(call.micros as i64);
        reply.array(call.words.len());
        call.words.iter().for_each(|word| reply.bulk(word));
        reply.bulk(call.address.as_bytes());
        reply.bulk(&call.name);
    }
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
            (
                "SLOWLOG GET 1 2",
                "(error) ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP.",
            ),
            ("SLOWLOG LEN", "(integer) 0"),
            ("SLOWLOG RESET", "OK"),
            ("SLOWLOG HELP", "*"),
        ]);
    }
}
