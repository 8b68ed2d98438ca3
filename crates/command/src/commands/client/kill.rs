//! `CLIENT KILL <ip:port | [ID client-id] [TYPE type] [USER username] [ADDR ip:port] [LADDR ip:port] [SKIPME yes | no]
//! [MAXAGE seconds]>`
//!
//! What was received of a client before is carried out; nothing more of it is read.

use mayfly_acl::Access;
use mayfly_store::UnixMillis;

use super::kind::{ClientKind, TYPES};
use crate::argument::Argument;
use crate::client::ClientCard;
use crate::context::SessionContext;
use crate::error::{CommandError, Outcome, shown};
use crate::number;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::{Words, is};

pub static SPEC: Spec = Spec {
    name: "kill",
    summary: "Closes connections.",
    since: "2.4.0",
    complexity: "O(N) where N is the number of client connections",
    group: Group::Connection,
    arity: -3,
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    arguments: &[Argument::one_of(
        "filter",
        &[Argument::string("ip:port"), Argument::block("filters", &FILTERS)],
    )],
    run: Run::Session(run),
    ..Spec::BLANK
};

const FILTERS: [Argument; 7] = [
    Argument::integer("client-id").after("ID").optional(),
    Argument::one_of("client-type", &TYPES).after("TYPE").optional(),
    Argument::string("username").after("USER").optional(),
    Argument::string("addr").after("ADDR").optional(),
    Argument::string("laddr").after("LADDR").optional(),
    Argument::one_of("skipme", &[Argument::flag("yes", "YES"), Argument::flag("no", "NO")])
        .after("SKIPME")
        .optional(),
    Argument::integer("maxage").after("MAXAGE").optional(),
];

const NO_SUCH_CLIENT: CommandError = CommandError::fixed("ERR No such client");
const BAD_ID: CommandError = CommandError::fixed("ERR client-id should be greater than 0");
const NOT_AN_AGE: CommandError = CommandError::fixed("ERR maxage is not an integer or out of range");
const BAD_AGE: CommandError = CommandError::fixed("ERR maxage should be greater than 0");

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let by_address = words.len() == 3;
    let filter = match by_address {
        true => Filter { address: Some(words.at(2)), ..Filter::default() },
        false => Filter::parse(words, context.host.access())?,
    };
    let (own, now) = (context.client.card.id, context.now());
    let mut killed = context.clients();
    killed.retain(|card| filter.admits(card, now) && !(filter.skips_own && card.id == own));
    let count = killed.len();
    if by_address && count == 0 {
        return Err(NO_SUCH_CLIENT);
    }
    if killed.iter().any(|card| card.id == own) {
        // It still gets this reply.
        context.client.closing = true;
        killed.retain(|card| card.id != own);
    }
    context.host.disconnect(&killed);
    match by_address {
        true => context.reply.ok(),
        false => context.reply.integer(count as i64),
    }
    Ok(())
}

/// Which clients to close; all that is given has to hold.
#[derive(Default)]
struct Filter<'a> {
    id: Option<u64>,
    kind: Option<ClientKind>,
    user: Option<&'a [u8]>,
    address: Option<&'a [u8]>,
    local_address: Option<&'a [u8]>,
    age_min_seconds: Option<i64>,
    skips_own: bool,
}

impl<'a> Filter<'a> {
    fn parse(words: Words<'a>, access: &Access) -> Result<Self, CommandError> {
        let mut filter = Filter { skips_own: true, ..Filter::default() };
        for at in (2..words.len()).step_by(2) {
            let value = words.get(at + 1).ok_or(CommandError::Syntax)?;
            match words.at(at) {
                option if is(option, "id") => {
                    let id = number::integer(value).and_then(|id| u64::try_from(id).ok());
                    filter.id = Some(id.filter(|id| *id > 0).ok_or(BAD_ID)?);
                }
                option if is(option, "type") => filter.kind = Some(ClientKind::parse(value)?),
                option if is(option, "addr") => filter.address = Some(value),
                option if is(option, "laddr") => filter.local_address = Some(value),
                option if is(option, "user") && access.find(value).is_none() => {
                    return Err(CommandError::text(format!("ERR No such user '{}'", shown(value, 128))));
                }
                option if is(option, "user") => filter.user = Some(value),
                option if is(option, "skipme") => {
                    filter.skips_own = is(value, "yes");
                    if !filter.skips_own && !is(value, "no") {
                        return Err(CommandError::Syntax);
                    }
                }
                option if is(option, "maxage") => {
                    let age = number::integer(value).ok_or(NOT_AN_AGE)?;
                    filter.age_min_seconds = Some(if age > 0 { age } else { return Err(BAD_AGE) });
                }
                _ => return Err(CommandError::Syntax),
            }
        }
        Ok(filter)
    }

