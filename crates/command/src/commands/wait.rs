//! `WAIT numreplicas timeout`: there are no replicas to wait for.

use crate::argument::Argument;
use crate::context::SessionContext;
use crate::error::{CommandError, Outcome};
use crate::number;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "wait",
    summary: "Returns at once how many replicas have what was written before: 0, as there are none.",
    since: "3.0.0",
    group: Group::Generic,
    arity: 3,
    flags: Flags::BLOCKING,
    arguments: &[Argument::integer("numreplicas"), Argument::integer("timeout")],
    run: Run::Session(run),
    ..Spec::BLANK
};

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    number::integer(words.at(1)).ok_or(CommandError::NotAnInteger)?;
    match number::integer(words.at(2)) {
        None => Err(CommandError::fixed("ERR timeout is not an integer or out of range")),
        Some(timeout) if timeout < 0 => Err(CommandError::fixed("ERR timeout is negative")),
        Some(_) => {
            context.reply.integer(0);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Fixture;

    #[test]
    fn cases() {
        // In a replay it would advance the clock.
        for (line, expected) in [
            ("WAIT 0 0", "(integer) 0"),
            ("WAIT 2 100", "(integer) 0"),
            ("WAIT x 0", "(error) ERR value is not an integer or out of range"),
            ("WAIT 0 x", "(error) ERR timeout is not an integer or out of range"),
            ("WAIT 0 -1", "(error) ERR timeout is negative"),
        ] {
            assert_eq!(Fixture::new().run(line), expected, "{line}");
        }
    }
}
