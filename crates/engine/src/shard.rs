//! One shard: its data, the order of what is done to it, and its expiry.
//!
//! A shard does one thing after the other. While its keyspace is away with a joint it only queues.

use std::collections::VecDeque;
use std::sync::Arc;

use fastrand::Rng;
use mayfly_command::{Changes, Host, Router, ShardId, TtlRules};
use mayfly_persistence::Record;
use mayfly_store::{Keyspace, KeyspaceStats, Reclaimed, StoreOptions, UnixMillis};

use crate::batch::{Batch, Effect, Joint, Work};
use crate::counters::ThreadCounters;
use crate::events::SharedEventClasses;
use crate::memory::{Keeper, MakeRoom, MemoryOptions, Room, SharedMemory};
use crate::meter::{Meter, Stopwatch};
use crate::observers::Observers;
use crate::replay::{self, ReplayError};
use crate::runner::{Hand, Runner, expired_change, prefetch_stage};
use crate::snapshot::{Slice, SnapshotCursor};
use crate::subscriptions::{Message, Push};

/// Limits of a shard, from the config.
#[derive(Clone, Debug)]
pub struct ShardOptions {
    /// How its data is kept.
    pub store: StoreOptions,
    /// Entries reclaimed before the shard looks at its mailbox again.
    pub slice_entries_max: usize,
    /// Bytes of replies that one batch may produce; past it the rest is dropped and the client closed.
    pub output_bytes_max: usize,
    /// The keyspace events that are sent; all shards share them.
    pub events: SharedEventClasses,
    /// Keys that are remembered for clients that cache them.
    pub tracked_keys_max: usize,
    /// Whether changes of data leave as [`Effect::Record`], for the log.
    pub is_recording: bool,
    /// The limit of memory.
    pub memory: MemoryOptions,
    /// What all shards use of it.
    pub shared_memory: SharedMemory,
    /// The rules for TTLs, if there are any.
    pub ttl_rules: Option<Arc<TtlRules>>,
}

impl Default for ShardOptions {
    /// What the config has unless somebody says otherwise.
    fn default() -> Self {
        ShardOptions {
            store: StoreOptions::default(),
            slice_entries_max: 256,
            output_bytes_max: 256 << 20,
            events: SharedEventClasses::default(),
            tracked_keys_max: 1_000_000,
            is_recording: false,
            memory: MemoryOptions::default(),
            shared_memory: SharedMemory::default(),
            ttl_rules: None,
        }
    }
}

/// The instant at which a shard works, and its means to measure.
pub struct Moment<'a> {
    /// Read once for the whole batch.
    pub now: UnixMillis,
    /// The process around it.
    pub host: &'a dyn Host,
    /// Measures commands and slices.
    pub stopwatch: Stopwatch<'a>,
}

/// What a shard holds at the moment, for metrics.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct ShardGauges {
    /// Live keys and those not yet reclaimed, over all databases.
    pub keys: u64,
    /// Those of them with a deadline.
    pub keys_with_deadline: u64,
    /// Bytes held by its data, by its own accounting.
    pub bytes: u64,
    /// Those of them that a limit of memory counts: the rest is room for the next entries.
    pub used_bytes: u64,
    /// Keys due and not yet reclaimed.
    pub backlog: u64,
    /// Batches and joints that wait for the keyspace to come home.
    pub waiting: u64,
}

/// One shard. `A` is an address that replies are sent to.
#[derive(Debug)]
pub struct Shard<A> {
    id: ShardId,
    options: ShardOptions,
    /// Absent while it is away with a joint.
    keyspace: Option<Box<Keyspace>>,
    /// At home or away together with the keyspace.
    observers: Option<Box<Observers<A>>>,
    waiting: VecDeque<Work<A>>,
    tools: Tools,
    counters: Arc<ThreadCounters>,
    /// Room for batches that are run together; empty between two calls.
    together: Vec<(Box<Batch>, A)>,
    /// Memory may be past its limit: keys are evicted in slices.
    is_relieving: bool,
}

/// What a shard needs to run calls, besides data and those who observe it.
#[derive(Debug)]
struct Tools {
    shard: ShardId,
    router: Router,
    random: Rng,
    changes: Changes,
}