    fn admits(&self, card: &ClientCard, now: UnixMillis) -> bool {
        let age_seconds = (now.0 - card.connected_at) / 1_000;
        self.id.is_none_or(|id| id == card.id)
            && self.kind.is_none_or(|kind| kind == ClientKind::of(card))
            && self.user.is_none_or(|user| user == card.names().user)
            && self.address.is_none_or(|address| address == card.address.as_bytes())
            && self.local_address.is_none_or(|address| address == card.local_address.as_bytes())
            && self.age_min_seconds.is_none_or(|age| age_seconds >= age)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering::Relaxed;

    use crate::client::ClientCard;
    use crate::testing::{Fixture, START, replay};

    /// The asking client is number 7; number 3 is ten seconds old, number 9 listens.
    fn fixture() -> Fixture {
        let mut fixture = Fixture::new();
        let old = ClientCard::new(3, "10.0.0.1:1".into(), "10.0.0.2:6379".into(), START.0 - 10_000);
        let listening = ClientCard::new(9, "10.0.0.1:2".into(), "10.0.0.2:6379".into(), START.0);
        listening.subscriptions.store(1, Relaxed);
        fixture.host.clients = vec![fixture.client.card.clone(), Arc::new(old), Arc::new(listening)];
        fixture
    }

    #[test]
    fn those_whom_every_filter_names_are_closed() {
        for (line, reply, closed) in [
            ("CLIENT KILL 10.0.0.1:1", "OK", &[3][..]),
            ("CLIENT KILL 10.0.0.1:3", "(error) ERR No such client", &[]),
            ("CLIENT KILL 127.0.0.1:50000", "OK", &[7]),
            ("CLIENT KILL ID 3", "(integer) 1", &[3]),
            ("CLIENT KILL ID 8", "(integer) 0", &[]),
            ("CLIENT KILL ID 7", "(integer) 0", &[]),
            ("CLIENT KILL id 7 skipme NO", "(integer) 1", &[7]),
            ("CLIENT KILL SKIPME yes", "(integer) 2", &[3, 9]),
            ("CLIENT KILL SKIPME no", "(integer) 3", &[3, 7, 9]),
            ("CLIENT KILL ADDR 10.0.0.1:2", "(integer) 1", &[9]),
            ("CLIENT KILL LADDR 10.0.0.2:6379", "(integer) 2", &[3, 9]),
            ("CLIENT KILL LADDR 10.0.0.2:6379 ID 9", "(integer) 1", &[9]),
            ("CLIENT KILL TYPE pubsub", "(integer) 1", &[9]),
            ("CLIENT KILL TYPE normal", "(integer) 1", &[3]),
            ("CLIENT KILL TYPE replica", "(integer) 0", &[]),
            ("CLIENT KILL USER default", "(integer) 2", &[3, 9]),
            ("CLIENT KILL MAXAGE 10", "(integer) 1", &[3]),
            ("CLIENT KILL MAXAGE 11", "(integer) 0", &[]),
        ] {
            let mut fixture = fixture();
            assert_eq!(fixture.run(line), reply, "{line}");
            let mut gone = fixture.host.disconnected.lock().unwrap().clone();
            gone.extend(fixture.client.closing.then_some(7));
            gone.sort_unstable();
            assert_eq!(gone, closed, "{line}");
        }
    }

    #[test]
    fn refusals() {
        const SYNTAX: &str = "(error) ERR syntax error";
        const BAD_ID: &str = "(error) ERR client-id should be greater than 0";
        replay(&[
            ("CLIENT KILL", "(error) ERR wrong number of arguments for 'client|kill' command"),
            ("CLIENT KILL ID", "(error) ERR No such client"),
            ("CLIENT KILL ID x", BAD_ID),
            ("CLIENT KILL ID 0", BAD_ID),
            ("CLIENT KILL ID -1", BAD_ID),
            ("CLIENT KILL ID 1 ADDR", SYNTAX),
            ("CLIENT KILL ID 1 2", SYNTAX),
            ("CLIENT KILL FOO bar", SYNTAX),
            ("CLIENT KILL SKIPME maybe", SYNTAX),
            ("CLIENT KILL TYPE foo", "(error) ERR Unknown client type 'foo'"),
            ("CLIENT KILL USER nobody", "(error) ERR No such user 'nobody'"),
            ("CLIENT KILL MAXAGE x", "(error) ERR maxage is not an integer or out of range"),
            ("CLIENT KILL MAXAGE 0", "(error) ERR maxage should be greater than 0"),
        ]);
    }
}
