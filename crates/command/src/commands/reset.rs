//! `RESET`

use std::sync::atomic::Ordering::Relaxed;

use mayfly_resp::Protocol;

use crate::client::ReplyMode;
use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "reset",
    summary: "Makes the connection as new: RESP2, database 0, no name, not authenticated.",
    since: "6.2.0",
    group: Group::Connection,
    arity: 1,
    flags: Flags::NOSCRIPT
        .and(Flags::LOADING)
        .and(Flags::STALE)
        .and(Flags::FAST)
        .and(Flags::NO_AUTH)
        .and(Flags::ALLOW_BUSY),
    run: Run::Session(run),
    ..Spec::BLANK
};

/// The library's name and version stay, as in Redis.
fn run(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    context.set_protocol(Protocol::Resp2);
    let client = &mut *context.client;
    client.set_database(0);
    client.reply_mode = ReplyMode::On;
    client.set_tracking(None);
    let user = context.host.access().default_user();
    let authenticated = user.is_open();
    client.set_user(user, authenticated);
    client.card.names().name.clear();
    client.card.is_monitor.store(false, Relaxed);
    client.card.no_evict.store(false, Relaxed);
    client.card.no_touch.store(false, Relaxed);
    context.reply.simple("RESET");
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, replay};

    #[test]
    fn the_connection_is_as_new() {
        replay(&[
            ("HELLO 3 SETNAME jo", "*"),
            ("CLIENT SETINFO LIB-NAME library", "OK"),
            ("CLIENT NO-EVICT ON", "OK"),
            ("SELECT 3", "OK"),
            ("HSET h f v", "(integer) 1"),
            ("RESET", "RESET"),
            ("HGETALL nothing", "(empty array)"),
            ("CLIENT GETNAME", "(nil)"),
            ("HGET h f", "(nil)"),
            ("RESET now", "(error) ERR wrong number of arguments for 'reset' command"),
        ]);
    }

    #[test]
    fn a_password_must_be_given_again() {
        let mut fixture = Fixture::new();
        fixture.host.set_password("sesame");
        fixture.replay(&[
            ("PING", "PONG"),
            ("RESET", "RESET"),
            ("PING", "(error) NOAUTH Authentication required."),
        ]);
    }
}
