//! `COMMAND DOCS [command-name [command-name ...]]`

use super::asked_for;
use crate::argument::Argument;
use crate::context::SessionContext;
use crate::documentation::reply_docs;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "docs",
    summary: "Returns documentary information about one, multiple or all commands.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of commands to look up",
    group: Group::Server,
    arity: -2,
    flags: Flags::LOADING.and(Flags::STALE),
    arguments: &[Argument::string("command-name").optional().multiple()],
    run: Run::Session(run),
    ..Spec::BLANK
};

/// Names that are none are left out.
fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let commands: Vec<_> = asked_for(words).into_iter().flatten().collect();
    context.reply.map(commands.len());
    for command in commands {
        reply_docs(&mut context.reply, command);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, replay};

    #[test]
    fn cases() {
        replay(&[
            ("COMMAND DOCS nothing", "(empty array)"),
            (
                "COMMAND DOCS nothing ECHO",
                "1) \"echo\"\n2)  1) \"summary\"\n    2) \"Returns the given string.\"\n    3) \"since\"\n    \
                 4) \"1.0.0\"\n    5) \"group\"\n    6) \"connection\"\n    7) \"complexity\"\n    8) \"O(1)\"\n    \
                 9) \"arguments\"\n   10) 1) 1) \"name\"\n          2) \"message\"\n          3) \"type\"\n          \
                 4) \"string\"\n          5) \"display_text\"\n          6) \"message\"",
            ),
            ("HELLO 3", "*"),
            ("COMMAND DOCS nothing", "(empty hash)"),
            (
                "COMMAND DOCS hset",
                "1# \"hset\" => \n   1# \"summary\" => \"Sets fields of a hash; its TTL stays.\"\n   \
                 2# \"since\" => \"2.0.0\"\n   3# \"group\" => \"hash\"\n   \
                 4# \"complexity\" => \"O(N) where N is the number of fields to set.\"\n   5# \"arguments\" => \n      \
                 1) 1# \"name\" => \"key\"\n         2# \"type\" => \"key\"\n         3# \"display_text\" => \"key\"\n         \
                 4# \"key_spec_index\" => (integer) 0\n      2) 1# \"name\" => \"data\"\n         \
                 2# \"type\" => \"block\"\n         3# \"flags\" => 1~ multiple\n         4# \"arguments\" => \n            \
                 1) 1# \"name\" => \"field\"\n               2# \"type\" => \"string\"\n               \
                 3# \"display_text\" => \"field\"\n            2) 1# \"name\" => \"value\"\n               \
                 2# \"type\" => \"string\"\n               3# \"display_text\" => \"value\"",
            ),
        ]);
    }

    #[test]
    fn all_commands_and_their_subcommands_are_documented() {
        let mut fixture = Fixture::new();
        let docs = fixture.run("COMMAND DOCS");
        for command in crate::table::Table::get().all() {
            assert!(docs.contains(&format!("\"{}\"", command.full_name())), "{}", command.full_name());
        }
        fixture.run("HELLO 3");
        fixture.run("COMMAND DOCS");
    }
}
