//! `ECHO message`

use crate::argument::Argument;
use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "echo",
    summary: "Returns the given string.",
    group: Group::Connection,
    arity: 2,
    flags: Flags::FAST.and(Flags::LOADING).and(Flags::STALE),
    arguments: &[Argument::string("message")],
    run: Run::Session(run),
    ..Spec::BLANK
};

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    context.reply.bulk(words.at(1));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("ECHO hello", "\"hello\""),
            ("ECHO \"\"", "\"\""),
            ("ECHO \"\\x00\\xff\"", "\"\\x00\\xff\""),
            ("ECHO", "(error) ERR wrong number of arguments for 'echo' command"),
            ("ECHO a b", "(error) ERR wrong number of arguments for 'echo' command"),
        ]);
    }
}
