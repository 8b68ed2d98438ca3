//! `DEBUG`: is refused, as Redis does unless its config allows it. Nothing in the config allows it here.

use crate::context::SessionContext;
use crate::error::{CommandError, Outcome};
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "debug",
    summary: "Is refused: there is nothing to debug by commands.",
    group: Group::Server,
    arity: -2,
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    run: Run::Session(run),
    ..Spec::BLANK
};

/// Redis' text: test suites look for it.
const NOT_ALLOWED: CommandError = CommandError::fixed(
    "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a \
     local connection, otherwise you need to set this option in the configuration file, and then restart the server.",
);

fn run(_: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    Err(NOT_ALLOWED)
}

#[cfg(test)]
mod tests {
    use crate::testing::Fixture;

    #[test]
    fn it_is_refused_whatever_is_asked() {
        for line in ["DEBUG SLEEP 1", "DEBUG HELP", "DEBUG JMAP"] {
            assert!(Fixture::new().run(line).starts_with("(error) ERR DEBUG command not allowed. "), "{line}");
        }
    }
}
