//! `CLIENT <subcommand>`: a connection about itself and about the others.

mod caching;
mod getname;
mod getredir;
mod id;
mod info;
mod kill;
mod kind;
pub mod line;
mod list;
mod no_evict;
mod no_touch;
mod pause;
mod reply;
mod setinfo;
pub(super) mod setname;
mod tracking;
mod trackinginfo;
mod unblock;
mod unpause;

use crate::argument::Argument;
use crate::documentation::help_spec;
use crate::error::CommandError;
use crate::spec::{Group, Run, Spec};
use crate::words::is;

pub static SPEC: Spec = Spec {
    name: "client",
    summary: "A container for client connection commands.",
    since: "2.4.0",
    complexity: "Depends on subcommand.",
    group: Group::Connection,
    arity: -2,
    run: Run::Container(&[
        &caching::SPEC,
        &getname::SPEC,
        &getredir::SPEC,
        &id::SPEC,
        &info::SPEC,
        &kill::SPEC,
        &list::SPEC,
        &no_evict::SPEC,
        &no_touch::SPEC,
        &pause::SPEC,
        &reply::SPEC,
        &setinfo::SPEC,
        &setname::SPEC,
        &tracking::SPEC,
        &trackinginfo::SPEC,
        &unblock::SPEC,
        &unpause::SPEC,
        &HELP,
    ]),
    ..Spec::BLANK
};

static HELP: Spec = help_spec(Group::Connection);

/// `<ON | OFF>`, as several subcommands take it.
const SWITCH: [Argument; 1] =
    [Argument::one_of("enabled", &[Argument::flag("on", "ON"), Argument::flag("off", "OFF")])];

/// Reads [`SWITCH`].
fn is_on(word: &[u8]) -> Result<bool, CommandError> {
    match word {
        word if is(word, "on") => Ok(true),
        word if is(word, "off") => Ok(false),
        _ => Err(CommandError::Syntax),
    }
}

/// Whether a client may call itself that: `CLIENT LIST` separates by blanks and newlines.
fn is_printable(word: &[u8]) -> bool {
    word.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, replay};

    #[test]
    fn cases() {
        replay(&[
            ("CLIENT", "(error) ERR wrong number of arguments for 'client' command"),
            ("CLIENT FOO", "(error) ERR unknown subcommand 'FOO'. Try CLIENT HELP."),
            (
                "CLIENT MAINT_NOTIFICATIONS",
                "(error) ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.",
            ),
            ("CLIENT HELP x", "(error) ERR wrong number of arguments for 'client|help' command"),
        ]);
    }

    #[test]
    fn help_begins_and_ends_as_in_redis() {
        let help = Fixture::new().run("CLIENT HELP");
        assert!(help.contains("CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\n"), "{help}");
        assert!(help.contains(") SETNAME connection-name\n"), "{help}");
        assert!(help.contains(") NO-EVICT <ON | OFF>\n"), "{help}");
        assert!(help.contains(") HELP\n") && help.ends_with(")     Print this help."), "{help}");
    }
}
