//! Who listens to which channel, and what is sent to them.

use std::sync::Arc;

use bytes::Bytes;
use hashbrown::{HashMap, HashSet};
use mayfly_acl::User;
use mayfly_command::{ChannelKind, glob};
use mayfly_resp::{Protocol, ReplyWriter};

use crate::batch::Effect;

/// What a confirmation calls a step of subscribing or unsubscribing.
pub fn verb(kind: ChannelKind, subscribes: bool) -> &'static str {
    match (kind, subscribes) {
        (ChannelKind::Channel, true) => "subscribe",
        (ChannelKind::Channel, false) => "unsubscribe",
        (ChannelKind::Pattern, true) => "psubscribe",
        (ChannelKind::Pattern, false) => "punsubscribe",
        (ChannelKind::ShardChannel, true) => "ssubscribe",
        (ChannelKind::ShardChannel, false) => "sunsubscribe",
    }
}

const KINDS: [ChannelKind; 3] = [ChannelKind::Channel, ChannelKind::Pattern, ChannelKind::ShardChannel];

/// What a client is sent that it has not asked for in a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Push {
    /// A message to a subscriber.
    Message(Message),
    /// Keys that the client may hold in a cache have changed; `None`: all of them.
    Invalidate(Option<Arc<[Bytes]>>),
    /// The same for another client, which has its invalidations sent here.
    Redirected(Option<Arc<[Bytes]>>),
    /// The client listens to what its user may not any more: it is closed.
    Revoked,
}

/// A message to one subscriber.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// What the message answers to.
    pub kind: ChannelKind,
    /// The pattern that matched, for [`ChannelKind::Pattern`].
    pub pattern: Bytes,
    /// The channel it was published to.
    pub channel: Bytes,
    /// The message.
    pub payload: Bytes,
}

impl Message {
    /// Writes it in the shape of the subscriber's protocol.
    pub fn write(&self, out: &mut Vec<u8>, protocol: Protocol) {
        let mut reply = ReplyWriter::new(out, protocol);
        match self.kind {
            ChannelKind::Channel => {
                reply.push(3);
                reply.bulk(b"message");
            }
            ChannelKind::Pattern => {
                reply.push(4);
                reply.bulk(b"pmessage");
                reply.bulk(&self.pattern);
            }
            ChannelKind::ShardChannel => {
                reply.push(3);
                reply.bulk(b"smessage");
            }
        }
        reply.bulk(&self.channel);
        reply.bulk(&self.payload);
    }
}

/// All subscriptions; every shard has the same.
#[derive(Debug)]
pub struct Subscriptions<A> {
    /// Listeners by name, one map a kind. Names with nobody are removed.
    by_name: [HashMap<Bytes, HashMap<u64, A>>; 3],
    /// Names by client, one set a kind. Clients with none are removed.
    by_client: HashMap<u64, [HashSet<Bytes>; 3]>,
}

impl<A> Default for Subscriptions<A> {
    fn default() -> Self {
        Subscriptions { by_name: Default::default(), by_client: HashMap::new() }
    }
}

