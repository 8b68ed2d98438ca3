//! Who listens to which channel, and what each must be sent: subscribing, publishing and keyspace events.
//!
//! Subscriptions are modelled in the order in which calls are carried out. Those of a client that has left, or has
//! said `RESET`, are taken back shard by shard: until that has been done everywhere it may or may not be sent
//! something, and counts or not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mayfly_command::{ChannelKind, Run, Step, Table};
use mayfly_engine::Push;
use mayfly_resp::Protocol;

use crate::client::{ClientId, Seen};
use crate::expected::{Expected, Reply, shown};
use crate::model::{Call, Change, glob};

/// A message as the words of its push.
pub type Message = Vec<Vec<u8>>;

type Names = [BTreeSet<Vec<u8>>; 3];

/// All subscriptions, and the events that are asked for.
#[derive(Debug, Default)]
pub struct Listeners {
    /// The letters of `notify-keyspace-events`.
    pub events: &'static str,
    certain: BTreeMap<ClientId, Names>,
    leaving: BTreeMap<ClientId, Names>,
    /// Clients that have hung up. What they have sent off is carried out, and nobody reads the replies.
    gone: BTreeSet<ClientId>,
    /// Expired keys whose event has not been sent, with how often that happened.
    due: BTreeMap<(usize, Vec<u8>), u32>,
    /// Those that were told during the batch at hand and have not been struck off what is due.
    told: Vec<(usize, Vec<u8>)>,
    /// Those that were, during the batch at hand.
    struck: Vec<(usize, Vec<u8>)>,
    /// How many expired keys of a name cannot be told apart any more, since it is not known whether the one that was
    /// told of stood here before a flush or swap, or after it. They may be told of or not, in any database.
    blurred: BTreeMap<Vec<u8>, u32>,
    /// The client that hears of every expired key, if there is one.
    pub auditor: Option<ClientId>,
    /// Messages that were sent.
    pub messages: u64,
}

/// The messages that one batch gave rise to, by receiver, in order.
pub type Heard = BTreeMap<ClientId, VecDeque<Message>>;

/// The words of a push, which is a message: no client of the simulation has a cache.
pub fn message(push: &Push) -> Message {
    let Push::Message(push) = push else { return vec![format!("{push:?}").into_bytes()] };
    let words: &[&[u8]] = match push.kind {
        ChannelKind::Channel => &[b"message", &push.channel, &push.payload],
        ChannelKind::Pattern => &[b"pmessage", &push.pattern, &push.channel, &push.payload],
        ChannelKind::ShardChannel => &[b"smessage", &push.channel, &push.payload],
    };
    words.iter().map(|word| word.to_vec()).collect()
}

impl Listeners {
    /// Whether a client is known to listen to something.
    pub fn is_certain(&self, client: ClientId) -> bool {
        self.certain.contains_key(&client)
    }

    /// Whether shards may not have forgotten a client yet that listens to nothing any more.
    pub fn is_leaving(&self, client: ClientId) -> bool {
        self.leaving.contains_key(&client)
    }

    /// How many confirmations each call of a transaction gets; one reply if it is no step of subscribing.
    pub fn confirmations(&self, client: ClientId, calls: &[Seen<'_>]) -> Vec<usize> {
        // Who has said RESET has been forgotten where its next transaction runs; who has hung up, has not.
        let of_gone = || self.leaving.get(&client).filter(|_| self.gone.contains(&client));
        let names = self.certain.get(&client).or_else(of_gone);
        let mut names = names.cloned().unwrap_or_default();
        let count = |(words, _, is_answered): &Seen<'_>| {
            let step = Table::get().find_full(&words[0].to_ascii_lowercase()).map(|command| command.spec.run);
            match step {
                Some(Run::Step(Step::Subscribe(kind))) if !is_answered => {
                    names[kind as usize].extend(words[1..].iter().map(|name| name.to_vec()));
                    words.len() - 1
                }
                Some(Run::Step(Step::Unsubscribe(kind))) if words.len() == 1 => {
                    std::mem::take(&mut names[kind as usize]).len().max(1)
                }
                Some(Run::Step(Step::Unsubscribe(kind))) => {
                    names[kind as usize].retain(|name| !words[1..].contains(&&name[..]));
                    words.len() - 1
                }
                _ => 1,
            }
        };
        calls.iter().map(count).collect()
    }

