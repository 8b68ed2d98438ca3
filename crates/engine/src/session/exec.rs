//! `EXEC`: what was queued becomes calls that run as one.
//!
//! All calls go into one batch, for one shard or as a joint over all that the transaction touches or watches. A
//! batch runs without anything in between, so that nothing more is needed for them to be atomic. Commands without
//! data run here, before the batch leaves; their replies travel with it to take their places. Steps over all shards,
//! such as subscribing, are calls like others; they decide what the next request may be, so it waits for them.

use std::sync::atomic::Ordering::Relaxed;

use mayfly_command::{ChannelKind, ClientState, Command, ReplyMode, Run, ShardId, Step, Words};
use mayfly_resp::{Protocol, ReplyWriter, Span};

use super::conversation::is_subscribing;
use super::requests::{fresh_joint, insert_sorted, is_ping, joint_over, pong_to_subscriber, run_here};
use super::tracking::track;
use super::{Session, Surroundings};
use crate::batch::{Batch, Call, CallKind};
use crate::counters::ThreadCounters;
use crate::meter::Meter;
use crate::observers::WatchFlag;
use crate::router::{Route, route};
use crate::transaction::Transaction;

/// What Redis answers to `MONITOR` in a transaction.
const NO_MONITOR: &str = "ERR MONITOR isn't allowed for DENY BLOCKING client";

/// The calls of a transaction, with words of their own.
#[derive(Default)]
struct Built {
    bytes: Vec<u8>,
    words: Vec<Span>,
    calls: Vec<Call>,
    shards: Vec<ShardId>,
    /// One of the calls subscribes or unsubscribes.
    is_subscribing: bool,
}

const NO_SHARD_CHANNELS: &str = "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client";

impl Session {
    /// Runs what was queued.
    pub(super) fn exec(
        &mut self,
        exec: &'static Command,
        surroundings: &Surroundings<'_>,
        meter: &mut Meter<'_>,
    ) {
        let transaction = self.transaction.take().unwrap_or_default();
        if transaction.is_aborted {
            self.unwatch();
            let line = "EXECABORT Transaction discarded because of previous errors.";
            return self.refuse(line, surroundings.counters);
        }
        let (database, protocol) = (self.client.database, self.client.protocol);
        let mut built = self.build(&transaction, surroundings);
        let watch = self.watch.take();
        self.watched_keys = 0;
        for shard in std::mem::take(&mut self.watched_shards) {
            insert_sorted(&mut built.shards, shard);
        }
        // Confirmations count as messages, which come whatever the mode.
        let is_muted = built.is_subscribing && self.client.reply_mode != ReplyMode::On;
        if is_muted {
            self.lanes.mute(false);
        }
        self.subscribing |= built.is_subscribing;
        let kind = CallKind::Transaction { calls: built.calls.len() as u32, flag: None, is_muted };
        let call =
            Call { is_tracked: false, word_count: 0, database, protocol, ..self.call(exec, kind, 0, 0) };
        if !built.shards.is_empty() {
            meter.hand_over();
        }
        let batch = match built.shards[..] {
            [] => {
                ReplyWriter::new(&mut self.local.bytes, protocol).array(built.calls.len());
                self.local.bytes.extend_from_slice(&built.bytes);
                return self.answered();
            }
            [shard] if self.joint.is_none() && !built.is_subscribing => {
                let batch = &mut self.open[shard.index()];
                batch.client = self.client.card.id;
                batch
            }
            _ => {
                let Session { joint, spare, rooms, router, client, .. } = self;
                let shards = std::mem::take(&mut built.shards);
                joint_over(joint, shards, || fresh_joint(spare, rooms, router, client))
            }
        };
        built.append_to(batch, call, watch);
        self.lanes.expect(batch.lane);
    }

    /// Answers an error to a request that cannot run. Neither will the transaction it belongs to; an `EXEC` that
    /// is wrong itself ends it, as in Redis.
    pub(super) fn refuse_request(&mut self, buffer: &[u8], line: &str, counters: &ThreadCounters) {
        let name = Words::new(buffer, self.decoder.words()).at(0);
        if name.eq_ignore_ascii_case(b"exec") {
            self.transaction = None;
            self.unwatch();
            let reason = line.strip_prefix("ERR ").unwrap_or(line);
            return self.refuse(&format!("EXECABORT Transaction discarded because of: {reason}"), counters);
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.is_aborted = true;
        }
        self.refuse(line, counters);
    }

