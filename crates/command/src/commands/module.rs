//! `MODULE LIST`: there are none.

use crate::context::SessionContext;
use crate::documentation::help_spec;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "module",
    summary: "A container for module commands.",
    since: "4.0.0",
    complexity: "Depends on subcommand.",
    group: Group::Server,
    arity: -2,
    run: Run::Container(&[&LIST, &HELP]),
    ..Spec::BLANK
};

static LIST: Spec = Spec {
    name: "list",
    summary: "Returns the loaded modules: none.",
    since: "4.0.0",
    group: Group::Server,
    arity: 2,
    flags: Flags::ADMIN.and(Flags::NOSCRIPT),
    run: Run::Session(list),
    ..Spec::BLANK
};

static HELP: Spec = help_spec(Group::Server);

fn list(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    context.reply.array(0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("MODULE LIST", "(empty array)"),
            ("MODULE HELP", "*"),
            ("MODULE", "(error) ERR wrong number of arguments for 'module' command"),
            ("MODULE LOAD x", "(error) ERR unknown subcommand 'LOAD'. Try MODULE HELP."),
        ]);
    }
}