    /// Shards are told to forget a client.
    pub fn leave(&mut self, client: ClientId) {
        if let Some(names) = self.certain.remove(&client) {
            self.leaving.insert(client, names);
        }
    }

    /// A client has hung up.
    pub fn hang_up(&mut self, client: ClientId) {
        self.gone.insert(client);
        self.leave(client);
    }

    /// All shards have forgotten who was leaving.
    pub fn have_left(&mut self) {
        self.leaving.clear();
    }

    /// Sets events of expiry apart: they come when a shard gets to it.
    ///
    /// # Errors
    /// One of a strange shape.
    pub fn take_expired(&mut self, heard: &mut Heard) -> Result<(), String> {
        for (client, messages) in heard {
            self.messages += messages.len() as u64;
            let (expired, others): (VecDeque<_>, VecDeque<_>) =
                std::mem::take(messages).into_iter().partition(is_expired);
            *messages = others;
            if Some(*client) != self.auditor {
                continue;
            }
            for message in expired {
                let channel = String::from_utf8_lossy(&message[2]);
                let number =
                    channel.strip_prefix("__keyevent@").and_then(|rest| rest.strip_suffix("__:expired"));
                let number: usize =
                    number.and_then(|number| number.parse().ok()).ok_or("a strange channel")?;
                let place = (number, message[3].clone());
                self.told.push(place);
            }
        }
        Ok(())
    }

    /// Strikes what was told off what is due. What is left may be due after the next swap of databases.
    fn settle_told(&mut self) {
        let told = std::mem::take(&mut self.told);
        let (struck, left) = told.into_iter().partition(|place| strike(&mut self.due, place));
        self.told = left;
        let struck: Vec<_> = struck;
        self.struck.extend(struck);
    }

    /// Databases are flushed or swapped. What was told so far in this batch may have been told after that as well:
    /// then it was about another key of that name.
    fn blur(&mut self, databases: &[usize]) {
        self.settle_told();
        for (_, key) in self.struck.extract_if(.., |(database, _)| databases.contains(database)) {
            let others = self.due.iter_mut().filter(|((_, name), _)| *name == key);
            let count: u32 = others.map(|(_, count)| std::mem::take(count)).sum();
            *self.blurred.entry(key).or_default() += count;
        }
    }

    /// The batch is done: whatever was told must have been due.
    ///
    /// # Errors
    /// A key that expires twice, or is not due.
    pub fn check_told(&mut self) -> Result<(), String> {
        self.settle_told();
        self.struck.clear();
        let blurred = &mut self.blurred;
        match self.told.drain(..).find(|(_, key)| !strike(blurred, key)) {
            Some((_, key)) => Err(format!("{} expired without being due, or twice", shown(&key))),
            None => Ok(()),
        }
    }

    /// Expired keys that nobody was told of.
    pub fn untold(&self) -> Option<String> {
        let (place, _) = self.due.iter().find(|(_, count)| **count > 0)?;
        Some(format!("nobody was told that {} of database {} has expired", shown(&place.1), place.0))
    }

    /// Something has changed: the events that are due for it.
    ///
    /// # Errors
    /// One that was not sent as it must be.
    pub fn changed(&mut self, change: &Change, heard: &mut Heard) -> Result<(), String> {
        match change {
            Change::Key { database, event, key } => {
                let class =
                    if matches!(*event, "hset" | "hdel" | "hincrby" | "hincrbyfloat") { 'h' } else { 'g' };
                let asks = |letter| self.events.contains(letter);
                if !asks(class) && !asks('A') {
                    return Ok(());
                }
                if asks('K') {
                    let channel = [format!("__keyspace@{database}__:").as_bytes(), key].concat();
                    self.publish(&channel, event.as_bytes(), false, heard)?;
                }
                if asks('E') {
                    self.publish(format!("__keyevent@{database}__:{event}").as_bytes(), key, false, heard)?;
                }
            }
            Change::Due(database, key) => *self.due.entry((*database, key.clone())).or_default() += 1,
            // Whatever was not told yet has gone unseen.
            Change::Flushed(number, _) => {
                self.blur(&[*number]);
                self.due.retain(|(database, _), _| database != number);
            }
            Change::Swapped([(first, _), (second, _)]) => {
                self.blur(&[*first, *second]);
                let due = std::mem::take(&mut self.due).into_iter().map(|((database, key), count)| {
                    let database = match database {
                        database if database == *first => *second,
                        database if database == *second => *first,
                        database => database,
                    };
                    ((database, key), count)
                });
                self.due = due.collect();
            }
        }
        Ok(())
    }

