//! Judges what shards do: the calls in the order in which they were carried out, against the model.
//!
//! A shard's keyspace is in one place at a time, so the order in which the simulator sees calls carried out is an
//! order of the whole system: replies that agree with the model in this order are linearizable, and a command over
//! several keys is atomic.

use std::collections::BTreeMap;

use mayfly_command::{Router, ShardId};
use mayfly_engine::{Batch, Call as EngineCall, CallKind, Replies, Shard};
use mayfly_store::UnixMillis;

use crate::client::{Client, ClientId, Seen};
use crate::expected::{Expected, Reply, items, shown, shown_words};
use crate::fault::Fault;
use crate::listeners::{Heard, Listeners};
use crate::model::{Call, DATABASES, Model};
use crate::walks::Walks;
use crate::watchers::{State, Watchers};

/// The model and what has been judged.
#[derive(Debug, Default)]
pub struct Oracle {
    model: Model,
    walks: Walks,
    watchers: Watchers,
    /// Who listens to what.
    pub listeners: Listeners,
    /// Transactions that were carried out, and those that were not since a watched key had changed.
    pub transactions: [u64; 2],
    /// Calls carried out so far.
    pub calls: u64,
    /// A digest of all calls and replies in their order: equal for equal runs.
    pub digest: u64,
    /// Calls by full name.
    pub by_name: BTreeMap<&'static str, u64>,
}

impl Oracle {
    /// A shard has carried out a batch or joint of `client` at `now`, which gave rise to the messages of `heard`.
    ///
    /// # Errors
    /// A reply or message that the model does not know, or a call that was not asked for.
    pub fn was_executed(
        &mut self,
        client: &mut Client,
        replies: &Replies,
        mut heard: Heard,
        now: UnixMillis,
        fault: Option<Fault>,
    ) -> Result<(), String> {
        self.advance_to(now, &mut heard)?;
        self.listeners.take_expired(&mut heard)?;
        let batch = batch_of(replies)?;
        let mut calls = &batch.calls[..];
        let mut start = 0;
        for &end in &replies.ends {
            let Some((call, behind)) = calls.split_first() else {
                return Err(format!("{} replies to {} calls", replies.ends.len(), batch.calls.len()));
            };
            let bytes = &replies.bytes[start..end];
            start = end;
            let inner = match call.kind {
                CallKind::Transaction { calls, .. } => &behind[..calls as usize],
                _ => &[],
            };
            calls = &behind[inner.len()..];
            let name = call.command.full_name();
            self.count(name, client.id, bytes);
            let words: Vec<&[u8]> = batch_of(replies)?.words_of(call).from(0).collect();
            let is_wrong = fault == Some(Fault::WrongModel) && self.calls >= 500 && name == "hget";
            let judged = match call.kind {
                CallKind::Transaction { flag, .. } => {
                    self.transaction(client, replies, call, flag, inner, bytes, &mut heard)
                }
                _ => {
                    if let CallKind::Watch { flag } = call.kind {
                        let flag = &batch.flags[flag as usize];
                        self.watchers.watch(flag, usize::from(call.database), &words[1..]);
                    }
                    let judged = self.judge(client.id, replies, call, bytes, &mut heard, is_wrong);
                    judged.and_then(|()| client.was_executed(&words, call.database, call.protocol, bytes))
                }
            };
            judged.map_err(|fault| {
                let request = shown_words([name.as_bytes()].into_iter().chain(words.into_iter().skip(1)));
                format!("client {}, database {}, at {}: {request}: {fault}", client.id, call.database, now.0)
            })?;
        }
        if !calls.is_empty() {
            return Err(format!("{} calls got no reply", calls.len()));
        }
        self.listeners.check_told()?;
        match heard.into_iter().find(|(_, messages)| !messages.is_empty()) {
            Some((id, messages)) => {
                Err(format!("client {id} is sent what nobody has published: {messages:?}"))
            }
            None => Ok(()),
        }
    }

    /// Time goes on without a call; shards may have sent messages about it.
    ///
    /// # Errors
    /// A message that is not about an expired key.
    pub fn was_reclaimed(&mut self, mut heard: Heard, now: UnixMillis) -> Result<(), String> {
        self.advance_to(now, &mut heard)?;
        self.listeners.take_expired(&mut heard)?;
        self.listeners.check_told()?;
        match heard.into_values().flatten().next() {
            Some(message) => Err(format!("expiry sends {message:?}")),
            None => Ok(()),
        }
    }

    fn advance_to(&mut self, now: UnixMillis, heard: &mut Heard) -> Result<(), String> {
        self.model.advance_to(now.0);
        self.tell(heard)
    }

    /// Tells watchers and listeners what the model has changed.
    fn tell(&mut self, heard: &mut Heard) -> Result<(), String> {
        for change in self.model.take_changes() {
            self.watchers.changed(&change);
            self.listeners.changed(&change, heard)?;
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "one use")]
    fn transaction(
        &mut self,
        client: &mut Client,
        replies: &Replies,
        exec: &EngineCall,
        flag: Option<u32>,
        calls: &[EngineCall],
        bytes: &[u8],
        heard: &mut Heard,
    ) -> Result<(), String> {
        let batch = batch_of(replies)?;
        let state = flag.map_or(State::Same, |flag| self.watchers.take(&batch.flags[flag as usize]));
        let is_refused = matches!(bytes, b"*-1\r\n" | b"_\r\n");
        self.transactions[usize::from(is_refused)] += 1;
        match (state, is_refused) {
            (State::Same, true) => {
                return Err("no watched key has changed, and it was not carried out".into());
            }
            (State::Changed, false) if !replies.overflow => {
                return Err("a watched key has changed, and it was carried out".into());
            }
            _ => {}
        }
        let seen: Vec<Seen<'_>> = calls
            .iter()
            .map(|call| {
                let words = batch.words_of(call).from(0).collect();
                (words, call.database, call.kind == CallKind::Reply)
            })
            .collect();
        let items = items(bytes, self.listeners.confirmations(client.id, &seen));
        if !is_refused {
            if items.is_none() && !replies.overflow {
                return Err(format!("{} calls got {}", calls.len(), shown(bytes)));
            }
            for (at, call) in calls.iter().enumerate().filter(|(_, call)| call.kind != CallKind::Reply) {
                let item = items.as_ref().map_or(&b""[..], |items| items[at]);
                self.count(call.command.full_name(), client.id, item);
                self.judge(client.id, replies, call, item, heard, false)?;
            }
        }
        client.transaction_was_executed(&seen, exec.protocol, bytes, items.as_deref(), replies.overflow)
    }

