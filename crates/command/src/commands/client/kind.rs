//! The kinds of client that `CLIENT LIST` and `CLIENT KILL` tell apart.

use std::sync::atomic::Ordering::Relaxed;

use crate::argument::Argument;
use crate::client::ClientCard;
use crate::error::{CommandError, shown};
use crate::words::is;

/// The word behind `TYPE`.
pub(super) const TYPES: [Argument; 4] = [
    Argument::flag("normal", "NORMAL"),
    Argument::flag("master", "MASTER"),
    Argument::flag("replica", "REPLICA"),
    Argument::flag("pubsub", "PUBSUB"),
];

/// A kind of client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ClientKind {
    Normal,
    /// One that listens to a channel or a pattern.
    Subscriber,
    /// Another server, of which there are none.
    Server,
}

impl ClientKind {
    pub fn parse(word: &[u8]) -> Result<Self, CommandError> {
        match word {
            word if is(word, "normal") => Ok(ClientKind::Normal),
            word if is(word, "pubsub") => Ok(ClientKind::Subscriber),
            word if ["slave", "replica", "master"].iter().any(|name| is(word, name)) => {
                Ok(ClientKind::Server)
            }
            word => Err(CommandError::text(format!("ERR Unknown client type '{}'", shown(word, 128)))),
        }
    }

    pub fn of(card: &ClientCard) -> Self {
        if card.subscriptions.load(Relaxed) > 0 { ClientKind::Subscriber } else { ClientKind::Normal }
    }
}
