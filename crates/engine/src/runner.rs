//! Runs the calls of a batch one after the other, at one instant, on the data in hand.

use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use fastrand::Rng;
use mayfly_command::{
    Change, Changes, ChannelKind, Class, Data, DataContext, Flags, Precision, Router, Run, ShardId, Shards,
    Step, TrackingRequest, TtlRules, glob,
};
use mayfly_resp::{Protocol, ReplyWriter};
use mayfly_store::{Key, Keyspace};

use crate::batch::{Batch, Call, CallKind, Effect, Replies, Work};
use crate::memory::{Keeper, MakeRoom, OUT_OF_MEMORY, Room};
use crate::meter::Meter;
use crate::observers::Observers;
use crate::shard::Moment;
use crate::subscriptions::verb;

/// Calls whose keys are prefetched together. Stages of 16 and of 64 cost nearly the same per call; beyond, the
/// lines fetched first may be gone again.
const PREFETCH_CALLS: usize = 64;

/// The data that a batch may touch, and who observes it.
pub enum Hand<'a, A> {
    /// One shard's own.
    One(&'a mut Keyspace, &'a mut Observers<A>),
    /// Those that travelled here, by number of the shard.
    Many(&'a mut [Option<Box<Keyspace>>], &'a mut [Option<Box<Observers<A>>>]),
}