    fn judge(
        &mut self,
        client: ClientId,
        replies: &Replies,
        call: &EngineCall,
        bytes: &[u8],
        heard: &mut Heard,
        is_wrong: bool,
    ) -> Result<(), String> {
        let words: Vec<&[u8]> = batch_of(replies)?.words_of(call).from(0).collect();
        let seen =
            Call { name: call.command.full_name(), words: &words, database: usize::from(call.database) };
        let is_cut = bytes.is_empty() && replies.overflow;
        if let Some(judged) = self.listeners.call(client, seen, bytes, call.protocol, heard) {
            return if is_cut { Ok(()) } else { judged };
        }
        let expected = match seen.name {
            "watch" => Expected::Exactly(Reply::Simple("OK")),
            _ => self.model.call(seen).ok_or("the model does not know this command")?,
        };
        self.tell(heard)?;
        let expected = if is_wrong { Expected::Exactly(Reply::Simple("WRONG")) } else { expected };
        if is_cut {
            return Ok(());
        }
        expected.check(bytes, call.protocol)?;
        self.model.learn_payload(seen, bytes);
        self.walks.observe(client, seen, bytes, &self.model)
    }

    /// Compares what the shards hold with the model, and sweeps the store's own invariants. Shards whose keyspace
    /// is under way are left out.
    ///
    /// # Errors
    /// The first difference.
    pub fn compare<A: Clone>(
        &mut self,
        shards: &mut [Shard<A>],
        router: &Router,
        now: UnixMillis,
    ) -> Result<(), String> {
        self.advance_to(now, &mut Heard::new())?;
        for shard in shards {
            let id = shard.id();
            let gauges = shard.gauges(now);
            let Some(keyspace) = shard.keyspace_mut() else { continue };
            keyspace.check();
            if gauges.is_some_and(|gauges| gauges.waiting > 0) {
                return Err(format!("shard {} is at home and lets work wait", id.0));
            }
            for number in 0..DATABASES {
                let here = |key: &[u8]| router.shard_of(router.key(key)) == id;
                let live = self.model.database(number).iter().filter(|(key, _)| here(key));
                let mut live: BTreeMap<_, _> = live.collect();
                let store = keyspace.database(number as u16);
                let mut difference = None;
                store.scan(0, usize::MAX, now, &mut |entry| {
                    let key = store.key(entry).to_vec();
                    let fields =
                        store.fields(entry).map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
                    let deadline = store.deadline(entry).map(|deadline| deadline.0);
                    let expected = live.remove(&key).map(|hash| (hash.values(), hash.deadline));
                    if expected != Some((fields, deadline)) {
                        difference = Some(key);
                    }
                });
                if let Some(key) = difference.or_else(|| live.into_keys().next().cloned()) {
                    let key = key.escape_ascii();
                    return Err(format!("shard {} and the model differ in {key} of database {number}", id.0));
                }
            }
        }
        Ok(())
    }

    /// Checks that a shard which has reclaimed all it can holds the live keys and nothing else.
    ///
    /// # Errors
    /// What it holds beside.
    pub fn check_reclaimed<A: Clone>(
        &mut self,
        shard: &Shard<A>,
        router: &Router,
        now: UnixMillis,
    ) -> Result<(), String> {
        self.advance_to(now, &mut Heard::new())?;
        let gauges = shard.gauges(now).ok_or("a keyspace has not come home")?;
        let here = |key: &[u8]| router.shard_of(router.key(key)) == shard.id();
        let keys = (0..DATABASES).flat_map(|number| self.model.database(number).keys());
        let live = keys.filter(|key| here(key)).count() as u64;
        if (gauges.keys, gauges.backlog) == (live, 0) {
            return Ok(());
        }
        let ShardId(id) = shard.id();
        Err(format!("shard {id} holds {} keys, {live} are live, {} are due", gauges.keys, gauges.backlog))
    }

    /// Walks over keys or fields that came to their end.
    pub fn walks_finished(&self) -> u64 {
        self.walks.finished
    }

    fn count(&mut self, name: &'static str, client: ClientId, bytes: &[u8]) {
        self.calls += 1;
        *self.by_name.entry(name).or_default() += 1;
        // Names of channels come in an order that is not the seed's.
        let has_names = name.starts_with("pubsub") || name.ends_with("unsubscribe") || name == "exec";
        let length = bytes.len().to_le_bytes();
        let shown = if has_names { &length[..] } else { bytes };
        for byte in name.bytes().chain(client.to_le_bytes()).chain(shown.iter().copied()) {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

fn batch_of(replies: &Replies) -> Result<&Batch, String> {
    replies.spent.as_deref().ok_or_else(|| "a shard's replies come without their batch".to_owned())
}
