//! `CLIENT NO-TOUCH <ON | OFF>`

use std::sync::atomic::Ordering::Relaxed;

use super::{SWITCH, is_on};
use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "no-touch",
    summary: "Keeps what the connection does from counting as a use of the keys, except by TOUCH.",
    since: "7.2.0",
    group: Group::Connection,
    arity: 3,
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE),
    arguments: &SWITCH,
    run: Run::Session(run),
    ..Spec::BLANK
};

/// The session marks every call by it.
fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    context.client.card.no_touch.store(is_on(words.at(2))?, Relaxed);
    context.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Fixture;

    #[test]
    fn cases() {
        let mut fixture = Fixture::new();
        fixture.replay(&[
            ("CLIENT NO-TOUCH on", "OK"),
            ("CLIENT NO-TOUCH x", "(error) ERR syntax error"),
            ("CLIENT NO-TOUCH", "(error) ERR wrong number of arguments for 'client|no-touch' command"),
        ]);
        assert!(fixture.run("CLIENT INFO").contains(" flags=T "));
        fixture.run("CLIENT NO-TOUCH OFF");
        assert!(fixture.run("CLIENT INFO").contains(" flags=N "));
    }
}