impl Tools {
    fn runner<'a, 'm, A>(
        &'a mut self,
        meter: &'a mut Meter<'m>,
        options: &'a ShardOptions,
        reply_to: &'a A,
        moment: &'a Moment<'a>,
        effects: &'a mut Vec<Effect<A>>,
        is_relieving: &'a mut bool,
    ) -> Runner<'a, 'm, A> {
        let Tools { shard, router, random, changes } = self;
        let shard = *shard;
        let (output_bytes_max, is_in_transaction) = (options.output_bytes_max, false);
        Runner {
            keeper: Keeper::of(&options.memory, &options.shared_memory),
            shard,
            ttl_rules: options.ttl_rules.as_deref(),
            has_to_relieve: is_relieving,
            router,
            random,
            moment,
            meter,
            output_bytes_max,
            reply_to,
            effects,
            changes,
            is_in_transaction,
            precision: moment.host.diagnostics().precision(),
        }
    }

    /// Records effects from now on, or no more.
    fn set_recording(&mut self, is_recording: bool) {
        if is_recording != self.changes.is_recorded() {
            self.changes.set_recorder(is_recording.then(Box::default));
        }
    }
}

impl<A: Clone> Shard<A> {
    /// An empty shard. `seed` feeds its random numbers.
    pub fn new(
        id: ShardId,
        router: Router,
        options: ShardOptions,
        seed: u64,
        counters: Arc<ThreadCounters>,
    ) -> Self {
        let keyspace = Keyspace::new(options.store.clone(), router.hasher().clone());
        let mut tools =
            Tools { shard: id, router, random: Rng::with_seed(seed), changes: Changes::default() };
        tools.set_recording(options.is_recording);
        let mut shard = Shard {
            id,
            observers: Some(Box::new(Observers::new(options.events.clone(), options.tracked_keys_max))),
            options,
            keyspace: Some(Box::new(keyspace)),
            waiting: VecDeque::new(),
            together: Vec::new(),
            tools,
            counters,
            is_relieving: false,
        };
        shard.begin_limit();
        shard
    }

    /// Changes the limits, for what comes from now on; the number of databases stays.
    pub fn set_options(&mut self, options: ShardOptions) {
        self.tools.set_recording(options.is_recording);
        self.options = options;
        self.apply_store_options();
        self.begin_limit();
    }

    /// Keeps to the limit of memory, whatever it was before.
    fn begin_limit(&mut self) {
        self.is_relieving = self.options.memory.is_limited();
        match Keeper::of(&self.options.memory, &self.options.shared_memory) {
            Some(keeper) => {
                keeper.begin(self.id);
                self.keyspace.iter().for_each(|keyspace| keeper.note(self.id, keyspace));
            }
            None => {
                self.options.shared_memory.lift();
                self.keyspace.iter_mut().for_each(|keyspace| keyspace.forget_candidates());
            }
        }
    }

    /// Takes the work of one turn of its thread, in order. Batches that stand together are run together: what they
    /// touch is brought into the cache for all of them first.
    pub fn accept_all(
        &mut self,
        works: impl IntoIterator<Item = Work<A>>,
        moment: &Moment<'_>,
        effects: &mut Vec<Effect<A>>,
    ) {
        let mut together = std::mem::take(&mut self.together);
        for work in works {
            match work {
                Work::Batch(batch, reply_to) if self.keyspace.is_some() => together.push((batch, reply_to)),
                work => {
                    self.run_batches(&mut together, moment, effects);
                    self.accept(work, moment, effects);
                }
            }
        }
        self.run_batches(&mut together, moment, effects);
        self.together = together;
    }

    /// Takes work in its order: does it now, or queues it while the keyspace is away.
    pub fn accept(&mut self, work: Work<A>, moment: &Moment<'_>, effects: &mut Vec<Effect<A>>) {
        match work {
            Work::Return(keyspace, observers) => {
                assert!(self.keyspace.is_none(), "a keyspace comes home to an empty place");
                self.counters.observed(&observers);
                self.keyspace = Some(keyspace);
                self.observers = Some(observers);
                // They may have changed while it was away.
                self.apply_store_options();
                while self.keyspace.is_some()
                    && let Some(work) = self.waiting.pop_front()
                {
                    self.perform(work, moment, effects);
                }
            }
            work if self.keyspace.is_none() => self.waiting.push_back(work),
            work => self.perform(work, moment, effects),
        }
    }

