//! `CLIENT NO-EVICT <ON | OFF>`

use std::sync::atomic::Ordering::Relaxed;

use super::{SWITCH, is_on};
use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "no-evict",
    summary: "Takes the connection out of eviction, or puts it back.",
    since: "7.0.0",
    group: Group::Connection,
    arity: 3,
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    arguments: &SWITCH,
    run: Run::Session(run),
    ..Spec::BLANK
};

/// Only remembered and shown: no client is ever evicted.
fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    context.client.card.no_evict.store(is_on(words.at(2))?, Relaxed);
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
            ("CLIENT NO-EVICT on", "OK"),
            ("CLIENT NO-EVICT x", "(error) ERR syntax error"),
            ("CLIENT NO-EVICT", "(error) ERR wrong number of arguments for 'client|no-evict' command"),
        ]);
        assert!(fixture.run("CLIENT INFO").contains(" flags=e "));
        fixture.run("CLIENT NO-EVICT OFF");
        assert!(fixture.run("CLIENT INFO").contains(" flags=N "));
    }
}