    fn build(&mut self, transaction: &Transaction, surroundings: &Surroundings<'_>) -> Built {
        let mut built = Built::default();
        let prefixes_max = self.options.tracked_prefixes_max;
        self.client.is_in_transaction = true;
        for request in transaction.requests() {
            let (command, words) = (request.command, transaction.words(request));
            if let Err(line) = self.permit_at_exec(command, words, surroundings) {
                surroundings.counters.refused.add(1);
                surroundings.counters.error(line.as_bytes());
                let mut reply = Vec::new();
                ReplyWriter::new(&mut reply, self.client.protocol).error(&line);
                built.add(CallKind::Reply, command, &self.client, [&reply[..]].into_iter(), (0, 0));
                continue;
            }
            if let Err(line) = track(&mut self.client, command, words, surroundings.host, prefixes_max) {
                let mut reply = Vec::new();
                ReplyWriter::new(&mut reply, self.client.protocol).error(&line);
                built.add(CallKind::Reply, command, &self.client, [&reply[..]].into_iter(), (0, 0));
                continue;
            }
            match route(command, words, &self.router) {
                Route::Session => {
                    let mut reply = Vec::new();
                    match command.full_name() {
                        "monitor" => ReplyWriter::new(&mut reply, self.client.protocol).error(NO_MONITOR),
                        _ => _ = run_here(&mut self.client, command, words, surroundings, &mut reply),
                    }
                    // It may have been about users, or one to log in with.
                    if self.is_behind(surroundings.host) {
                        let audit = self.look_up_user(surroundings.host.access());
                        self.forgets.extend(audit);
                    }
                    let mut replies = vec![&reply[..]];
                    let mut pong = Vec::new();
                    if self.client.protocol == Protocol::Resp2 && is_ping(command, words) {
                        pong_to_subscriber(words, &mut pong);
                        match built.is_subscribing {
                            true => replies.push(&pong),
                            false if self.subscriptions > 0 => replies = vec![&pong],
                            false => {}
                        }
                    }
                    built.add(CallKind::Reply, command, &self.client, replies.into_iter(), (0, 0));
                }
                Route::Shards(_)
                    if matches!(command.spec.run, Run::Step(Step::Subscribe(ChannelKind::ShardChannel))) =>
                {
                    let mut reply = Vec::new();
                    ReplyWriter::new(&mut reply, self.client.protocol).error(NO_SHARD_CHANNELS);
                    built.add(CallKind::Reply, command, &self.client, [&reply[..]].into_iter(), (0, 0));
                }
                Route::Shard { shard, key_word, key_hash } => {
                    insert_sorted(&mut built.shards, shard);
                    let keyed = (key_word, key_hash);
                    built.add(CallKind::Queued, command, &self.client, words.from(0), keyed);
                }
                Route::Shards(shards) => {
                    shards.into_iter().for_each(|shard| insert_sorted(&mut built.shards, shard));
                    built.is_subscribing |= is_subscribing(command);
                    built.add(CallKind::Queued, command, &self.client, words.from(0), (0, 0));
                }
            }
            if self.is_monitored(surroundings) {
                let (host, now_micros) = (surroundings.host, surroundings.now_micros);
                self.monitoring.show(&self.client, command, words, host, now_micros);
            }
        }
        self.client.is_in_transaction = false;
        built
    }
}

impl Built {
    fn add<'a>(
        &mut self,
        kind: CallKind,
        command: &'static Command,
        client: &ClientState,
        words: impl Iterator<Item = &'a [u8]>,
        (key_word, key_hash): (u32, u64),
    ) {
        let first_word = self.words.len() as u32;
        for word in words {
            self.words.push(Span { start: self.bytes.len() as u32, length: word.len() as u32 });
            self.bytes.extend_from_slice(word);
        }
        let word_count = self.words.len() as u32 - first_word;
        let (database, protocol) = (client.database, client.protocol);
        let is_tracked = client.tracking.as_ref().is_some_and(|tracking| tracking.remembers(command));
        self.calls.push(Call {
            command,
            kind,
            first_word,
            word_count,
            key_word,
            database,
            protocol,
            is_tracked,
            touches: !client.card.no_touch.load(Relaxed),
            key_hash,
        });
    }

    /// Puts the transaction behind what is in the batch already.
    fn append_to(self, batch: &mut Batch, mut exec: Call, watch: Option<WatchFlag>) {
        if let (CallKind::Transaction { flag, .. }, Some(watch)) = (&mut exec.kind, watch) {
            *flag = Some(batch.flags.len() as u32);
            batch.flags.push(watch);
        }
        let (first_word, first_byte) = (batch.words.len() as u32, batch.queued.len() as u32);
        batch.calls.push(Call { first_word, ..exec });
        let moved = |call: Call| Call { first_word: first_word + call.first_word, ..call };
        batch.calls.extend(self.calls.into_iter().map(moved));
        let moved = |word: Span| Span { start: first_byte + word.start, ..word };
        batch.words.extend(self.words.into_iter().map(moved));
        batch.queued.extend_from_slice(&self.bytes);
    }
}
