//! `CLIENT UNPAUSE`

use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "unpause",
    summary: "Ends what CLIENT PAUSE has begun.",
    since: "6.2.0",
    complexity: "O(N) where N is the number of held clients.",
    group: Group::Connection,
    arity: 2,
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    run: Run::Session(run),
    ..Spec::BLANK
};

fn run(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    context.host.unpause();
    context.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("CLIENT UNPAUSE", "OK"),
            ("CLIENT UNPAUSE x", "(error) ERR wrong number of arguments for 'client|unpause' command"),
        ]);
    }
}