    /// One slice of expiry. Nothing happens while the keyspace is away.
    pub fn reclaim(&mut self, moment: &Moment<'_>, effects: &mut Vec<Effect<A>>) -> Reclaimed {
        let (Some(keyspace), Some(observers)) = (&mut self.keyspace, &mut self.observers) else {
            return Reclaimed::default();
        };
        let start = (moment.stopwatch)();
        let watched = observers.are_watching();
        let mut expire = |database, key: &[u8], _| {
            if watched {
                observers.changed(&expired_change(database, key), None, effects);
            }
        };
        let reclaimed = keyspace.reclaim(moment.now, self.options.slice_entries_max, &mut expire);
        let reclaimed = match self.is_relieving {
            true => self.relieve(reclaimed, moment, effects),
            false => reclaimed,
        };
        let Some(observers) = &mut self.observers else { unreachable!("it was here just now") };
        observers.tracking.finish(effects);
        self.counters.observed(observers);
        if reclaimed.steps > 0 {
            let nanos = (moment.stopwatch)().saturating_sub(start);
            self.was_busy(nanos);
            moment.host.diagnostics().took("expire-cycle", nanos, moment.now);
        }
        reclaimed
    }

    /// One slice of evicting beside its own work, behind a slice of expiry.
    #[cold]
    fn relieve(
        &mut self,
        mut reclaimed: Reclaimed,
        moment: &Moment<'_>,
        effects: &mut Vec<Effect<A>>,
    ) -> Reclaimed {
        let keeper = Keeper::of(&self.options.memory, &self.options.shared_memory);
        let (Some(keeper), Some(keyspace), Some(observers)) =
            (keeper, &mut self.keyspace, &mut self.observers)
        else {
            self.is_relieving = false;
            return reclaimed;
        };
        let Tools { random, changes, .. } = &mut self.tools;
        let first = effects.len();
        changes.set_watched(observers.are_watching());
        changes.begin_record(moment.now);
        let mut steps = self.options.slice_entries_max;
        let mut task = MakeRoom { now: moment.now, changes, random };
        self.is_relieving = keeper.relieve(&mut task, self.id, keyspace, &mut steps) == Room::Later;
        for change in changes.take() {
            observers.changed(&change, None, effects);
        }
        place_records(changes, &self.counters, effects, first);
        reclaimed.steps += self.options.slice_entries_max - steps;
        reclaimed.more |= self.is_relieving;
        reclaimed
    }

    /// When [`Shard::reclaim`] has something to do; `None`: not before other work comes.
    pub fn next_reclaim(&self) -> Option<UnixMillis> {
        let keyspace = self.keyspace.as_ref()?;
        if self.is_relieving { Some(UnixMillis(0)) } else { keyspace.next_reclaim() }
    }

    /// Does again what was recorded, for the keys that are its own. Before any work, all records of the snapshot and
    /// then of the log, then [`Shard::end_replay`].
    ///
    /// # Errors
    /// The record cannot be applied; the shard is of no use any more.
    pub fn replay(&mut self, record: &Record<'_>) -> Result<(), ReplayError> {
        let keyspace = self.keyspace.as_deref_mut().expect("no joint is under way before the start");
        replay::apply(record, keyspace, &self.tools.router, self.id)
    }

    /// Ends the replay: what is past its deadline is dropped; how many keys those were.
    pub fn end_replay(&mut self, now: UnixMillis) -> u64 {
        let keyspace = self.keyspace.as_deref_mut().expect("no joint is under way before the start");
        // Records may be of a time that is yet to come, by this clock.
        keyspace.turn_back(now);
        let reclaimed = keyspace.reclaim(now, usize::MAX, &mut |_, _, _| {});
        // They had expired long ago: that is no lag, and nobody hears of it.
        *keyspace.stats_mut() = KeyspaceStats::default();
        self.begin_limit();
        reclaimed.expired as u64
    }

    /// The next of its keys for a snapshot. A slice that is longer than `bytes_max` ends behind the key, or the piece
    /// of a large hash, that made it so.
    pub fn snapshot_slice(
        &mut self,
        cursor: &mut SnapshotCursor,
        bytes_max: usize,
        now: UnixMillis,
    ) -> Slice {
        match &self.keyspace {
            Some(keyspace) => cursor.slice(keyspace, &self.tools.router, bytes_max, now),
            None => Slice::Nothing,
        }
    }

