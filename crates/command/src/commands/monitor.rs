//! `MONITOR`

use std::sync::atomic::Ordering::Relaxed;

use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "monitor",
    summary: "Shows the requests of all clients as they are read; RESET ends it.",
    group: Group::Server,
    arity: 1,
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    run: Run::Session(run),
    ..Spec::BLANK
};

/// The engine sees the mark and brings what others ask for.
fn run(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    context.client.card.is_monitor.store(true, Relaxed);
    context.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, replay};

    #[test]
    fn a_monitor_is_marked_until_it_resets() {
        let mut fixture = Fixture::new();
        fixture.host.clients = vec![fixture.client.card.clone()];
        fixture.replay(&[("MONITOR", "OK"), ("MONITOR", "OK")]);
        assert!(fixture.run("CLIENT LIST").contains(" flags=O "));
        fixture.replay(&[("RESET", "RESET")]);
        assert!(fixture.run("CLIENT LIST").contains(" flags=N "));
    }

    #[test]
    fn refusals() {
        replay(&[("MONITOR x", "(error) ERR wrong number of arguments for 'monitor' command")]);
    }
}
