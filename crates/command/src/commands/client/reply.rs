//! `CLIENT REPLY <ON | OFF | SKIP>`

use crate::argument::Argument;
use crate::client::ReplyMode;
use crate::context::SessionContext;
use crate::error::{CommandError, Outcome};
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::{Words, is};

pub static SPEC: Spec = Spec {
    name: "reply",
    summary: "Tells the server whether to reply to commands.",
    since: "3.2.0",
    group: Group::Connection,
    arity: 3,
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE),
    arguments: &[Argument::one_of(
        "action",
        &[Argument::flag("on", "ON"), Argument::flag("off", "OFF"), Argument::flag("skip", "SKIP")],
    )],
    run: Run::Session(run),
    ..Spec::BLANK
};

/// Only `ON` has a reply of its own.
fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let mode = &mut context.client.reply_mode;
    match words.at(2) {
        word if is(word, "on") => {
            *mode = ReplyMode::On;
            context.reply.ok();
        }
        word if is(word, "off") => *mode = ReplyMode::Off,
        word if is(word, "skip") && *mode == ReplyMode::Off => {}
        word if is(word, "skip") => *mode = ReplyMode::SkipNext,
        _ => return Err(CommandError::Syntax),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        const ARITY: &str = "(error) ERR wrong number of arguments for 'client|reply' command";
        replay(&[
            ("CLIENT REPLY on", "OK"),
            ("CLIENT REPLY maybe", "(error) ERR syntax error"),
            ("CLIENT REPLY", ARITY),
            ("CLIENT REPLY ON ON", ARITY),
        ]);
    }
}