    /// A message was published: everybody who listens must have been sent it; to how many it went.
    fn publish(
        &self,
        channel: &[u8],
        payload: &[u8],
        to_shard_channel: bool,
        heard: &mut Heard,
    ) -> Result<usize, String> {
        let mut count = 0;
        for (client, names) in &self.certain {
            let mut expected = matching(names, channel, payload, to_shard_channel);
            let queue = heard.entry(*client).or_default();
            let mut got: Vec<Message> = queue.drain(..expected.len().min(queue.len())).collect();
            expected.sort();
            got.sort();
            count += expected.len();
            if got != expected {
                return Err(format!("client {client} must be sent {expected:?}, was {got:?}"));
            }
        }
        for (client, names) in &self.leaving {
            for message in matching(names, channel, payload, to_shard_channel) {
                let queue = heard.entry(*client).or_default();
                if let Some(place) = queue.iter().position(|sent| *sent == message) {
                    queue.remove(place);
                    count += 1;
                }
            }
        }
        Ok(count)
    }

    /// Carries out a step on channels; `None` for any other command.
    ///
    /// # Errors
    /// A reply or message that is not as it must be.
    pub fn call(
        &mut self,
        client: ClientId,
        call: Call<'_>,
        bytes: &[u8],
        protocol: Protocol,
        heard: &mut Heard,
    ) -> Option<Result<(), String>> {
        let Run::Step(step) = Table::get().find_full(call.name.as_bytes())?.spec.run else { return None };
        let words = call.words;
        let expected = match step {
            Step::Subscribe(kind) => return Some(self.subscribe(client, kind, &words[1..], bytes, protocol)),
            Step::Unsubscribe(kind) => {
                return Some(self.unsubscribe(client, kind, &words[1..], bytes, protocol));
            }
            Step::Publish(kind) => {
                match self.publish(words[1], words[2], kind == ChannelKind::ShardChannel, heard) {
                    Ok(count) => Expected::Exactly(Reply::Integer(count as i64)),
                    Err(fault) => return Some(Err(fault)),
                }
            }
            _ if !self.leaving.is_empty() || bytes.first() == Some(&b'-') => Expected::Any,
            Step::ListChannels(kind) => {
                let pattern = words.get(2).copied().unwrap_or(b"*");
                let names = self.certain.values().flat_map(|names| &names[kind as usize]);
                let names: BTreeSet<_> = names.filter(|name| glob(pattern, name)).cloned().collect();
                Expected::InAnyOrder(names.into_iter().collect())
            }
            Step::CountListeners(kind) => {
                let count = |name: &[u8]| {
                    self.certain.values().filter(|names| names[kind as usize].contains(name)).count()
                };
                let pairs = words[2..]
                    .iter()
                    .flat_map(|name| [Reply::bulk(name), Reply::Integer(count(name) as i64)]);
                Expected::Exactly(Reply::Array(pairs.collect()))
            }
            Step::CountPatterns => {
                let patterns: BTreeSet<_> = self.certain.values().flat_map(|names| &names[1]).collect();
                Expected::Exactly(Reply::Integer(patterns.len() as i64))
            }
            // The sampler leaves caches alone.
            Step::Track => return None,
            Step::Multi | Step::Exec | Step::Discard | Step::Watch | Step::Unwatch => return None,
        };
        Some(expected.check(bytes, protocol))
    }

    fn subscribe(
        &mut self,
        client: ClientId,
        kind: ChannelKind,
        names: &[&[u8]],
        bytes: &[u8],
        protocol: Protocol,
    ) -> Result<(), String> {
        if self.gone.contains(&client) {
            let mine = self.leaving.entry(client).or_default();
            mine[kind as usize].extend(names.iter().map(|name| name.to_vec()));
            return Ok(());
        }
        self.leaving.remove(&client);
        let mine = self.certain.entry(client).or_default();
        let mut expected = Vec::new();
        for name in names {
            mine[kind as usize].insert(name.to_vec());
            expected.extend(confirmation(verb(kind, true), Some(name), count(mine, kind), protocol));
        }
        if expected == bytes { Ok(()) } else { Err(differ(&expected, bytes)) }
    }

