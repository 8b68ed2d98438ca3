//! `AUTH [username] password`
//!
//! A refused `AUTH` leaves a client as it was, authenticated or not.

use mayfly_acl::DEFAULT_USER;

use crate::access::note_failed_login;
use crate::argument::Argument;
use crate::context::SessionContext;
use crate::error::{CommandError, Outcome};
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "auth",
    summary: "Authenticates the connection.",
    complexity: "O(N) where N is the length of the password.",
    group: Group::Connection,
    arity: -2,
    flags: Flags::NOSCRIPT
        .and(Flags::LOADING)
        .and(Flags::STALE)
        .and(Flags::FAST)
        .and(Flags::NO_AUTH)
        .and(Flags::ALLOW_BUSY),
    arguments: &[Argument::string("username").optional(), Argument::string("password")],
    run: Run::Session(run),
    ..Spec::BLANK
};

const NO_PASSWORD: CommandError = CommandError::fixed(
    "ERR AUTH <password> called without any password configured for the default user. \
     Are you sure your configuration is correct?",
);
const WRONG_PASSWORD: CommandError =
    CommandError::fixed("WRONGPASS invalid username-password pair or user is disabled.");

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    match words.len() {
        2 if context.host.access().default_user().needs_no_password() => return Err(NO_PASSWORD),
        2 => authenticate(context, words.at(0), DEFAULT_USER, words.at(1))?,
        3 => authenticate(context, words.at(0), words.at(1), words.at(2))?,
        _ => return Err(CommandError::Syntax),
    }
    context.reply.ok();
    Ok(())
}

/// Authenticates the client; `word` is the command that does. Where a user needs no password, every password is right,
/// as in Redis.
pub(super) fn authenticate(
    context: &mut SessionContext<'_>,
    word: &[u8],
    user: &[u8],
    password: &[u8],
) -> Outcome {
    match context.host.access().authenticate(user, password) {
        Some(user) => context.client.set_user(user, true),
        None => {
            note_failed_login(context.client, context.host, context.now(), word, user);
            return Err(WRONG_PASSWORD);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, replay};

    const WRONG: &str = "(error) WRONGPASS invalid username-password pair or user is disabled.";

    #[test]
    fn without_a_password() {
        replay(&[
            (
                "AUTH x",
                "(error) ERR AUTH <password> called without any password configured for the default user. \
                 Are you sure your configuration is correct?",
            ),
            ("AUTH default x", "OK"),
            ("AUTH someone x", WRONG),
            ("AUTH", "(error) ERR wrong number of arguments for 'auth' command"),
            ("AUTH a b c", "(error) ERR syntax error"),
        ]);
    }

    #[test]
    fn with_a_password() {
        let mut fixture = Fixture::new();
        fixture.host.set_password("sesame");
        fixture.client.authenticated = false;
        fixture.replay(&[
            ("PING", "(error) NOAUTH Authentication required."),
            ("AUTH sesam", WRONG),
            ("AUTH sesame2", WRONG),
            ("AUTH Sesame", WRONG),
            ("AUTH \"\"", WRONG),
            ("AUTH someone sesame", WRONG),
            ("PING", "(error) NOAUTH Authentication required."),
            ("AUTH sesame", "OK"),
            ("PING", "PONG"),
            ("AUTH wrong", WRONG),
            ("PING", "PONG"),
            ("AUTH default sesame", "OK"),
        ]);
    }
}
