//! `CLIENT SETNAME connection-name`

use super::is_printable;
use crate::argument::Argument;
use crate::context::SessionContext;
use crate::error::{CommandError, Outcome};
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "setname",
    summary: "Sets the connection name.",
    since: "2.6.9",
    group: Group::Connection,
    arity: 3,
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE),
    arguments: &[Argument::string("connection-name")],
    run: Run::Session(run),
    ..Spec::BLANK
};

const BAD_NAME: CommandError =
    CommandError::fixed("ERR Client names cannot contain spaces, newlines or special characters.");

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let name = checked(words.at(2))?;
    context.client.card.names().name = name.to_vec();
    context.reply.ok();
    Ok(())
}

/// The name, if a client may bear it. An empty one takes the name away.
pub(in crate::commands) fn checked(name: &[u8]) -> Result<&[u8], CommandError> {
    if is_printable(name) { Ok(name) } else { Err(BAD_NAME) }
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        const BAD: &str = "(error) ERR Client names cannot contain spaces, newlines or special characters.";
        replay(&[
            ("CLIENT SETNAME jo", "OK"),
            ("CLIENT SETNAME \"a b\"", BAD),
            ("CLIENT SETNAME \"a\\nb\"", BAD),
            ("CLIENT SETNAME \"\\xc3\\xa9\"", BAD),
            ("CLIENT GETNAME", "\"jo\""),
            ("CLIENT SETNAME \"\"", "OK"),
            ("CLIENT GETNAME", "(nil)"),
            ("CLIENT SETNAME", "(error) ERR wrong number of arguments for 'client|setname' command"),
            ("CLIENT SETNAME a b", "(error) ERR wrong number of arguments for 'client|setname' command"),
        ]);
    }
}