    /// How often two databases have changed places: the same for all shards, since a swap visits all of them. `None`
    /// while its keyspace is away.
    pub fn swaps(&self) -> Option<u64> {
        self.keyspace.as_ref().map(|keyspace| keyspace.swaps())
    }

    /// What it holds at `now`; `None` while the keyspace is away.
    pub fn gauges(&self, now: UnixMillis) -> Option<ShardGauges> {
        let keyspace = self.keyspace.as_ref()?;
        let databases = || (0..keyspace.databases()).map(|index| keyspace.database(index));
        Some(ShardGauges {
            keys: databases().map(|database| database.len() as u64).sum(),
            keys_with_deadline: databases().map(|database| database.len_with_deadline() as u64).sum(),
            bytes: keyspace.bytes() as u64,
            used_bytes: keyspace.used_bytes() as u64,
            backlog: keyspace.backlog(now) as u64,
            waiting: self.waiting.len() as u64,
        })
    }

    /// The data; `None` while it is away.
    pub fn keyspace_mut(&mut self) -> Option<&mut Keyspace> {
        self.keyspace.as_deref_mut()
    }

    /// Who observes it; `None` while they are away with the data.
    pub fn observers(&self) -> Option<&Observers<A>> {
        self.observers.as_deref()
    }

    /// Its number.
    pub fn id(&self) -> ShardId {
        self.id
    }

    fn apply_store_options(&mut self) {
        let StoreOptions { packed_fields_max, packed_bytes_max, access, hot_key_sample_calls, .. } =
            self.options.store;
        if let Some(keyspace) = &mut self.keyspace {
            keyspace.set_packed_limits(packed_fields_max, packed_bytes_max);
            keyspace.set_access_policy(access);
            keyspace.sampling_mut().set_sample_calls(hot_key_sample_calls);
        }
    }

    fn perform(&mut self, work: Work<A>, moment: &Moment<'_>, effects: &mut Vec<Effect<A>>) {
        match work {
            Work::Batch(batch, reply_to) => self.run_batches(&mut vec![(batch, reply_to)], moment, effects),
            Work::Joint(joint) => self.join(joint, moment, effects),
            Work::Unwatch(shards, client, flag) => {
                if let Some(observers) = &mut self.observers {
                    observers.unwatch_by(client, &flag);
                }
                if let Some(&next) = shards.iter().find(|shard| **shard > self.id) {
                    effects.push(Effect::Pass(next, Work::Unwatch(shards, client, flag)));
                }
            }
            Work::Unsubscribe(client) => {
                if let Some(observers) = &mut self.observers {
                    observers.subscriptions.forget(client);
                    observers.tracking.forget(client);
                    self.counters.observed(observers);
                }
                if self.id.0 + 1 < self.tools.router.shards() {
                    effects.push(Effect::Pass(ShardId(self.id.0 + 1), Work::Unsubscribe(client)));
                }
            }
            Work::Audit(client, user) => {
                if let Some(observers) = &self.observers {
                    observers.subscriptions.audit(client, &user, effects);
                }
            }
            Work::Relieve => self.is_relieving = true,
            Work::Return(..) => unreachable!("a keyspace that comes home is never queued"),
        }
    }

    /// Hands the keyspace over to a joint; runs it if this is its last shard.
    fn join(&mut self, mut joint: Box<Joint<A>>, moment: &Moment<'_>, effects: &mut Vec<Effect<A>>) {
        joint.keyspaces[self.id.index()] = self.keyspace.take();
        joint.observers[self.id.index()] = self.observers.take();
        if let Some(&next) = joint.shards.iter().find(|shard| **shard > self.id) {
            effects.push(Effect::Pass(next, Work::Joint(joint)));
            return;
        }
        let Joint { mut batch, mut keyspaces, mut observers, reply_to, .. } = *joint;
        let before = effects.len();
        let mut replies = batch.room.take().unwrap_or_default();
        let mut hand = Hand::Many(&mut keyspaces, &mut observers);
        let mut meter = Meter::started(&self.counters, moment.stopwatch);
        self.tools.changes.begin_record(moment.now);
        let relieving = &mut self.is_relieving;
        let runner = self.tools.runner(&mut meter, &self.options, &reply_to, moment, effects, relieving);
        runner.run(&batch, &mut replies, &mut hand);
        if let Some(keeper) = Keeper::of(&self.options.memory, &self.options.shared_memory) {
            for (keyspace, index) in keyspaces.iter().zip(0..) {
                keyspace.iter().for_each(|keyspace| keeper.note(ShardId(index), keyspace));
            }
        }
        let nanos = meter.finish();
        replies.own = take_own(batch.client, effects, before);
        place_records(&mut self.tools.changes, &self.counters, effects, before);
        replies.spent = Some(batch);
        self.counters.joints.add(1);
        self.was_busy(nanos);
        // Before the keyspaces set out: what happens on them next must not be heard of before this reply.
        effects.push(Effect::Reply(reply_to, replies));
        for (index, home) in keyspaces.into_iter().zip(observers).enumerate() {
            match home {
                (Some(keyspace), Some(observers)) if index == self.id.index() => {
                    self.counters.observed(&observers);
                    self.keyspace = Some(keyspace);
                    self.observers = Some(observers);
                }
                (Some(keyspace), Some(observers)) => {
                    effects.push(Effect::Pass(ShardId(index as u16), Work::Return(keyspace, observers)));
                }
                _ => {}
            }
        }
    }