impl<A: Clone> Hand<'_, A> {
    fn shards(&mut self) -> Shards<'_> {
        match self {
            Hand::One(keyspace, _) => Shards::One(keyspace),
            Hand::Many(keyspaces, _) => Shards::Many(keyspaces),
        }
    }

    fn observers(&mut self) -> impl Iterator<Item = &mut Observers<A>> {
        let (one, many) = match self {
            Hand::One(_, observers) => (Some(&mut **observers), None),
            Hand::Many(_, observers) => {
                (None, Some(observers.iter_mut().flatten().map(|boxed| &mut **boxed)))
            }
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    fn are_watched(&self) -> bool {
        match self {
            Hand::One(_, observers) => observers.are_watching(),
            Hand::Many(_, observers) => observers.iter().flatten().any(|observers| observers.are_watching()),
        }
    }

    /// The observers of the shard that owns a key.
    fn observers_of(&mut self, router: &Router, key: &[u8]) -> Option<&mut Observers<A>> {
        match self {
            Hand::One(_, observers) => Some(observers),
            Hand::Many(_, observers) => {
                observers.get_mut(router.shard_of(router.key(key)).index())?.as_deref_mut()
            }
        }
    }
}

/// Runs calls at one instant.
pub struct Runner<'a, 'm, A> {
    pub router: &'a Router,
    pub random: &'a mut Rng,
    pub moment: &'a Moment<'a>,
    pub meter: &'a mut Meter<'m>,
    pub output_bytes_max: usize,
    /// Where the replies go, and the messages of new subscriptions.
    pub reply_to: &'a A,
    pub effects: &'a mut Vec<Effect<A>>,
    pub changes: &'a mut Changes,
    /// What it does belongs together: no record ends here.
    pub is_in_transaction: bool,
    /// Keeps memory within its limit, if there is one.
    pub keeper: Option<Keeper<'a>>,
    /// The shard that runs it.
    pub shard: ShardId,
    /// The rules for TTLs, if there are any.
    pub ttl_rules: Option<&'a TtlRules>,
    /// Set where memory is past its limit still.
    pub has_to_relieve: &'a mut bool,
    /// How closely calls are measured.
    pub precision: Precision,
}

impl<A: Clone> Runner<'_, '_, A> {
    /// Runs all calls of a batch; the replies are written into `replies`.
    pub fn run(mut self, batch: &Batch, replies: &mut Replies, hand: &mut Hand<'_, A>) {
        replies.lane = batch.lane;
        replies.ends.reserve(batch.calls.len());
        self.changes.set_watched(hand.are_watched());
        let mut calls = &batch.calls[..];
        while !calls.is_empty() {
            let stage = &calls[..calls.len().min(PREFETCH_CALLS)];
            // A shorter batch was prefetched together with others.
            if let (Hand::One(keyspace, _), true) = (&*hand, batch.calls.len() > PREFETCH_CALLS) {
                prefetch(keyspace, &stage.iter());
            }
            let mut done = 0;
            match self.keeper {
                _ if self.precision.is_wanted() => {
                    done = self.run_measured(batch, calls, stage.len(), hand, replies);
                }
                None => {
                    while done < stage.len() {
                        done += self.step(batch, &calls[done..], hand, replies);
                    }
                }
                Some(keeper) => {
                    while done < stage.len() {
                        done += self.step_within(keeper, batch, &calls[done..], hand, replies);
                    }
                }
            }
            calls = &calls[done..];
        }
        if self.changes.is_watched() {
            hand.observers().for_each(|observers| observers.tracking.finish(self.effects));
        }
    }

    /// Runs the next call, or the next transaction, to one reply; how many calls that used up.
    #[inline(always)]
    pub(crate) fn step(
        &mut self,
        batch: &Batch,
        calls: &[Call],
        hand: &mut Hand<'_, A>,
        replies: &mut Replies,
    ) -> usize {
        let call = &calls[0];
        let used = match call.kind {
            CallKind::Transaction { calls: count, .. } => {
                let inner = &calls[1..=count as usize];
                self.transaction(batch, call, inner, hand, replies);
                1 + inner.len()
            }
            _ => {
                self.call_or_sample(batch, call, hand, replies);
                1
            }
        };
        self.limit(replies);
        replies.ends.push(replies.bytes.len());
        used
    }

    /// The same where memory is limited: room is made for what needs some, or it is refused.
    #[inline(never)]
    pub(crate) fn step_within(
        &mut self,
        keeper: Keeper<'_>,
        batch: &Batch,
        calls: &[Call],
        hand: &mut Hand<'_, A>,
        replies: &mut Replies,
    ) -> usize {
        let call = &calls[0];
        let needs_memory =
            |call: &Call| call.kind != CallKind::Reply && call.command.spec.flags.has(Flags::DENYOOM);
        let (needs, used) = match call.kind {
            CallKind::Transaction { calls: count, .. } => {
                let inner = &calls[1..=count as usize];
                (inner.iter().any(needs_memory), 1 + inner.len())
            }
            _ => (needs_memory(call), 1),
        };
        if !needs || self.make_room(keeper, hand) != Room::Nothing {
            return self.step(batch, calls, hand, replies);
        }
        let mut line = OUT_OF_MEMORY.to_owned();
        let mut is_muted = false;
        if let CallKind::Transaction { flag, is_muted: muted, .. } = call.kind {
            line.insert_str(0, "EXECABORT Transaction discarded because of: ");
            is_muted = muted;
            if flag.is_some() {
                hand.observers().for_each(|observers| observers.unwatch(batch.client));
            }
        }
        self.meter.counters().refused.add(1);
        self.meter.counters().error(line.as_bytes());
        if !is_muted {
            ReplyWriter::new(&mut replies.bytes, call.protocol).error(&line);
        }
        replies.ends.push(replies.bytes.len());
        used
    }

    /// Makes room on the shards in hand, if memory is past its limit.
    fn make_room(&mut self, keeper: Keeper<'_>, hand: &mut Hand<'_, A>) -> Room {
        let is_within = match hand {
            Hand::One(keyspace, _) => keeper.is_within(self.shard, keyspace),
            Hand::Many(keyspaces, _) => {
                let at_hand = keyspaces.iter().zip(0..);
                let noted = at_hand.filter_map(|(keyspace, index)| {
                    Some(keeper.is_within(ShardId(index), keyspace.as_ref()?))
                });
                noted.last().unwrap_or(true)
            }
        };
        if is_within { Room::Enough } else { self.evict(keeper, hand) }
    }

    #[cold]
    fn evict(&mut self, keeper: Keeper<'_>, hand: &mut Hand<'_, A>) -> Room {
        let start = (self.moment.stopwatch)();
        let mut task = MakeRoom { now: self.moment.now, changes: self.changes, random: self.random };
        let room = match hand {
            Hand::One(keyspace, _) => keeper.make_room(&mut task, &mut [(self.shard, keyspace)]),
            Hand::Many(keyspaces, _) => {
                let at_hand = keyspaces.iter_mut().zip(0..);
                let mut at_hand: Vec<_> = at_hand
                    .filter_map(|(keyspace, index)| Some((ShardId(index), &mut **keyspace.as_mut()?)))
                    .collect();
                keeper.make_room(&mut task, &mut at_hand)
            }
        };
        let nanos = (self.moment.stopwatch)().saturating_sub(start);
        self.moment.host.diagnostics().took("eviction-cycle", nanos, self.moment.now);
        *self.has_to_relieve |= room == Room::Later;
        if room == Room::Elsewhere {
            for helper in keeper.call_helpers().filter(|helper| *helper != self.shard) {
                self.effects.push(Effect::Pass(helper, Work::Relieve));
            }
        }
        self.changes.may_split_record();
        if self.changes.is_watched() {
            self.report(None, hand);
        }
        room
    }

    #[cold]
    fn transaction(
        &mut self,
        batch: &Batch,
        exec: &Call,
        calls: &[Call],
        hand: &mut Hand<'_, A>,
        replies: &mut Replies,
    ) {
        let CallKind::Transaction { flag, is_muted, .. } = exec.kind else { return };
        self.meter.begin(exec.command.id);
        if let Some(flag) = flag {
            self.expire_watched(batch.client, hand);
            hand.observers().for_each(|observers| observers.unwatch(batch.client));
            if batch.flags[flag as usize].load(Relaxed) {
                if !is_muted {
                    ReplyWriter::new(&mut replies.bytes, exec.protocol).null_array();
                }
                return;
            }
        }
        if !is_muted {
            ReplyWriter::new(&mut replies.bytes, exec.protocol).array(calls.len());
        }
        self.is_in_transaction = true;
        if self.precision.is_wanted() {
            // What came before the first call is no part of it.
            self.meter.lap();
        }
        for call in calls {
            let before = replies.bytes.len();
            self.call_or_sample(batch, call, hand, replies);
            if self.precision.is_wanted() {
                self.measure(batch, std::slice::from_ref(call));
            }
            let is_confirmation =
                matches!(call.command.spec.run, Run::Step(Step::Subscribe(_) | Step::Unsubscribe(_)));
            if is_muted && !is_confirmation {
                replies.bytes.truncate(before);
            }
            self.limit(replies);
        }
        self.is_in_transaction = false;
    }

    /// Drops a reply that makes the batch's too long. The call was carried out; its client is closed for not being
    /// able to take the reply.
    #[inline]
    fn limit(&self, replies: &mut Replies) {
        if replies.bytes.len() > self.output_bytes_max {
            replies.overflow = true;
            replies.bytes.truncate(replies.ends.last().copied().unwrap_or(0));
        }
    }

    /// A watched key that is past its deadline has changed, whether or not the wheel has come to it.
    fn expire_watched(&mut self, client: u64, hand: &mut Hand<'_, A>) {
        let watched: Vec<_> = hand.observers().flat_map(|observers| observers.watched_by(client)).collect();
        for (database, key) in watched {
            self.is_there(database, &key, hand);
        }
        self.report(None, hand);
    }

    /// Whether a key is there. One that is past its deadline is removed, as by any look-up.
    fn is_there(&self, database: u16, key: &[u8], hand: &mut Hand<'_, A>) -> bool {
        let (key, now) = (self.router.key(key), self.moment.now);
        let entry = match hand.shards() {
            Shards::One(keyspace) => keyspace.database_mut(database).find(key, now),
            Shards::Many(keyspaces) => keyspaces[self.router.shard_of(key).index()]
                .as_mut()
                .and_then(|keyspace| keyspace.database_mut(database).find(key, now)),
        };
        entry.is_some()
    }

    /// Runs one call. Whoever has a call run does it by [`Runner::call_or_sample`].
    #[inline(always)]
    pub(crate) fn call(&mut self, batch: &Batch, call: &Call, hand: &mut Hand<'_, A>, replies: &mut Replies) {
        let words = batch.words_of(call);
        if call.kind == CallKind::Reply {
            let mut listens =
                || hand.observers().next().is_some_and(|all| all.subscriptions.count(batch.client) > 0);
            let to_listener = words.get(1).filter(|_| listens());
            replies.bytes.extend_from_slice(to_listener.unwrap_or(words.at(0)));
            return;
        }
        self.meter.begin(call.command.id);
        let (Run::Keys(run) | Run::AllShards(run) | Run::Cursor(run)) = call.command.spec.run else {
            return self.conversation(batch, call, hand, replies);
        };
        let routed = match call.key_word {
            0 => Key { bytes: b"", hash: 0 },
            position => Key { bytes: words.at(position as usize), hash: call.key_hash },
        };
        let start = replies.bytes.len();
        let data = Data::new(
            hand.shards(),
            self.router,
            routed,
            self.changes,
            call.touches,
            call.database,
            self.moment.now,
            self.ttl_rules,
        );
        let mut context = DataContext {
            data,
            host: self.moment.host,
            random: self.random,
            reply: ReplyWriter::new(&mut replies.bytes, call.protocol),
        };
        if context.run(call.command, run, words) {
            self.meter.error();
            self.meter.counters().error(&replies.bytes[start + 1..]);
        }
        if call.is_tracked {
            self.remember(batch, call, hand);
        }
        if self.changes.is_followed() {
            self.follow(batch.client, hand);
        }
    }

    /// What others have of the last call: the log, and those who watch.
    #[inline(never)]
    fn follow(&mut self, client: u64, hand: &mut Hand<'_, A>) {
        if !self.is_in_transaction {
            self.changes.may_split_record();
        }
        if self.changes.is_watched() {
            self.report(Some(client), hand);
        }
    }

    /// The client caches what this call has read.
    #[cold]
    fn remember(&mut self, batch: &Batch, call: &Call, hand: &mut Hand<'_, A>) {
        let words = batch.words_of(call);
        for position in call.command.spec.key_positions(words.len()) {
            let key = words.at(position);
            if let Some(observers) = hand.observers_of(self.router, key) {
                observers.tracking.remember(key, batch.client, self.random, self.effects);
            }
        }
    }

    /// Tells the observers what the last call changed, and who asked for it: first the keys it found past their
    /// deadline, which nobody asked for.
    #[cold]
    fn report(&mut self, by: Option<u64>, hand: &mut Hand<'_, A>) {
        let mut expired = Vec::new();
        let mut note = |database, key: &[u8], _| expired.push(expired_change(database, key));
        match hand {
            Hand::One(keyspace, _) => keyspace.take_expired_on_access(&mut note),
            Hand::Many(keyspaces, _) => {
                keyspaces
                    .iter_mut()
                    .flatten()
                    .for_each(|keyspace| keyspace.take_expired_on_access(&mut note));
            }
        }
        let mut is_whole = false;
        let expired = expired.into_iter().map(|change| (change, None));
        for (change, by) in expired.chain(self.changes.take().into_iter().map(|change| (change, by))) {
            match &change {
                Change::Key { key, .. } => {
                    if let Some(observers) = hand.observers_of(self.router, key) {
                        observers.changed(&change, by, self.effects);
                    }
                }
                Change::Flushed { .. } | Change::Swapped { .. } => {
                    is_whole = true;
                    hand.observers().for_each(|observers| observers.changed(&change, by, self.effects));
                    if let Change::Swapped { first, second } = change {
                        self.notice_appeared(first, hand);
                        self.notice_appeared(second, hand);
                    }
                }
            }
        }
        if is_whole {
            let mut is_telling = true;
            for observers in hand.observers() {
                observers.tracking.flush(is_telling, self.effects);
                is_telling = false;
            }
        }
    }

    /// Tells those who watch absent keys of a database which of them a swap has brought.
    fn notice_appeared(&self, database: u16, hand: &mut Hand<'_, A>) {
        let absent: Vec<_> =
            hand.observers().flat_map(|observers| observers.watched_absent(database)).collect();
        for key in absent {
            if self.is_there(database, &key, hand)
                && let Some(observers) = hand.observers_of(self.router, &key)
            {
                observers.appeared(database, &key);
            }
        }
    }

    /// Watching, subscribing and publishing.
    #[cold]
    fn conversation(&mut self, batch: &Batch, call: &Call, hand: &mut Hand<'_, A>, replies: &mut Replies) {
        let Run::Step(step) = call.command.spec.run else {
            unreachable!("commands without data are answered by the session");
        };
        let words = batch.words_of(call);
        let mut reply = ReplyWriter::new(&mut replies.bytes, call.protocol);
        match step {
            Step::Watch => {
                if let CallKind::Watch { flag } = call.kind {
                    self.watch(batch, call, flag, hand);
                }
                reply.ok();
            }
            Step::Subscribe(kind) => {
                // Keys that expired before are no news for who listens from now on.
                self.report(None, hand);
                let names: Vec<_> = words.from(1).map(Bytes::copy_from_slice).collect();
                replies.subscriptions = Some(self.subscribe(
                    kind,
                    &names,
                    true,
                    batch.client,
                    hand,
                    &mut replies.bytes,
                    call.protocol,
                ));
                self.changes.set_watched(hand.are_watched());
            }
            Step::Unsubscribe(kind) => {
                let mut names: Vec<_> = words.from(1).map(Bytes::copy_from_slice).collect();
                if names.is_empty() {
                    names = hand
                        .observers()
                        .next()
                        .map_or_else(Vec::new, |observers| observers.subscriptions.of(kind, batch.client));
                }
                replies.subscriptions = Some(self.subscribe(
                    kind,
                    &names,
                    false,
                    batch.client,
                    hand,
                    &mut replies.bytes,
                    call.protocol,
                ));
                self.changes.set_watched(hand.are_watched());
            }
            Step::Publish(kind) => {
                let (channel, payload) =
                    (Bytes::copy_from_slice(words.at(1)), Bytes::copy_from_slice(words.at(2)));
                let observers = hand.observers().next();
                let receivers = observers.map_or(0, |observers| match kind {
                    ChannelKind::ShardChannel => {
                        observers.subscriptions.publish_to_shard_channel(&channel, &payload, self.effects)
                    }
                    _ => observers.subscriptions.publish(&channel, &payload, self.effects),
                });
                reply.integer(receivers as i64);
            }
            Step::ListChannels(_) if words.len() > 3 => {
                let subcommand = String::from_utf8_lossy(words.at(1));
                reply.error(&format!(
                    "ERR unknown subcommand or wrong number of arguments for '{subcommand}'. Try PUBSUB HELP."
                ));
            }
            Step::ListChannels(kind) => {
                let pattern = words.get(2).unwrap_or(b"*");
                let observers = hand.observers().next();
                let names: Vec<_> = observers
                    .iter()
                    .flat_map(|observers| observers.subscriptions.names(kind))
                    .filter(|name| glob::matches(pattern, name))
                    .collect();
                reply.array(names.len());
                names.into_iter().for_each(|name| reply.bulk(name));
            }
            Step::CountListeners(kind) => {
                let observers = hand.observers().next();
                reply.array(2 * words.from(2).len());
                for name in words.from(2) {
                    reply.bulk(name);
                    let listeners =
                        observers.as_ref().map_or(0, |all| all.subscriptions.listeners(kind, name));
                    reply.integer(listeners as i64);
                }
            }
            Step::CountPatterns => {
                let observers = hand.observers().next();
                let patterns =
                    observers.map_or(0, |all| all.subscriptions.names(ChannelKind::Pattern).count());
                reply.integer(patterns as i64);
            }
            Step::Track => {
                // Keys that expired before are no news for who tracks from now on.
                self.report(None, hand);
                // The session has checked it.
                if let Ok(request) = TrackingRequest::parse(words, |_| true) {
                    let address = self.reply_to.clone();
                    for observers in hand.observers() {
                        observers.tracking.set(batch.client, address.clone(), &request);
                    }
                    self.changes.set_watched(hand.are_watched());
                }
                reply.ok();
            }
            Step::Multi | Step::Exec | Step::Discard | Step::Unwatch => {
                unreachable!("transactions are made by the session")
            }
        }
    }

    fn watch(&mut self, batch: &Batch, call: &Call, flag: u32, hand: &mut Hand<'_, A>) {
        let words = batch.words_of(call);
        // One that is past its deadline is absent already, and does not change by being removed.
        let are_there: Vec<_> = words.from(1).map(|word| self.is_there(call.database, word, hand)).collect();
        self.report(None, hand);
        for (word, is_there) in words.from(1).zip(are_there) {
            if let Some(observers) = hand.observers_of(self.router, word) {
                observers.watch(batch.client, call.database, word, is_there, &batch.flags[flag as usize]);
            }
        }
        self.changes.set_watched(hand.are_watched());
    }

    /// Adds or removes subscriptions on every shard in hand, and writes one confirmation a name; how many the
    /// client has then.
    #[allow(clippy::too_many_arguments, reason = "one use, two callers")]
    fn subscribe(
        &mut self,
        kind: ChannelKind,
        names: &[Bytes],
        subscribes: bool,
        client: u64,
        hand: &mut Hand<'_, A>,
        out: &mut Vec<u8>,
        protocol: Protocol,
    ) -> [usize; 3] {
        let address = self.reply_to.clone();
        let mut reply = ReplyWriter::new(out, protocol);
        for name in names {
            let mut count = 0;
            for observers in hand.observers() {
                match subscribes {
                    true => observers.subscriptions.add(kind, name, client, address.clone()),
                    false => observers.subscriptions.remove(kind, name, client),
                }
                count = observers.subscriptions.count_with(kind, client);
            }
            reply.push(3);
            reply.bulk(verb(kind, subscribes).as_bytes());
            reply.bulk(name);
            reply.integer(count as i64);
        }
        let first = hand.observers().next();
        if names.is_empty() {
            reply.push(3);
            reply.bulk(verb(kind, subscribes).as_bytes());
            reply.null();
            reply.integer(first.as_ref().map_or(0, |all| all.subscriptions.count_with(kind, client)) as i64);
        }
        first.map_or([0; 3], |all| all.subscriptions.counts(client))
    }
}

/// The change that expiry is.
pub fn expired_change(database: u16, key: &[u8]) -> Change {
    Change::Key { database, class: Class::Expired, event: "expired", key: key.to_vec() }
}

/// Prefetches for the first batches of a queue, as many as make one stage; their number, at least one. A batch that
/// is longer than a stage is prefetched piece by piece when it runs.
pub fn prefetch_stage<A>(keyspace: &Keyspace, queue: &[(Box<Batch>, A)]) -> usize {
    let mut calls = 0;
    let fits = |(batch, _): &&(Box<Batch>, A)| {
        calls += batch.calls.len();
        calls <= PREFETCH_CALLS
    };
    let stage = &queue[..queue.iter().take_while(fits).count()];
    // A call that stands alone finds its lines as fast by itself.
    if !matches!(stage, [(batch, _)] if batch.calls.len() == 1) {
        prefetch(keyspace, &stage.iter().flat_map(|(batch, _)| &batch.calls));
    }
    stage.len().max(1)
}

/// Brings the lines that the calls will touch into the cache, stage by stage, so that the misses overlap.
fn prefetch<'c>(keyspace: &Keyspace, calls: &(impl Iterator<Item = &'c Call> + Clone)) {
    // Each as one inner loop: an iterator over many batches is slow to step from outside.
    let keyed = || calls.clone().filter(|call| call.key_word != 0);
    keyed().for_each(|call| keyspace.database(call.database).prefetch_index(call.key_hash));
    keyed().for_each(|call| keyspace.database(call.database).prefetch_entry(call.key_hash));
}
