//! `HELLO [protover [AUTH username password] [SETNAME clientname]]`

use mayfly_resp::Protocol;

use super::auth::authenticate;
use super::client::setname;
use crate::argument::Argument;
use crate::context::SessionContext;
use crate::error::{CommandError, Outcome, shown};
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::{Words, is};

pub static SPEC: Spec = Spec {
    name: "hello",
    summary: "Handshakes with the server.",
    since: "6.0.0",
    group: Group::Connection,
    arity: -1,
    flags: Flags::NOSCRIPT
        .and(Flags::LOADING)
        .and(Flags::STALE)
        .and(Flags::FAST)
        .and(Flags::NO_AUTH)
        .and(Flags::ALLOW_BUSY),
    arguments: &[Argument::block("arguments", &ARGUMENTS).optional()],
    run: Run::Session(run),
    ..Spec::BLANK
};

const ARGUMENTS: [Argument; 3] = [
    Argument::integer("protover"),
    Argument::block("auth", &CREDENTIALS).after("AUTH").optional(),
    Argument::string("clientname").after("SETNAME").optional(),
];
const CREDENTIALS: [Argument; 2] = [Argument::string("username"), Argument::string("password")];

const NO_VERSION: CommandError =
    CommandError::fixed("ERR Protocol version is not an integer or out of range");
const UNSUPPORTED_VERSION: CommandError = CommandError::fixed("NOPROTO unsupported protocol version");
const NOT_AUTHENTICATED: CommandError = CommandError::fixed(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH \
     <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the \
     same time",
);

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let request = Request::parse(words)?;
    if let Some((user, password)) = request.credentials {
        authenticate(context, words.at(0), user, password)?;
    }
    if !context.client.authenticated {
        return Err(NOT_AUTHENTICATED);
    }
    if let Some(name) = request.name {
        context.client.card.names().name = name.to_vec();
    }
    if let Some(protocol) = request.protocol {
        context.set_protocol(protocol);
    }
    introduce(context);
    Ok(())
}

/// What a client asks for; all of it is checked before any of it is done.
#[derive(Default)]
struct Request<'a> {
    protocol: Option<Protocol>,
    credentials: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    fn parse(words: Words<'a>) -> Result<Self, CommandError> {
        let mut request = Request::default();
        if words.len() > 1 {
            request.protocol = Some(match words.integer(1).map_err(|_| NO_VERSION)? {
                2 => Protocol::Resp2,
                3 => Protocol::Resp3,
                _ => return Err(UNSUPPORTED_VERSION),
            });
        }
        let mut options = words.cursor(2);
        while let Some(option) = options.next() {
            if is(option, "auth") && options.remaining() >= 2 {
                request.credentials = Some((options.value()?, options.value()?));
            } else if is(option, "setname") && options.remaining() >= 1 {
                request.name = Some(setname::checked(options.value()?)?);
            } else {
                let option = shown(option, 128);
                return Err(CommandError::text(format!("ERR Syntax error in HELLO option '{option}'")));
            }
        }
        Ok(request)
    }
}

/// Writes who answers, to whom, and how.
fn introduce(context: &mut SessionContext<'_>) {
    let protocol = match context.client.protocol {
        Protocol::Resp2 => 2,
        Protocol::Resp3 => 3,
    };
    let id = i64::try_from(context.client.card.id).unwrap_or(i64::MAX);
    let reply = &mut context.reply;
    reply.map(7);
    // Clients compare the name: to them Mayfly is a Redis of that version.
    for (name, text) in [("server", "redis"), ("version", crate::REDIS_VERSION)] {
        reply.bulk(name.as_bytes());
        reply.bulk(text.as_bytes());
    }
    for (name, number) in [("proto", protocol), ("id", id)] {
        reply.bulk(name.as_bytes());
        reply.integer(number);
    }
    for (name, text) in [("mode", "standalone"), ("role", "master")] {
        reply.bulk(name.as_bytes());
        reply.bulk(text.as_bytes());
    }
    reply.bulk(b"modules");
    reply.array(0);
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, replay};

    #[test]
    fn introduces_itself_in_the_new_protocol() {
        replay(&[
            (
                "HELLO 3",
                "1# \"server\" => \"redis\"\n2# \"version\" => \"8.2.3\"\n3# \"proto\" => (integer) 3\n\
                 4# \"id\" => (integer) 7\n5# \"mode\" => \"standalone\"\n6# \"role\" => \"master\"\n\
                 7# \"modules\" => (empty array)",
            ),
            ("HGETALL nothing", "(empty hash)"),
            ("HELLO", "*"),
            ("HGETALL nothing", "(empty hash)"),
            ("HELLO 2", "*"),
            ("HGETALL nothing", "(empty array)"),
        ]);
    }

    #[test]
    fn refuses_what_redis_refuses() {
        const NAME: &str = "(error) ERR Client names cannot contain spaces, newlines or special characters.";
        replay(&[
            ("HELLO 4", "(error) NOPROTO unsupported protocol version"),
            ("HELLO 1", "(error) NOPROTO unsupported protocol version"),
            ("HELLO 99999999999", "(error) NOPROTO unsupported protocol version"),
            ("HELLO x", "(error) ERR Protocol version is not an integer or out of range"),
            ("HELLO 9223372036854775808", "(error) ERR Protocol version is not an integer or out of range"),
            ("HELLO AUTH default x", "(error) ERR Protocol version is not an integer or out of range"),
            ("HELLO 3 AUTH default", "(error) ERR Syntax error in HELLO option 'AUTH'"),
            ("HELLO 3 setname", "(error) ERR Syntax error in HELLO option 'setname'"),
            ("HELLO 3 FOO", "(error) ERR Syntax error in HELLO option 'FOO'"),
            ("HELLO 3 SETNAME \"a b\"", NAME),
            (
                "HELLO 3 AUTH someone x",
                "(error) WRONGPASS invalid username-password pair or user is disabled.",
            ),
            ("HGETALL nothing", "(empty array)"),
            ("CLIENT GETNAME", "(nil)"),
        ]);
    }

    #[test]
    fn authenticates_and_names_in_one_step() {
        let mut fixture = Fixture::new();
        fixture.host.set_password("sesame");
        fixture.client.authenticated = false;
        let refused = format!("(error) {}", super::NOT_AUTHENTICATED.line(""));
        fixture.replay(&[
            ("HELLO", &refused),
            ("HELLO 3 SETNAME jo", &refused),
            (
                "HELLO 3 AUTH default x",
                "(error) WRONGPASS invalid username-password pair or user is disabled.",
            ),
            ("HELLO 2 AUTH default sesame SETNAME jo", "*"),
            ("CLIENT GETNAME", "\"jo\""),
            ("HELLO 2 SETNAME \"\"", "*"),
            ("CLIENT GETNAME", "(nil)"),
        ]);
    }
}