    fn unsubscribe(
        &mut self,
        client: ClientId,
        kind: ChannelKind,
        names: &[&[u8]],
        bytes: &[u8],
        protocol: Protocol,
    ) -> Result<(), String> {
        if self.gone.contains(&client) {
            return Ok(());
        }
        let mut mine = self.certain.remove(&client).unwrap_or_default();
        let mut names: Vec<Vec<u8>> = names.iter().map(|name| name.to_vec()).collect();
        let (mut expected, mut rest) = (Vec::new(), bytes);
        if names.is_empty() {
            // All, in an order that is the server's.
            let mut left = mine[kind as usize].clone();
            while !left.is_empty() {
                let next = left.iter().find(|name| {
                    let before = confirmation(
                        verb(kind, false),
                        Some(name),
                        count(&mine, kind) - 1 - names.len(),
                        protocol,
                    );
                    rest.starts_with(&before)
                });
                let Some(next) = next.cloned() else { break };
                rest = &rest[confirmation(
                    verb(kind, false),
                    Some(&next),
                    count(&mine, kind) - 1 - names.len(),
                    protocol,
                )
                .len()..];
                left.remove(&next);
                names.push(next);
            }
            if !left.is_empty() {
                return Err(format!("{left:?} are left out in {}", shown(bytes)));
            }
        }
        for name in &names {
            mine[kind as usize].remove(name);
            expected.extend(confirmation(verb(kind, false), Some(name), count(&mine, kind), protocol));
        }
        if names.is_empty() {
            expected.extend(confirmation(verb(kind, false), None, count(&mine, kind), protocol));
        }
        if mine.iter().any(|names| !names.is_empty()) {
            self.certain.insert(client, mine);
        }
        if expected == bytes { Ok(()) } else { Err(differ(&expected, bytes)) }
    }
}

/// Takes one off a count; whether there was one.
fn strike<K: Ord>(counts: &mut BTreeMap<K, u32>, key: &K) -> bool {
    let count = counts.get_mut(key).filter(|count| **count > 0);
    count.is_some_and(|count| {
        *count -= 1;
        true
    })
}

fn differ(expected: &[u8], got: &[u8]) -> String {
    format!("expected {}, got {}", shown(expected), shown(got))
}

/// The messages that somebody who listens to `names` must be sent.
fn matching(names: &Names, channel: &[u8], payload: &[u8], to_shard_channel: bool) -> Vec<Message> {
    let message = |words: &[&[u8]]| words.iter().map(|word| word.to_vec()).collect::<Message>();
    let [channels, patterns, shard_channels] = names;
    if to_shard_channel {
        let all = shard_channels.get(channel).into_iter();
        return all.map(|_| message(&[b"smessage", channel, payload])).collect();
    }
    let direct = channels.get(channel).into_iter().map(|_| message(&[b"message", channel, payload]));
    let by_pattern = patterns.iter().filter(|pattern| glob(pattern, channel));
    direct.chain(by_pattern.map(|pattern| message(&[b"pmessage", pattern, channel, payload]))).collect()
}

/// Subscriptions that are counted together with those of a kind.
fn count(names: &Names, kind: ChannelKind) -> usize {
    match kind {
        ChannelKind::ShardChannel => names[2].len(),
        _ => names[0].len() + names[1].len(),
    }
}

fn verb(kind: ChannelKind, subscribes: bool) -> String {
    let prefix = match kind {
        ChannelKind::Channel => "",
        ChannelKind::Pattern => "p",
        ChannelKind::ShardChannel => "s",
    };
    format!("{prefix}{}subscribe", if subscribes { "" } else { "un" })
}

fn confirmation(verb: String, name: Option<&[u8]>, count: usize, protocol: Protocol) -> Vec<u8> {
    let name = name.map_or(Reply::Null, Reply::bulk);
    let mut bytes = Reply::Array(vec![Reply::bulk(verb), name, Reply::Integer(count as i64)]).bytes(protocol);
    if protocol == Protocol::Resp3 {
        bytes[0] = b'>';
    }
    bytes
}

fn is_expired(message: &Message) -> bool {
    let [.., channel, payload] = &message[..] else { return false };
    (channel.starts_with(b"__keyevent@") && channel.ends_with(b":expired"))
        || (channel.starts_with(b"__keyspace@") && payload == b"expired")
}
