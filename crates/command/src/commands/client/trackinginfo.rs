//! `CLIENT TRACKINGINFO`

use std::sync::atomic::Ordering::Relaxed;

use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::tracking::Tracking;
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "trackinginfo",
    summary: "Returns how the reads of the connection are tracked.",
    since: "6.2.0",
    group: Group::Connection,
    arity: 2,
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE),
    run: Run::Session(run),
    ..Spec::BLANK
};

fn run(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    let (reply, client) = (&mut context.reply, &*context.client);
    reply.map(3);
    reply.bulk(b"flags");
    let flags = client.tracking.as_ref().map_or_else(|| vec!["off"], flags);
    reply.set(flags.len());
    flags.into_iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"redirect");
    reply.integer(client.card.redirect.load(Relaxed));
    reply.bulk(b"prefixes");
    let prefixes = client.tracking.iter().flat_map(|tracking| &tracking.prefixes);
    reply.array(prefixes.clone().count());
    prefixes.for_each(|prefix| reply.bulk(prefix));
    Ok(())
}

/// In Redis' order.
fn flags(tracking: &Tracking) -> Vec<&'static str> {
    let flags = [
        ("on", true),
        ("bcast", tracking.broadcasts),
        ("optin", tracking.opts_in),
        ("caching-yes", tracking.opts_in && tracking.is_caching),
        ("optout", tracking.opts_out),
        ("caching-no", tracking.opts_out && tracking.is_caching),
        ("noloop", tracking.no_loop),
        ("broken_redirect", tracking.is_broken),
    ];
    flags.into_iter().filter(|(_, holds)| *holds).map(|(flag, _)| flag).collect()
}

#[cfg(test)]
mod tests {
    use crate::testing::Fixture;
    use crate::tracking::Tracking;

    #[test]
    fn it_says_how_reads_are_tracked() {
        let mut fixture = Fixture::new();
        let mut info = |tracking: Option<Tracking>| {
            fixture.client.set_tracking(tracking);
            fixture.run("CLIENT TRACKINGINFO").replace('\n', " ")
        };
        let shown = |flags: &str, redirect: i64, prefixes: &str| {
            format!(
                "1) \"flags\" 2) {flags} 3) \"redirect\" 4) (integer) {redirect} 5) \"prefixes\" 6) {prefixes}"
            )
        };
        let none = "(empty array)";
        assert_eq!(info(None), shown("1) \"off\"", -1, none));
        let opts_in = Tracking { opts_in: true, is_caching: true, ..Tracking::default() };
        let flags = "1) \"on\"    2) \"optin\"    3) \"caching-yes\"";
        assert_eq!(info(Some(opts_in)), shown(flags, 0, none));
        let broadcasts = Tracking {
            broadcasts: true,
            no_loop: true,
            redirect: Some(9),
            is_broken: true,
            prefixes: [b"a".to_vec()].into(),
            ..Tracking::default()
        };
        let flags = "1) \"on\"    2) \"bcast\"    3) \"noloop\"    4) \"broken_redirect\"";
        assert_eq!(info(Some(broadcasts)), shown(flags, 9, "1) \"a\""));
    }
}