impl<A: Clone> Subscriptions<A> {
    /// Whether nobody listens to anything.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.by_client.is_empty()
    }

    /// Adds a subscription; nothing changes if it is there.
    pub fn add(&mut self, kind: ChannelKind, name: &Bytes, client: u64, address: A) {
        self.by_name[kind as usize].entry(name.clone()).or_default().insert(client, address);
        self.by_client.entry(client).or_default()[kind as usize].insert(name.clone());
    }

    /// Removes a subscription, if it is there.
    pub fn remove(&mut self, kind: ChannelKind, name: &[u8], client: u64) {
        let names = &mut self.by_name[kind as usize];
        if let Some(listeners) = names.get_mut(name) {
            listeners.remove(&client);
            if listeners.is_empty() {
                names.remove(name);
            }
        }
        if let Some(sets) = self.by_client.get_mut(&client) {
            sets[kind as usize].remove(name);
            if sets.iter().all(HashSet::is_empty) {
                self.by_client.remove(&client);
            }
        }
    }

    /// The names that a client listens to, of one kind.
    pub fn of(&self, kind: ChannelKind, client: u64) -> Vec<Bytes> {
        let sets = self.by_client.get(&client);
        sets.map_or_else(Vec::new, |sets| sets[kind as usize].iter().cloned().collect())
    }

    /// Closes a client that listens to what this user may not.
    pub fn audit(&self, client: u64, user: &User, effects: &mut Vec<Effect<A>>) {
        for kind in KINDS {
            let names = self.by_client.get(&client).into_iter().flat_map(|sets| &sets[kind as usize]);
            let denied = |name: &&Bytes| !user.allows_channel(name, kind == ChannelKind::Pattern);
            let Some(name) = names.into_iter().find(denied) else { continue };
            let listeners = self.by_name[kind as usize].get(name);
            if let Some(address) = listeners.and_then(|listeners| listeners.get(&client)) {
                return effects.push(Effect::Push(address.clone(), client, Push::Revoked));
            }
        }
    }

    /// How many subscriptions a client has that count together with `kind`: channels and patterns are one count,
    /// shard channels another.
    pub fn count_with(&self, kind: ChannelKind, client: u64) -> usize {
        let Some(sets) = self.by_client.get(&client) else {
            return 0;
        };
        match kind {
            ChannelKind::ShardChannel => sets[ChannelKind::ShardChannel as usize].len(),
            _ => sets[ChannelKind::Channel as usize].len() + sets[ChannelKind::Pattern as usize].len(),
        }
    }

    /// How many subscriptions a client has of each kind.
    pub fn counts(&self, client: u64) -> [usize; 3] {
        self.by_client.get(&client).map_or([0; 3], |sets| sets.each_ref().map(HashSet::len))
    }

    /// How many subscriptions a client has in all.
    pub fn count(&self, client: u64) -> usize {
        self.by_client.get(&client).map_or(0, |sets| sets.iter().map(HashSet::len).sum())
    }

    /// Removes all subscriptions of a client.
    pub fn forget(&mut self, client: u64) {
        for kind in KINDS {
            for name in self.of(kind, client) {
                self.remove(kind, &name, client);
            }
        }
    }

    /// Pushes a message to everybody who listens to `channel` or to a pattern that it matches; how many pushes.
    pub fn publish(&self, channel: &Bytes, payload: &Bytes, effects: &mut Vec<Effect<A>>) -> usize {
        let before = effects.len();
        self.push_to(ChannelKind::Channel, channel, channel, payload, effects);
        for pattern in self.by_name[ChannelKind::Pattern as usize].keys() {
            if glob::matches(pattern, channel) {
                self.push_to(ChannelKind::Pattern, pattern, channel, payload, effects);
            }
        }
        effects.len() - before
    }

    /// Pushes a message to everybody who listens to a shard channel; how many pushes.
    pub fn publish_to_shard_channel(
        &self,
        channel: &Bytes,
        payload: &Bytes,
        effects: &mut Vec<Effect<A>>,
    ) -> usize {
        let before = effects.len();
        self.push_to(ChannelKind::ShardChannel, channel, channel, payload, effects);
        effects.len() - before
    }

    /// How many names of one kind somebody listens to.
    pub fn count_names(&self, kind: ChannelKind) -> usize {
        self.by_name[kind as usize].len()
    }

    /// The names of one kind that somebody listens to.
    pub fn names(&self, kind: ChannelKind) -> impl Iterator<Item = &Bytes> {
        self.by_name[kind as usize].keys()
    }

    /// How many clients listen to a name.
    pub fn listeners(&self, kind: ChannelKind, name: &[u8]) -> usize {
        self.by_name[kind as usize].get(name).map_or(0, HashMap::len)
    }

    fn push_to(
        &self,
        kind: ChannelKind,
        name: &Bytes,
        channel: &Bytes,
        payload: &Bytes,
        effects: &mut Vec<Effect<A>>,
    ) {
        let pattern = if kind == ChannelKind::Pattern { name.clone() } else { Bytes::new() };
        for (client, address) in self.by_name[kind as usize].get(name).into_iter().flatten() {
            let (pattern, channel, payload) = (pattern.clone(), channel.clone(), payload.clone());
            let message = Message { kind, pattern, channel, payload };
            effects.push(Effect::Push(address.clone(), *client, Push::Message(message)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    #[test]
    fn a_message_reaches_channels_and_matching_patterns_once_each() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.add(ChannelKind::Channel, &name("news.art"), 1, 'a');
        subscriptions.add(ChannelKind::Channel, &name("news.art"), 1, 'a');
        subscriptions.add(ChannelKind::Pattern, &name("news.*"), 1, 'a');
        subscriptions.add(ChannelKind::Pattern, &name("weather.*"), 2, 'b');
        subscriptions.add(ChannelKind::ShardChannel, &name("news.art"), 2, 'b');
        let mut effects = Vec::new();
        assert_eq!(subscriptions.publish(&name("news.art"), &name("x"), &mut effects), 2);
        assert!(effects.iter().all(|effect| matches!(effect, Effect::Push('a', 1, _))));
        assert_eq!(subscriptions.publish_to_shard_channel(&name("news.art"), &name("x"), &mut effects), 1);
        assert_eq!((subscriptions.count_with(ChannelKind::Channel, 1), subscriptions.count(2)), (2, 2));
    }

    #[test]
    fn nothing_is_kept_of_who_has_left() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.add(ChannelKind::Channel, &name("a"), 1, 'a');
        subscriptions.add(ChannelKind::Pattern, &name("b*"), 1, 'a');
        subscriptions.remove(ChannelKind::Channel, b"a", 1);
        subscriptions.remove(ChannelKind::Channel, b"never", 1);
        subscriptions.forget(1);
        assert!(subscriptions.is_empty() && subscriptions.names(ChannelKind::Pattern).next().is_none());
    }
}
