//! One shard: its data, the order of what is done to it, and its expiry.
//!
//! A shard does one thing after the other. While its keyspace is away with a joint it only queues.

use std::collections::VecDeque;

use fastrand::Rng;
use mayfly_command::{Data, DataContext, Host, Router, Run, ShardId, Shards};
use mayfly_resp::ReplyWriter;
use mayfly_store::{Key, Keyspace, Reclaimed, StoreOptions, UnixMillis};
use std::sync::Arc;

use crate::batch::{Batch, Call, Effect, Joint, Replies, Work};
use crate::counters::ThreadCounters;
use crate::meter::{Meter, Stopwatch};

/// Calls whose keys are prefetched together. Stages of 16 and of 64 cost nearly the same per call; beyond, the
/// lines fetched first may be gone again.
const PREFETCH_CALLS: usize = 64;

/// Limits of a shard, from the config.
#[derive(Clone, Debug)]
pub struct ShardOptions {
    /// How its data is kept.
    pub store: StoreOptions,
    /// Entries reclaimed before the shard looks at its mailbox again.
    pub slice_entries_max: usize,
    /// Bytes of replies that one batch may produce; past it the rest is dropped and the client closed.
    pub output_bytes_max: usize,
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
    /// Keys due and not yet reclaimed.
    pub backlog: u64,
    /// Batches and joints that wait for the keyspace to come home.
    pub waiting: u64,
}

/// One shard. `A` is an address that replies are sent to.
#[derive(Debug)]
pub struct Shard<A> {
    id: ShardId,
    router: Router,
    options: ShardOptions,
    /// Absent while it is away with a joint.
    keyspace: Option<Box<Keyspace>>,
    waiting: VecDeque<Work<A>>,
    random: Rng,
    counters: Arc<ThreadCounters>,
}

impl<A> Shard<A> {
    /// An empty shard. `seed` feeds its random numbers.
    pub fn new(
        id: ShardId,
        router: Router,
        options: ShardOptions,
        seed: u64,
        counters: Arc<ThreadCounters>,
    ) -> Self {
        let keyspace = Keyspace::new(options.store.clone(), router.hasher().clone());
        Shard {
            id,
            router,
            options,
            keyspace: Some(Box::new(keyspace)),
            waiting: VecDeque::new(),
            random: Rng::with_seed(seed),
            counters,
        }
    }

    /// Runs a batch at once and returns its replies, or the batch itself while the keyspace is away: then it is
    /// to be queued by [`Shard::accept`]. The short way for sessions on the shard's own thread.
    ///
    /// These replies overtake those that are still on their way by message: before a session sends a batch the
    /// short way, it must have been handed every reply that was sent to it.
    #[allow(clippy::result_large_err, reason = "the batch goes back to who tried, by value")]
    pub fn run(&mut self, batch: Batch, moment: &Moment<'_>) -> Result<Replies, Batch> {
        match &mut self.keyspace {
            None => Err(batch),
            Some(_) => Ok(self.run_batch(batch, moment)),
        }
    }

