//! `COMMAND DOCS`, `COMMAND INFO` and the `HELP` of containers, rendered from specs.

use mayfly_resp::ReplyWriter;

use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

/// The spec of a container's `HELP`; its function calls [`reply_help`].
pub(crate) const fn help_spec(group: Group, run: fn(&mut SessionContext<'_>, Words<'_>) -> Outcome) -> Spec {
    Spec {
        name: "help",
        summary: "Returns helpful text about the different subcommands.",
        since: "5.0.0",
        group,
        arity: 2,
        flags: Flags::LOADING.and(Flags::STALE),
        run: Run::Session(run),
        ..Spec::BLANK
    }
}

/// Answers `HELP` of a container.
pub(crate) fn reply_help(reply: &mut ReplyWriter<'_>, container: &Spec) {
    let lines = help(container.name, container.subcommands());
    reply.array(lines.len());
    for line in lines {
        reply.simple(&line);
    }
}

/// The lines of `HELP`: a title, then a syntax line and an indented summary for each subcommand, `HELP` last.
pub(crate) fn help(container: &str, subcommands: &[&Spec]) -> Vec<String> {
    let container = container.to_ascii_uppercase();
    let title = format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    let mut lines = vec![title];
    for spec in subcommands.iter().filter(|spec| spec.name != "help") {
        lines.push(spec.syntax());
        lines.push(format!("    {}", spec.summary));
    }
    lines.extend(["HELP".to_owned(), "    Print this help.".to_owned()]);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::argument::Argument;

    #[test]
    fn help_lists_every_subcommand_and_itself_last() {
        static SET_NAME: Spec = Spec {
            name: "setname",
            summary: "Sets the connection name.",
            arguments: &[Argument::string("connection-name")],
            ..Spec::BLANK
        };
        static HELP: Spec = help_spec(Group::Connection, |_, _| Ok(()));
        assert_eq!(
            help("client", &[&HELP, &SET_NAME]),
            [
                "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
                "SETNAME connection-name",
                "    Sets the connection name.",
                "HELP",
                "    Print this help.",
            ]
        );
    }
}
