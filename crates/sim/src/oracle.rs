//! Judges what shards do: the calls in the order in which they were carried out, against the model.
//!
//! A shard's keyspace is in one place at a time, so the order in which the simulator sees calls carried out is an
//! order of the whole system: replies that agree with the model in this order are linearizable, and a command over
//! several keys is atomic.

use std::collections::BTreeMap;

use mayfly_command::{Router, ShardId};
use mayfly_engine::{Replies, Shard};
use mayfly_store::UnixMillis;

use crate::client::{Client, ClientId};
use crate::expected::{Expected, Reply, shown_words};
use crate::fault::Fault;
use crate::model::{Call, DATABASES, Model};
use crate::walks::Walks;

/// The model and what has been judged.
#[derive(Debug, Default)]
pub struct Oracle {
    model: Model,
    walks: Walks,
    /// Calls carried out so far.
    pub calls: u64,
    /// A digest of all calls and replies in their order: equal for equal runs.
    pub digest: u64,
    /// Calls by full name.
    pub by_name: BTreeMap<&'static str, u64>,
}

impl Oracle {
    /// A shard has carried out a batch or joint of `client` at `now`.
    ///
    /// # Errors
    /// A reply that the model does not know, or a call that was not asked for.
    pub fn was_executed(
        &mut self,
        client: &mut Client,
        replies: &Replies,
        now: UnixMillis,
        fault: Option<Fault>,
    ) -> Result<(), String> {
        self.model.advance_to(now.0);
        let batch = &replies.spent;
        if batch.calls.len() != replies.ends.len() {
            return Err(format!("{} calls got {} replies", batch.calls.len(), replies.ends.len()));
        }
        let mut start = 0;
        for (call, &end) in batch.calls.iter().zip(&replies.ends) {
            let words: Vec<&[u8]> = batch.words_of(call).from(0).collect();
            let bytes = &replies.bytes[start..end];
            start = end;
            self.count(call.command.full_name(), client.id, bytes);
            let seen =
                Call { name: call.command.full_name(), words: &words, database: usize::from(call.database) };
            let is_wrong = fault == Some(Fault::WrongModel) && self.calls == 500;
            let judged = self.judge(client.id, seen, bytes, call.protocol, replies.overflow, is_wrong);
            let judged =
                judged.and_then(|()| client.was_executed(&words, call.database, call.protocol, bytes));
            judged.map_err(|fault| {
                let request = shown_words(words.iter().copied());
                format!("client {}, database {}, at {}: {request}: {fault}", client.id, call.database, now.0)
            })?;
        }
        Ok(())
    }

    fn judge(
        &mut self,
        client: ClientId,
        call: Call<'_>,
        bytes: &[u8],
        protocol: mayfly_resp::Protocol,
        is_overflow: bool,
        is_wrong: bool,
    ) -> Result<(), String> {
        let expected = self.model.call(call).ok_or("the model does not know this command")?;
        let expected = if is_wrong { Expected::Exactly(Reply::Simple("WRONG")) } else { expected };
        if bytes.is_empty() && is_overflow {
            return Ok(());
        }
        expected.check(bytes, protocol)?;
        self.model.learn_payload(call, bytes);
        self.walks.observe(client, call, bytes, &self.model)
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
        self.model.advance_to(now.0);
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
        self.model.advance_to(now.0);
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
        for byte in name.bytes().chain(client.to_le_bytes()).chain(bytes.iter().copied()) {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}
