//! `CONFIG <subcommand>`: the settings by their Redis names.

mod get;
mod resetstat;
mod rewrite;
mod set;

use crate::documentation::help_spec;
use crate::spec::{Group, Run, Spec};

pub static SPEC: Spec = Spec {
    name: "config",
    summary: "A container for server configuration commands.",
    since: "2.0.0",
    complexity: "Depends on subcommand.",
    group: Group::Server,
    arity: -2,
    run: Run::Container(&[&get::SPEC, &resetstat::SPEC, &rewrite::SPEC, &set::SPEC, &HELP]),
    ..Spec::BLANK
};

static HELP: Spec = help_spec(Group::Server);

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
                "\x201) CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\n\x202) GET parameter [parameter ...]\n\
                 \x203)     Returns the effective values of configuration parameters.\n\x204) RESETSTAT\n\
                 \x205)     Counts anew from here on what INFO counts.\n\x206) REWRITE\n\
                 \x207)     Writes what CONFIG SET has set into the config file, which stays as it is otherwise.\n\
                 \x208) SET parameter value [parameter value ...]\n\
                 \x209)     Sets configuration parameters while the server runs, all of them or none.\n10) HELP\n\
                 11)     Print this help.",
            ),
        ]);
    }
}