    /// Takes work in its order: does it now, or queues it while the keyspace is away.
    pub fn accept(&mut self, work: Work<A>, moment: &Moment<'_>, effects: &mut Vec<Effect<A>>) {
        match work {
            Work::Return(keyspace) => {
                assert!(self.keyspace.is_none(), "a keyspace comes home to an empty place");
                self.keyspace = Some(keyspace);
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
    pub fn reclaim(&mut self, moment: &Moment<'_>) -> Reclaimed {
        let Some(keyspace) = &mut self.keyspace else {
            return Reclaimed::default();
        };
        let start = (moment.stopwatch)();
        let reclaimed = keyspace.reclaim(moment.now, self.options.slice_entries_max, &mut |_, _, _| {});
        if reclaimed.steps > 0 {
            self.was_busy((moment.stopwatch)().saturating_sub(start));
        }
        reclaimed
    }

    /// When [`Shard::reclaim`] has something to do; `None`: not before other work comes.
    pub fn next_reclaim(&self) -> Option<UnixMillis> {
        self.keyspace.as_ref()?.next_reclaim()
    }

    /// What it holds at `now`; `None` while the keyspace is away.
    pub fn gauges(&self, now: UnixMillis) -> Option<ShardGauges> {
        let keyspace = self.keyspace.as_ref()?;
        let databases = || (0..keyspace.databases()).map(|index| keyspace.database(index));
        Some(ShardGauges {
            keys: databases().map(|database| database.len() as u64).sum(),
            keys_with_deadline: databases().map(|database| database.len_with_deadline() as u64).sum(),
            bytes: keyspace.bytes() as u64,
            backlog: keyspace.backlog(now) as u64,
            waiting: self.waiting.len() as u64,
        })
    }

    /// The data; `None` while it is away.
    pub fn keyspace_mut(&mut self) -> Option<&mut Keyspace> {
        self.keyspace.as_deref_mut()
    }

    /// Its number.
    pub fn id(&self) -> ShardId {
        self.id
    }

    fn perform(&mut self, work: Work<A>, moment: &Moment<'_>, effects: &mut Vec<Effect<A>>) {
        match work {
            Work::Batch(batch, reply_to) => {
                effects.push(Effect::Reply(reply_to, self.run_batch(batch, moment)));
            }
            Work::Joint(joint) => self.join(joint, moment, effects),
            Work::Return(_) => unreachable!("a keyspace that comes home is never queued"),
        }
    }

    /// Hands the keyspace over to a joint; runs it if this is its last shard.
    fn join(&mut self, mut joint: Box<Joint<A>>, moment: &Moment<'_>, effects: &mut Vec<Effect<A>>) {
        joint.held[self.id.index()] = self.keyspace.take();
        if let Some(&next) = joint.shards.iter().find(|shard| **shard > self.id) {
            effects.push(Effect::Pass(next, Work::Joint(joint)));
            return;
        }
        let Joint { mut batch, mut held, reply_to, .. } = *joint;
        let start = (moment.stopwatch)();
        let replies = {
            let mut runner = Runner {
                router: &self.router,
                random: &mut self.random,
                moment,
                meter: Meter::new(&self.counters, moment.stopwatch),
                output_bytes_max: self.options.output_bytes_max,
            };
            let mut replies = Replies::new(batch.lane, std::mem::take(&mut batch.room));
            for call in &batch.calls {
                runner.call(&batch, call, Shards::Many(&mut held), &mut replies);
            }
            replies
        };
        self.counters.joints.add(1);
        self.was_busy((moment.stopwatch)().saturating_sub(start));
        for (index, keyspace) in held.into_iter().enumerate() {
            match keyspace {
                Some(keyspace) if index == self.id.index() => self.keyspace = Some(keyspace),
                Some(keyspace) => {
                    effects.push(Effect::Pass(ShardId(index as u16), Work::Return(keyspace)));
                }
                None => {}
            }
        }
        effects.push(Effect::Reply(reply_to, Replies { spent: batch, ..replies }));
    }

    fn run_batch(&mut self, mut batch: Batch, moment: &Moment<'_>) -> Replies {
        let keyspace = self.keyspace.as_deref_mut().expect("checked by the callers");
        let start = (moment.stopwatch)();
        let mut replies = Replies::new(batch.lane, std::mem::take(&mut batch.room));
        replies.ends.reserve(batch.calls.len());
        let mut runner = Runner {
            router: &self.router,
            random: &mut self.random,
            moment,
            meter: Meter::new(&self.counters, moment.stopwatch),
            output_bytes_max: self.options.output_bytes_max,
        };
        for calls in batch.calls.chunks(PREFETCH_CALLS) {
            if calls.len() > 1 {
                prefetch(keyspace, calls);
            }
            for call in calls {
                runner.call(&batch, call, Shards::One(keyspace), &mut replies);
            }
        }
        drop(runner);
        self.counters.batch_calls.record(batch.calls.len() as u64);
        self.was_busy((moment.stopwatch)().saturating_sub(start));
        replies.spent = batch;
        replies
    }

    fn was_busy(&self, nanos: u64) {
        self.counters.busy_nanos.record(nanos);
        self.counters.busy_nanos_max.raise_to(nanos);
    }
}

/// Brings the lines that the calls will touch into the cache, stage by stage, so that the misses overlap.
fn prefetch(keyspace: &Keyspace, calls: &[Call]) {
    let keyed = || calls.iter().filter(|call| call.key_word != 0);
    for call in keyed() {
        keyspace.database(call.database).prefetch_index(call.key_hash);
    }
    for call in keyed() {
        keyspace.database(call.database).prefetch_entry(call.key_hash);
    }
    for call in keyed() {
        keyspace.database(call.database).prefetch_fields(call.key_hash);
    }
}

/// Runs calls one after the other at one instant.
struct Runner<'a> {
    router: &'a Router,
    random: &'a mut Rng,
    moment: &'a Moment<'a>,
    meter: Meter<'a>,
    output_bytes_max: usize,
}

impl Runner<'_> {
    #[inline]
    fn call(&mut self, batch: &Batch, call: &Call, shards: Shards<'_>, replies: &mut Replies) {
        let words = batch.words_of(call);
        let (Run::Keys(run) | Run::AllShards(run) | Run::Cursor(run)) = call.command.spec.run else {
            unreachable!("commands without data are answered by the session");
        };
        let routed = match call.key_word {
            0 => Key { bytes: b"", hash: 0 },
            position => Key { bytes: words.at(position as usize), hash: call.key_hash },
        };
        self.meter.begin(call.command.id);
        let mut context = DataContext {
            data: Data::new(shards, self.router, routed, call.database, self.moment.now),
            host: self.moment.host,
            random: self.random,
            reply: ReplyWriter::new(&mut replies.bytes, call.protocol),
        };
        if context.run(call.command, run, words) {
            self.meter.error();
        }
        if replies.bytes.len() > self.output_bytes_max {
            // The call was carried out; its client is closed for not being able to take the reply.
            replies.overflow = true;
            replies.bytes.truncate(replies.ends.last().copied().unwrap_or(0));
        }
        replies.ends.push(replies.bytes.len());
    }
}
