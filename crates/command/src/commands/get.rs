//! `GET key`
//!
//! There are no strings here. Some clients send `GET` when they connect, to see whether the server answers.

use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::{CommandError, Outcome};
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "get",
    summary: "Returns nil for a missing key and refuses a hash: for clients that probe with it.",
    since: "1.0.0",
    complexity: "O(1)",
    group: Group::Generic,
    arity: 2,
    flags: Flags::READONLY.and(Flags::FAST),
    keys: &[KeySpec::at(1, access::READ)],
    arguments: &[Argument::key("key")],
    run: Run::Keys(run),
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    if context.data.read(words.at(1)).is_some() {
        return Err(CommandError::WrongType);
    }
    context.reply.null();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("GET h", "(nil)"),
            ("HSETEX h f v 1", "(integer) 1"),
            ("GET h", "(error) WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("WAIT 1000", ""),
            ("GET h", "(nil)"),
            ("GET", "(error) ERR wrong number of arguments for 'get' command"),
            ("GET h h", "(error) ERR wrong number of arguments for 'get' command"),
        ]);
    }
}
