//! `AUTH [username] password`
//!
//! There is one user, `default`. A refused `AUTH` leaves a client as it was, authenticated or not.

use subtle::ConstantTimeEq;

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

/// The only user.
const USER: &[u8] = b"default";

const NO_PASSWORD: CommandError = CommandError::fixed(
    "ERR AUTH <password> called without any password configured for the default user. \
     Are you sure your configuration is correct?",
);
const WRONG_PASSWORD: CommandError =
    CommandError::fixed("WRONGPASS invalid username-password pair or user is disabled.");

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    match words.len() {
        2 if context.host.password().is_empty() => return Err(NO_PASSWORD),
        2 => authenticate(context, USER, words.at(1))?,
        3 => authenticate(context, words.at(1), words.at(2))?,
        _ => return Err(CommandError::Syntax),
    }
    context.reply.ok();
    Ok(())
}

/// Authenticates the client. Where no password is set, every password of the only user is right, as in Redis.
pub(super) fn authenticate(context: &mut SessionContext<'_>, user: &[u8], password: &[u8]) -> Outcome {
    let expected = context.host.password();
    let right = expected.is_empty() || bool::from(expected.as_bytes().ct_eq(password));
    if user != USER || !right {
        return Err(WRONG_PASSWORD);
    }
    context.client.authenticated = true;
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
        fixture.host.password = "sesame".into();
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
