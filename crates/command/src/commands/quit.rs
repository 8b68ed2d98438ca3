//! `QUIT`

use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "quit",
    summary: "Closes the connection.",
    group: Group::Connection,
    arity: -1,
    flags: Flags::NOSCRIPT
        .and(Flags::LOADING)
        .and(Flags::STALE)
        .and(Flags::FAST)
        .and(Flags::NO_AUTH)
        .and(Flags::ALLOW_BUSY),
    run: Run::Session(run),
    ..Spec::BLANK
};

fn run(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    context.reply.ok();
    context.client.closing = true;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Fixture;

    #[test]
    fn answers_then_closes() {
        for line in ["QUIT", "quit now"] {
            let mut fixture = Fixture::new();
            fixture.client.authenticated = false;
            assert_eq!(fixture.run(line), "OK");
            assert!(fixture.client.closing);
        }
    }
}
