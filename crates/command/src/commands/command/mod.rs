//! `COMMAND [<subcommand>]`: the commands about themselves. Alone it is `COMMAND INFO` of all of them.

mod count;
mod docs;
mod getkeys;
mod getkeysandflags;
mod info;
mod list;

use crate::documentation::help_spec;
use crate::spec::{Flags, Group, Run, Spec};
use crate::table::{Command, Table};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "command",
    summary: "Returns detailed information about all commands.",
    since: "2.8.13",
    complexity: "O(N) where N is the total number of commands",
    group: Group::Server,
    arity: -1,
    flags: Flags::LOADING.and(Flags::STALE),
    run: Run::Container(&[
        &count::SPEC,
        &docs::SPEC,
        &getkeys::SPEC,
        &getkeysandflags::SPEC,
        &info::SPEC,
        &list::SPEC,
        &HELP,
    ]),
    ..Spec::BLANK
};

static HELP: Spec = help_spec(Group::Server);

/// What `COMMAND INFO` and `COMMAND DOCS` are asked for: the commands named from position 2 on, `None` for a name
/// that is none; without names all commands.
fn asked_for(words: Words<'_>) -> Vec<Option<&'static Command>> {
    let table = Table::get();
    match words.len() {
        0..=2 => table.commands().map(Some).collect(),
        _ => words.from(2).map(|name| table.find_full(name)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, replay};

    #[test]
    fn cases() {
        replay(&[
            ("COMMAND FOO", "(error) ERR unknown subcommand 'FOO'. Try COMMAND HELP."),
            ("COMMAND HELP x", "(error) ERR wrong number of arguments for 'command|help' command"),
            ("COMMAND HELP", "*"),
        ]);
    }

    #[test]
    fn alone_it_is_info_of_all() {
        let mut fixture = Fixture::new();
        let alone = fixture.run_raw("COMMAND");
        assert_eq!(alone, fixture.run_raw("COMMAND INFO"));
        let count = crate::table::Table::get().commands().count();
        assert!(alone.starts_with(format!("*{count}\r\n").as_bytes()));
    }
}
