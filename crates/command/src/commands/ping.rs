//! `PING [message]`

use crate::argument::Argument;
use crate::context::SessionContext;
use crate::error::{CommandError, Outcome};
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "ping",
    summary: "Answers PONG, or the message.",
    group: Group::Connection,
    arity: -1,
    flags: Flags::FAST,
    arguments: &[Argument::string("message").optional()],
    run: Run::Session(run),
    ..Spec::BLANK
};

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    if words.len() > 2 {
        return Err(CommandError::WrongArity);
    }
    match words.get(1) {
        Some(message) => context.reply.bulk(message),
        None => context.reply.simple("PONG"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("PING", "PONG"),
            ("PING hello", "\"hello\""),
            ("PING a b", "(error) ERR wrong number of arguments for 'ping' command"),
        ]);
    }
}