    /// Runs batches one after the other on its own data, which is at home.
    fn run_batches(
        &mut self,
        batches: &mut Vec<(Box<Batch>, A)>,
        moment: &Moment<'_>,
        effects: &mut Vec<Effect<A>>,
    ) {
        if batches.is_empty() {
            return;
        }
        let (Some(keyspace), Some(observers)) = (&mut self.keyspace, &mut self.observers) else {
            unreachable!("checked by the callers");
        };
        let mut meter = Meter::started(&self.counters, moment.stopwatch);
        let first = effects.len();
        self.tools.changes.begin_record(moment.now);
        let mut queue = batches.drain(..);
        while !queue.as_slice().is_empty() {
            let prefetched = prefetch_stage(keyspace, queue.as_slice());
            for (mut batch, reply_to) in queue.by_ref().take(prefetched) {
                let mut replies = batch.room.take().unwrap_or_default();
                let before = effects.len();
                let mut hand = Hand::One(keyspace, observers);
                let relieving = &mut self.is_relieving;
                let runner =
                    self.tools.runner(&mut meter, &self.options, &reply_to, moment, effects, relieving);
                runner.run(&batch, &mut replies, &mut hand);
                replies.own = take_own(batch.client, effects, before);
                self.counters.batch_calls.record(batch.calls.len() as u64);
                replies.spent = Some(batch);
                effects.push(Effect::Reply(reply_to, replies));
            }
        }
        place_records(&mut self.tools.changes, &self.counters, effects, first);
        if let Some(keeper) = Keeper::of(&self.options.memory, &self.options.shared_memory) {
            keeper.note(self.id, keyspace);
        }
        let nanos = meter.finish();
        if !observers.tracking.is_idle() {
            self.counters.observed(observers);
        }
        self.was_busy(nanos);
    }

    fn was_busy(&self, nanos: u64) {
        self.counters.busy_nanos.record(nanos);
        self.counters.busy_nanos_max.raise_to(nanos);
    }
}

/// Puts what was recorded before all that gave rise to it, from a place on.
#[inline]
fn place_records<A>(
    changes: &mut Changes,
    counters: &ThreadCounters,
    effects: &mut Vec<Effect<A>>,
    from: usize,
) {
    if changes.is_recorded() {
        insert_records(changes, effects, from);
        counters.changes.set(changes.recorded());
    }
}

#[inline(never)]
fn insert_records<A>(changes: &mut Changes, effects: &mut Vec<Effect<A>>, from: usize) {
    for (place, body) in (from..).zip(changes.take_records()) {
        effects.insert(place, Effect::Record(body));
    }
}

/// Takes the messages that a client sends itself out of the effects from a place on.
fn take_own<A>(client: u64, effects: &mut Vec<Effect<A>>, from: usize) -> Vec<Message> {
    if effects.len() == from {
        return Vec::new();
    }
    let is_own =
        |effect: &mut Effect<A>| matches!(effect, Effect::Push(_, to, Push::Message(_)) if *to == client);
    let own = effects.extract_if(from.., is_own);
    own.filter_map(|effect| match effect {
        Effect::Push(_, _, Push::Message(message)) => Some(message),
        _ => None,
    })
    .collect()
}
