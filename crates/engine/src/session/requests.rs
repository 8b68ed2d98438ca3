//! A request just decoded: what it is, where it goes, and what the session answers by itself.

use std::sync::atomic::Ordering::Relaxed;

use mayfly_command::{
    ClientState, Command, CommandError, Flags, Pause, ReplyMode, Router, Run, SessionContext, ShardId, Step,
    Table, Words,
};
use mayfly_resp::{Protocol, ReplyWriter, Span};
use mayfly_store::UnixMillis;

use super::conversation::{is_queued, is_subscribing};
use super::{Batches, Rooms, Session, Surroundings};
use crate::batch::{Batch, Call, CallKind, process_lane};
use crate::counters::ThreadCounters;
use crate::memory::OUT_OF_MEMORY;
use crate::meter::Meter;
use crate::observers::WatchFlag;
use crate::pauses::is_writing;
use crate::router::{Route, route};
use crate::slow;
use crate::transaction::Transaction;

impl Session {
    pub(super) fn take_request(
        &mut self,
        buffer: &[u8],
        surroundings: &Surroundings<'_>,
        meter: &mut Meter<'_>,
    ) {
        let command = match self.admit(buffer, surroundings) {
            Ok(command) => command,
            Err(line) => return self.refuse_request(buffer, &line, surroundings.counters),
        };
        let ends_caching = self.is_caching() && !command.full_name().starts_with("client|");
        self.carry_out(command, buffer, surroundings, meter);
        // `MULTI` and what is queued leave it to hold for the transaction.
        if ends_caching && self.transaction.is_none() {
            self.end_caching();
        }
    }

    /// The command that is asked for, if it may run now.
    #[inline]
    fn admit(&mut self, buffer: &[u8], surroundings: &Surroundings<'_>) -> Result<&'static Command, String> {
        let command = self.look_up(buffer, surroundings)?;
        self.permit(command, buffer, surroundings)?;
        self.allow(command)?;
        let would_write = || self.transaction.as_ref().is_some_and(Transaction::would_write);
        surroundings.door.admit(command, would_write)?;
        Ok(command)
    }

    fn carry_out(
        &mut self,
        command: &'static Command,
        buffer: &[u8],
        surroundings: &Surroundings<'_>,
        meter: &mut Meter<'_>,
    ) {
        let words = Words::new(buffer, self.decoder.words());
        if self.transaction.is_some() && is_queued(command) {
            if command.spec.flags.has(Flags::DENYOOM) && surroundings.door.memory.is_full() {
                return self.refuse_request(buffer, OUT_OF_MEMORY, surroundings.counters);
            }
            return self.queue(command, buffer, surroundings.counters);
        }
        if self.client.reply_mode != ReplyMode::On && is_subscribing(command) {
            // Its confirmations count as messages, which come whatever the mode.
            self.lanes.mute(false);
        }
        match route(command, words, &self.router) {
            Route::Session => self.answer(command, buffer, surroundings, meter),
            Route::Shard { shard, key_word, key_hash } => {
                meter.stop();
                let Some(kind) = self.kind_of(command, &[shard], words.len(), surroundings.counters) else {
                    return;
                };
                let call = self.call(command, kind, key_word, key_hash);
                if self.joint.is_some() {
                    self.add_to_joint(vec![shard], call);
                } else {
                    self.add_to_shard(shard, call);
                }
            }
            Route::Shards(shards) => {
                meter.stop();
                let count = words.len();
                if let Err(line) = self.change_tracking(command, buffer, surroundings.host) {
                    return self.refuse(&line, surroundings.counters);
                }
                let Some(kind) = self.kind_of(command, &shards, count, surroundings.counters) else {
                    return;
                };
                let call = self.call(command, kind, 0, 0);
                self.add_to_joint(shards, call);
            }
        }
        if self.is_monitored(surroundings) {
            let words = Words::new(buffer, self.decoder.words());
            let (host, now_micros) = (surroundings.host, surroundings.now_micros);
            self.monitoring.show(&self.client, command, words, host, now_micros);
        }
    }

    /// Whether the request just decoded has to wait for the end of a pause. One that is refused does not.
    #[inline]
    pub(super) fn is_held(&mut self, buffer: &[u8], surroundings: &Surroundings<'_>) -> bool {
        let now = UnixMillis(surroundings.now_micros / 1_000);
        let Some((what, until)) = surroundings.pauses.get(now) else { return false };
        let Some(command) = self.allowed_command(buffer, surroundings) else { return false };
        let is_exec = matches!(command.spec.run, Run::Step(Step::Exec));
        let would_write = is_writing(command)
            || (is_exec && self.transaction.as_ref().is_some_and(Transaction::would_write));
        let is_held = what == Pause::All || would_write;
        if is_held {
            self.held_until = Some(until);
            self.client.card.is_held.store(true, Relaxed);
        }
        is_held
    }

    #[cold]
    fn allowed_command(
        &mut self,
        buffer: &[u8],
        surroundings: &Surroundings<'_>,
    ) -> Option<&'static Command> {
        let command = self.look_up(buffer, surroundings).and_then(|command| self.allow(command)).ok()?;
        let may = self.client.user.is_unrestricted() || self.check(command, buffer).is_ok();
        may.then_some(command)
    }

