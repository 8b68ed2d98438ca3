//! `CLIENT CACHING <YES | NO>`

use crate::argument::Argument;
use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::tracking::Tracking;
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "caching",
    summary: "Tells the server whether the next request reads what the connection caches.",
    since: "6.0.0",
    group: Group::Connection,
    arity: 3,
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE),
    arguments: &[Argument::one_of("mode", &[Argument::flag("yes", "YES"), Argument::flag("no", "NO")])],
    run: Run::Session(run),
    ..Spec::BLANK
};

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    Tracking::set_caching(context.client.tracking.as_mut(), words.at(2))?;
    context.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Fixture;
    use crate::tracking::Tracking;

    #[test]
    fn it_is_for_those_who_opt_in_or_out() {
        const NO_OPTION: &str = "(error) ERR CLIENT CACHING can be called only when the client is in tracking \
                                 mode with OPTIN or OPTOUT mode enabled";
        let mut fixture = Fixture::new();
        fixture.replay(&[("CLIENT CACHING YES", NO_OPTION), ("CLIENT CACHING maybe", NO_OPTION)]);
        fixture.client.set_tracking(Some(Tracking { opts_in: true, ..Tracking::default() }));
        fixture.replay(&[
            ("CLIENT CACHING yes", "OK"),
            (
                "CLIENT CACHING NO",
                "(error) ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
            ),
            ("CLIENT CACHING maybe", "(error) ERR syntax error"),
        ]);
        fixture.client.set_tracking(Some(Tracking { opts_out: true, ..Tracking::default() }));
        fixture.replay(&[
            ("CLIENT CACHING no", "OK"),
            (
                "CLIENT CACHING YES",
                "(error) ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
            ),
        ]);
    }
}
