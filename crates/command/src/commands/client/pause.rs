//! `CLIENT PAUSE timeout [WRITE | ALL]`

use mayfly_store::UnixMillis;

use crate::argument::Argument;
use crate::context::SessionContext;
use crate::error::{CommandError, Outcome, shown};
use crate::host::Pause;
use crate::number;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::{Words, is};

pub static SPEC: Spec = Spec {
    name: "pause",
    summary: "Holds the requests of all clients, or those that write, for some milliseconds.",
    since: "2.9.50",
    group: Group::Connection,
    arity: -3,
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    arguments: &[
        Argument::integer("timeout"),
        Argument::one_of("mode", &[Argument::flag("write", "WRITE"), Argument::flag("all", "ALL")])
            .optional(),
    ],
    run: Run::Session(run),
    ..Spec::BLANK
};

const NOT_A_TIMEOUT: CommandError = CommandError::fixed("ERR timeout is not an integer or out of range");
const NEGATIVE: CommandError = CommandError::fixed("ERR timeout is negative");
const OUT_OF_RANGE: CommandError = CommandError::fixed("ERR timeout is out of range");
const BAD_MODE: CommandError = CommandError::fixed("ERR CLIENT PAUSE mode must be WRITE or ALL");

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let what = match words.get(3) {
        Some(_) if words.len() > 4 => {
            return Err(CommandError::text(format!(
                "ERR unknown subcommand or wrong number of arguments for '{}'. Try CLIENT HELP.",
                shown(words.at(1), 128)
            )));
        }
        None => Pause::All,
        Some(mode) if is(mode, "all") => Pause::All,
        Some(mode) if is(mode, "write") => Pause::Writes,
        Some(_) => return Err(BAD_MODE),
    };
    let timeout = number::integer(words.at(2)).ok_or(NOT_A_TIMEOUT)?;
    if timeout < 0 {
        return Err(NEGATIVE);
    }
    let until = (context.now_micros / 1_000).checked_add(timeout).ok_or(OUT_OF_RANGE)?;
    context.host.pause(UnixMillis(until), what);
    context.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("CLIENT PAUSE 0", "OK"),
            ("CLIENT PAUSE 0 write", "OK"),
            ("CLIENT PAUSE 0 ALL", "OK"),
            ("CLIENT PAUSE", "(error) ERR wrong number of arguments for 'client|pause' command"),
            ("CLIENT PAUSE x", "(error) ERR timeout is not an integer or out of range"),
            ("CLIENT PAUSE 1.5", "(error) ERR timeout is not an integer or out of range"),
            ("CLIENT PAUSE -1", "(error) ERR timeout is negative"),
            ("CLIENT PAUSE 9223372036854775807", "(error) ERR timeout is out of range"),
            ("CLIENT PAUSE 10 foo", "(error) ERR CLIENT PAUSE mode must be WRITE or ALL"),
            (
                "CLIENT PAUSE 10 ALL x",
                "(error) ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP.",
            ),
        ]);
    }
}
