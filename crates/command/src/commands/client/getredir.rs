//! `CLIENT GETREDIR`

use std::sync::atomic::Ordering::Relaxed;

use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "getredir",
    summary: "Returns the number of the client that gets this one's invalidations, 0 itself, -1 without tracking.",
    since: "6.0.0",
    group: Group::Connection,
    arity: 2,
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE),
    run: Run::Session(run),
    ..Spec::BLANK
};

fn run(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    context.reply.integer(context.client.card.redirect.load(Relaxed));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Fixture;
    use crate::tracking::Tracking;

    #[test]
    fn it_says_who_gets_the_messages() {
        let mut fixture = Fixture::new();
        fixture.replay(&[("CLIENT GETREDIR", "(integer) -1")]);
        fixture.client.set_tracking(Some(Tracking::default()));
        fixture.replay(&[("CLIENT GETREDIR", "(integer) 0")]);
        fixture.client.set_tracking(Some(Tracking { redirect: Some(9), ..Tracking::default() }));
        fixture.replay(&[("CLIENT GETREDIR", "(integer) 9"), ("RESET", "RESET"), ("CLIENT GETREDIR", "(integer) -1")]);
    }
}