    /// The call that the request just decoded is; where its words lie is filled in with the batch.
    #[inline(always)]
    pub(super) fn call(
        &self,
        command: &'static Command,
        kind: CallKind,
        key_word: u32,
        key_hash: u64,
    ) -> Call {
        Call {
            command,
            kind,
            first_word: 0,
            word_count: self.decoder.words().len() as u32,
            key_word,
            database: self.client.database,
            protocol: self.client.protocol,
            is_tracked: self.client.tracking.as_ref().is_some_and(|tracking| tracking.remembers(command)),
            touches: !self.client.card.no_touch.load(Relaxed),
            key_hash,
        }
    }

    #[inline(always)]
    pub(super) fn add_to_shard(&mut self, shard: ShardId, call: Call) {
        let batch = &mut self.open[shard.index()];
        batch.client = self.client.card.id;
        push(batch, call, self.decoder.words(), self.watch.as_ref());
        self.lanes.expect(batch.lane);
    }

    pub(super) fn add_to_joint(&mut self, needed: Vec<ShardId>, call: Call) {
        let Session { joint, spare, rooms, router, client, .. } = self;
        let batch = joint_over(joint, needed, || fresh_joint(spare, rooms, router, client));
        push(batch, call, self.decoder.words(), self.watch.as_ref());
        self.lanes.expect(batch.lane);
    }

    /// The command that is asked for, or the line that refuses the request.
    #[inline]
    fn look_up(
        &mut self,
        buffer: &[u8],
        surroundings: &Surroundings<'_>,
    ) -> Result<&'static Command, String> {
        let words = Words::new(buffer, self.decoder.words());
        let command = match &self.last_command {
            // Pipelines repeat their command, spelled alike.
            Some((name, command)) if name == words.at(0) && command.spec.accepts(words.len()) => command,
            _ => {
                self.last_command = None;
                let command = Table::get().resolve(words).map_err(|error| error.line("").into_owned())?;
                self.client.card.last_command.store(command.id.0, Relaxed);
                // The name alone does not say which subcommand is meant.
                let by_name_alone = !command.full_name().contains('|');
                self.last_command = by_name_alone.then(|| (words.at(0).to_vec(), command));
                command
            }
        };
        if !self.client.authenticated && !command.spec.flags.has(Flags::NO_AUTH) {
            if surroundings.host.access().default_user().is_open() {
                // Its password was taken away since the client came.
                self.client.authenticated = true;
                self.decoder.set_authenticated(true);
                return Ok(command);
            }
            return Err("NOAUTH Authentication required.".to_owned());
        }
        Ok(command)
    }

    /// Measures the command of the session that just ended, and brings it if it took long.
    fn measure(
        &self,
        command: &'static Command,
        buffer: &[u8],
        surroundings: &Surroundings<'_>,
        meter: &mut Meter<'_>,
    ) {
        let precision = surroundings.host.diagnostics().precision();
        if !precision.is_wanted() || !precision.is_alone(command) {
            return;
        }
        let nanos = meter.lap();
        if nanos >= precision.slow_nanos {
            let (now, client) = (UnixMillis(surroundings.now_micros / 1_000), self.client.card.id);
            let words = Words::new(buffer, self.decoder.words());
            slow::report_call(surroundings.host, command, words, client, 1, nanos, now);
        }
    }

    /// Runs a command of the session.
    pub(super) fn answer(
        &mut self,
        command: &'static Command,
        buffer: &[u8],
        surroundings: &Surroundings<'_>,
        meter: &mut Meter<'_>,
    ) {
        self.client.card.last_command.store(command.id.0, Relaxed);
        meter.begin(command.id);
        if let Run::Step(step) = command.spec.run {
            self.take_step(step, command, surroundings, meter);
            return self.measure(command, buffer, surroundings, meter);
        }
        let words = Words::new(buffer, self.decoder.words());
        if is_ping(command, words) && self.subscriptions > 0 && self.client.protocol == Protocol::Resp2 {
            pong_to_subscriber(words, &mut self.local.bytes);
            return self.answered();
        }
        let before = self.local.bytes.len();
        let was_authenticated = self.client.authenticated;
        let was_tracking = self.client.tracking.is_some();
        if run_here(&mut self.client, command, words, surroundings, &mut self.local.bytes) {
            meter.error();
            surroundings.counters.error(&self.local.bytes[before + 1..]);
        }
        self.measure(command, buffer, surroundings, meter);
        if self.client.reply_mode == ReplyMode::On {
            // It may have been turned on just now.
            self.lanes.mute(false);
        }
        if self.local.bytes.len() > before {
            self.answered();
        }
        self.awaited = self.client.awaits.take();
        if self.awaited.is_some() {
            self.is_awaiting = true;
            self.lanes.expect(process_lane(self.router.shards()));
        }
        if self.client.authenticated != was_authenticated {
            self.decoder.set_authenticated(self.client.authenticated);
        }
        if command.full_name() == "reset" {
            self.forget_conversation(was_tracking);
        }
    }

    /// Answers an error without running anything.
    pub(super) fn refuse(&mut self, line: &str, counters: &ThreadCounters) {
        counters.refused.add(1);
        counters.error(line.as_bytes());
        ReplyWriter::new(&mut self.local.bytes, self.client.protocol).error(line);
        self.answered();
    }

    pub(super) fn answered(&mut self) {
        self.local.ends.push(self.local.bytes.len());
        self.lanes.expect(self.local.lane);
    }
}

