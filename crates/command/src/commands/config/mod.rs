//! `CONFIG <subcommand>`: the settings by their Redis names.

mod get;
mod resetstat;
mod set;

use crate::context::SessionContext;
use crate::documentation::{help_spec, reply_help};
use crate::error::Outcome;
use crate::spec::{Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "config",
    summary: "A container for server configuration commands.",
    since: "2.0.0",
    complexity: "Depends on subcommand.",
    group: Group::Server,
    arity: -2,
    run: Run::Container(&[&get::SPEC, &resetstat::SPEC, &set::SPEC, &HELP]),
    ..Spec::BLANK
};

static HELP: Spec = help_spec(Group::Server, help);

fn help(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    reply_help(&mut context.reply, &SPEC);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("CONFIG", "(error) ERR wrong number of arguments for 'config' command"),
            ("CONFIG FOO", "(error) ERR unknown subcommand 'FOO'. Try CONFIG HELP."),
            (
                "CONFIG HELP",
                "1) CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\n2) GET parameter [parameter ...]\n\
                 3)     Returns the effective values of configuration parameters.\n4) RESETSTAT\n\
                 5)     Counts anew from here on what INFO counts.\n6) SET parameter value [parameter value ...]\n\
                 7)     Sets configuration parameters while the server runs, all of them or none.\n8) HELP\n\
                 9)     Print this help.",
            ),
        ]);
    }
}
