//! `CLIENT LIST [TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]`

use super::kind::{ClientKind, TYPES};
use super::line::line;
use crate::argument::Argument;
use crate::client::ClientCard;
use crate::context::SessionContext;
use crate::error::{CommandError, Outcome};
use crate::number;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::{Words, is};

pub static SPEC: Spec = Spec {
    name: "list",
    summary: "Lists open connections.",
    since: "2.4.0",
    complexity: "O(N) where N is the number of client connections",
    group: Group::Connection,
    arity: -2,
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    arguments: &[
        Argument::one_of("client-type", &TYPES).after("TYPE").optional(),
        Argument::integer("client-id").after("ID").optional().multiple(),
    ],
    run: Run::Session(run),
    ..Spec::BLANK
};

const BAD_ID: CommandError = CommandError::fixed("ERR Invalid client ID");

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let filter = Filter::parse(words)?;
    let (own, now) = (context.client.card.id, context.now());
    let mut clients = context.clients();
    clients.retain(|card| filter.shows(card));
    clients.sort_unstable_by_key(|card| card.id);
    let mut text = String::new();
    for card in clients {
        text.push_str(&line(&card, now, (card.id == own).then_some("client|list")));
    }
    context.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// Which clients to show.
enum Filter {
    All,
    Kind(ClientKind),
    /// Sorted.
    Ids(Vec<i64>),
}

impl Filter {
    fn parse(words: Words<'_>) -> Result<Self, CommandError> {
        match words.get(2) {
            None => Ok(Filter::All),
            Some(option) if is(option, "type") && words.len() == 4 => {
                Ok(Filter::Kind(ClientKind::parse(words.at(3))?))
            }
            Some(option) if is(option, "id") && words.len() > 3 => {
                let ids = words.from(3).map(|word| number::integer(word).ok_or(BAD_ID));
                let mut ids: Vec<i64> = ids.collect::<Result<_, _>>()?;
                ids.sort_unstable();
                Ok(Filter::Ids(ids))
            }
            Some(_) => Err(CommandError::Syntax),
        }
    }

    fn shows(&self, card: &ClientCard) -> bool {
        match self {
            Filter::All => true,
            Filter::Kind(kind) => *kind == ClientKind::of(card),
            Filter::Ids(ids) => i64::try_from(card.id).is_ok_and(|id| ids.binary_search(&id).is_ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::client::ClientCard;
    use crate::testing::{Fixture, START};

    fn fixture() -> Fixture {
        let mut fixture = Fixture::new();
        let other = ClientCard::new(3, "10.0.0.1:1".into(), "10.0.0.2:6379".into(), START.0);
        fixture.host.clients = vec![fixture.client.card.clone(), Arc::new(other)];
        fixture
    }

    #[test]
    fn shows_the_clients_that_are_asked_for() {
        for (line, expected) in [
            ("CLIENT LIST", &["3", "7"][..]),
            ("CLIENT LIST TYPE normal", &["3", "7"]),
            ("CLIENT LIST TYPE PUBSUB", &[]),
            ("CLIENT LIST TYPE replica", &[]),
            ("CLIENT LIST TYPE slave", &[]),
            ("CLIENT LIST TYPE MASTER", &[]),
            ("CLIENT LIST ID 7", &["7"]),
            ("CLIENT LIST ID 9 7 3 0 -1", &["3", "7"]),
        ] {
            let mut fixture = fixture();
            fixture.run("HELLO 3");
            let text = fixture.run(line);
            let ids: Vec<_> = text.lines().map(|line| &line["id=".len()..line.find(' ').unwrap()]).collect();
            assert_eq!(ids, expected, "{line}");
        }
    }

    #[test]
    fn the_last_command_of_others_is_on_their_card() {
        let mut fixture = fixture();
        let text = fixture.run("CLIENT LIST");
        assert!(text.contains(" cmd=NULL ") && text.contains(" cmd=client|list "), "{text}");
    }

    #[test]
    fn refusals() {
        fixture().replay(&[
            ("CLIENT LIST FOO", "(error) ERR syntax error"),
            ("CLIENT LIST TYPE", "(error) ERR syntax error"),
            ("CLIENT LIST TYPE foo", "(error) ERR Unknown client type 'foo'"),
            ("CLIENT LIST TYPE normal x", "(error) ERR syntax error"),
            ("CLIENT LIST ID", "(error) ERR syntax error"),
            ("CLIENT LIST ID a", "(error) ERR Invalid client ID"),
            ("CLIENT LIST ID 1 TYPE normal", "(error) ERR Invalid client ID"),
        ]);
    }
}