/// Whether a request is `PING` as it should be.
pub(super) fn is_ping(command: &'static Command, words: Words<'_>) -> bool {
    command.full_name() == "ping" && words.len() <= 2
}

/// What a subscriber of RESP2 gets to `PING`: it looks like a message.
pub(super) fn pong_to_subscriber(words: Words<'_>, out: &mut Vec<u8>) {
    let mut reply = ReplyWriter::new(out, Protocol::Resp2);
    reply.array(2);
    reply.bulk(b"pong");
    reply.bulk(words.get(1).unwrap_or_default());
}

/// Runs a command of the session; true if it answered an error.
pub(super) fn run_here(
    client: &mut ClientState,
    command: &'static Command,
    words: Words<'_>,
    surroundings: &Surroundings<'_>,
    out: &mut Vec<u8>,
) -> bool {
    let reply = ReplyWriter::new(out, client.protocol);
    let (host, now_micros) = (surroundings.host, surroundings.now_micros);
    let mut context = SessionContext { reply, host, now_micros, client };
    match command.spec.run {
        Run::Session(run) => context.run(command, run, words),
        // In a transaction, where what was watched has been looked at already.
        Run::Step(Step::Unwatch) => {
            context.reply.ok();
            false
        }
        // A container without its subcommand.
        _ => context.run(command, |_, _| Err(CommandError::WrongArity), words),
    }
}

/// The joint of this burst, which `fresh` begins if there is none, over `needed` as well.
pub(super) fn joint_over(
    joint: &mut Option<(Vec<ShardId>, Box<Batch>)>,
    needed: Vec<ShardId>,
    fresh: impl FnOnce() -> Box<Batch>,
) -> &mut Batch {
    let (shards, batch) = joint.get_or_insert_with(|| (Vec::new(), fresh()));
    needed.into_iter().for_each(|shard| insert_sorted(shards, shard));
    batch
}

pub(super) fn fresh_joint(
    spare: &mut Batches,
    rooms: &mut Rooms,
    router: &Router,
    client: &ClientState,
) -> Box<Batch> {
    let mut batch = spare.pop().unwrap_or_default();
    batch.lane = router.shards();
    batch.client = client.card.id;
    batch.room = rooms.pop();
    batch
}

pub(super) fn insert_sorted(shards: &mut Vec<ShardId>, shard: ShardId) {
    if let Err(place) = shards.binary_search(&shard) {
        shards.insert(place, shard);
    }
}

/// Adds a call to a batch, with its words and, if it watches, its flag.
#[inline(always)]
fn push(batch: &mut Batch, mut call: Call, words: &[Span], watch: Option<&WatchFlag>) {
    call.first_word = batch.words.len() as u32;
    if let (CallKind::Watch { flag }, Some(watch)) = (&mut call.kind, watch) {
        *flag = batch.flags.len() as u32;
        batch.flags.push(WatchFlag::clone(watch));
    }
    batch.calls.push(call);
    batch.words.extend_from_slice(words);
}
