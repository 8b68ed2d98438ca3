//! `CLIENT UNBLOCK client-id [TIMEOUT | ERROR]`

use crate::argument::Argument;
use crate::context::SessionContext;
use crate::error::{CommandError, Outcome, shown};
use crate::number;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::{Words, is};

pub static SPEC: Spec = Spec {
    name: "unblock",
    summary: "Unblocks a client that waits in a blocking command, of which there are none.",
    since: "5.0.0",
    group: Group::Connection,
    arity: -3,
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    arguments: &[
        Argument::integer("client-id"),
        Argument::one_of(
            "unblock-type",
            &[Argument::flag("timeout", "TIMEOUT"), Argument::flag("error", "ERROR")],
        )
        .optional(),
    ],
    run: Run::Session(run),
    ..Spec::BLANK
};

const BAD_REASON: CommandError =
    CommandError::fixed("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");

/// No command blocks, so nobody is ever unblocked.
fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    match words.get(3) {
        Some(_) if words.len() > 4 => {
            return Err(CommandError::text(format!(
                "ERR unknown subcommand or wrong number of arguments for '{}'. Try CLIENT HELP.",
                shown(words.at(1), 128)
            )));
        }
        Some(reason) if !is(reason, "timeout") && !is(reason, "error") => return Err(BAD_REASON),
        _ => {}
    }
    number::integer(words.at(2)).ok_or(CommandError::NotAnInteger)?;
    context.reply.integer(0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("CLIENT UNBLOCK 7", "(integer) 0"),
            ("CLIENT UNBLOCK 7 error", "(integer) 0"),
            ("CLIENT UNBLOCK 7 foo", "(error) ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"),
            (
                "CLIENT UNBLOCK 7 error x",
                "(error) ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP.",
            ),
            ("CLIENT UNBLOCK x", "(error) ERR value is not an integer or out of range"),
            ("CLIENT UNBLOCK", "(error) ERR wrong number of arguments for 'client|unblock' command"),
        ]);
    }
}
