//! One client's conversation: bytes in, batches out; replies in, bytes out.
//!
//! A session decodes a read burst as far as its window allows, answers what needs no data, and sorts the rest
//! into one batch a shard. From the first call over several shards on, the rest of the burst rides along in one
//! joint, and nothing more is decoded until the joint has answered: that keeps the client's calls in order
//! although they take different ways.

mod exec;

use bytes::BytesMut;
use mayfly_command::{
    ClientState, Command, CommandError, Flags, Host, Router, Run, SessionContext, ShardId, Step, Table, Words,
};
use mayfly_resp::{Decoded, Decoder, Protocol, ReplyWriter, RequestLimits, Span};
use std::sync::atomic::Ordering::Relaxed;

use crate::batch::{Batch, Call, CallKind, Forget, Outgoing, Replies, ReplyRoom};
use crate::counters::ThreadCounters;
use crate::lanes::Lanes;
use crate::meter::{Meter, Stopwatch};
use crate::observers::WatchFlag;
use crate::router::{Route, route};
use crate::subscriptions::Push;
use crate::transaction::{Transaction, TransactionLimits};

/// Calls that may ride in one joint: it bounds how long all its shards stand still.
const JOINT_CALLS_MAX: usize = 64;

/// Emptied batches, and as many rooms for replies, that a session keeps to fill again.
const SPARE_MAX: usize = 4;

/// Room for words that an emptied batch may keep: an unusually long request leaves no memory behind.
const SPARE_WORDS_MAX: usize = 8_192;

/// Bytes of replies that have not been drained from which on nothing more is decoded. A window full of questions
/// with long answers, such as `COMMAND DOCS`, is answered piece by piece.
const UNDRAINED_BYTES_PAUSE: usize = 1 << 20;

/// Limits of a session, from the config.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// Limits of one request.
    pub request: RequestLimits,
    /// Calls that may wait for their replies before nothing more is decoded.
    pub window: usize,
    /// Bytes of replies that may wait behind one that has not come; past it the client is closed.
    pub output_bytes_max: usize,
    /// Limits of one transaction.
    pub transaction: TransactionLimits,
    /// Keys that one client may watch.
    pub watched_keys_max: usize,
}

impl Default for SessionOptions {
    /// What the config has unless somebody says otherwise.
    fn default() -> Self {
        SessionOptions {
            request: RequestLimits::default(),
            window: 1_024,
            output_bytes_max: 256 << 20,
            transaction: TransactionLimits::default(),
            watched_keys_max: 1_024,
        }
    }
}

/// What a session needs of the world to go on.
pub struct Surroundings<'a> {
    /// The process around it.
    pub host: &'a dyn Host,
    /// The time of this burst, Unix microseconds.
    pub now_micros: i64,
    /// Measures commands.
    pub stopwatch: Stopwatch<'a>,
    /// Counters of this thread.
    pub counters: &'a ThreadCounters,
}

/// One client's conversation.
#[derive(Debug)]
pub struct Session {
    client: ClientState,
    router: Router,
    options: SessionOptions,
    decoder: Decoder,
    lanes: Lanes,
    /// Batches being filled, by shard; those with calls leave at the end of the burst.
    open: Vec<Batch>,
    joint: Option<(Vec<ShardId>, Batch)>,
    /// A joint is under way; nothing is decoded until it has answered.
    joint_in_flight: bool,
    local: Replies,
    spare: Vec<Batch>,
    rooms: Vec<ReplyRoom>,
    last_command: Option<(Vec<u8>, &'static Command)>,
    overflowed: bool,
    /// Requests are being queued.
    transaction: Option<Transaction>,
    /// Raised when a watched key changes; present while keys are watched.
    watch: Option<WatchFlag>,
    watched_keys: usize,
    watched_shards: Vec<ShardId>,
    /// How many channels and patterns the client listens to.
    subscriptions: usize,
    /// Messages to the client that have not left.
    pushed: Vec<u8>,
    /// What shards are to forget; it leaves before the next batches.
    forgets: Vec<Outgoing>,
}

impl Session {
    /// A conversation that begins.
    pub fn new(client: ClientState, router: Router, options: SessionOptions) -> Self {
        let shards = router.shards();
        let mut session = Session {
            decoder: Decoder::new(options.request),
            // One lane a shard, one for joints, one for what the session answers itself.
            lanes: Lanes::new(usize::from(shards) + 2),
            open: (0..shards).map(|lane| Batch { lane, ..Batch::default() }).collect(),
            joint: None,
            joint_in_flight: false,
            local: Replies { lane: shards + 1, ..Replies::default() },
            spare: Vec::new(),
            rooms: Vec::new(),
            last_command: None,
            overflowed: false,
            transaction: None,
            watch: None,
            watched_keys: 0,
            watched_shards: Vec::new(),
            subscriptions: 0,
            pushed: Vec::new(),
            forgets: Vec::new(),
            client,
            router,
            options,
        };
        session.decoder.set_authenticated(session.client.authenticated);
        session
    }

    /// Decodes whole requests from `buffer` as far as the window allows, answers those that need no data, and
    /// appends to `outgoing` what is to be delivered, in this order.
    pub fn feed(
        &mut self,
        buffer: &mut BytesMut,
        surroundings: &Surroundings<'_>,
        outgoing: &mut Vec<Outgoing>,
    ) {
        if !self.may_decode() {
            return;
        }
        let mut meter = Meter::new(surroundings.counters, surroundings.stopwatch);
        let mut calls = 0;
        while self.may_decode() {
            match self.decoder.decode(buffer) {
                Ok(Decoded::Incomplete) => break,
                Ok(Decoded::Request) => {
                    calls += 1;
                    self.take_request(buffer, surroundings, &mut meter);
                }
                Err(error) => {
                    surroundings.counters.protocol_errors.add(1);
                    self.refuse(&format!("ERR Protocol error: {error}"), surroundings.counters);
                    self.client.closing = true;
                }
            }
        }
        drop(meter);
        if calls > 0 {
            let card = &self.client.card;
            card.calls.store(card.calls.load(Relaxed) + calls, Relaxed);
            card.active_at.store(surroundings.now_micros / 1_000, Relaxed);
        }
        self.send_off(buffer, outgoing);
    }

    /// Takes the replies to one batch.
    pub fn accept(&mut self, mut replies: Replies) {
        self.overflowed |= replies.overflow;
        self.subscriptions = replies.subscriptions.unwrap_or(self.subscriptions);
        if replies.lane == self.router.shards() {
            self.joint_in_flight = false;
        }
        self.keep(std::mem::take(&mut replies.spent));
        self.lanes.put(replies);
        self.overflowed |= self.lanes.held_bytes() > self.options.output_bytes_max;
    }

    /// Appends to `out` every reply whose turn it is.
    pub fn drain(&mut self, out: &mut Vec<u8>) {
        let rooms = &mut self.rooms;
        self.lanes.drain(out, |used_up| {
            if rooms.len() < SPARE_MAX {
                rooms.push(used_up.into_room());
            }
        });
        out.append(&mut self.pushed);
    }

    /// Takes a message for the client; it leaves between two replies.
    pub fn push(&mut self, push: &Push) {
        push.write(&mut self.pushed, self.client.protocol);
        self.overflowed |= self.pushed.len() > self.options.output_bytes_max;
    }

    /// How many channels and patterns the client listens to.
    pub fn subscriptions(&self) -> usize {
        self.subscriptions
    }

    /// What the shards are to forget now that the client has gone.
    pub fn farewell(&mut self) -> Option<Outgoing> {
        let forget = Forget { client: self.client.card.id, subscriptions: true };
        // A joint under way may be one that subscribes.
        if self.subscriptions > 0 || self.joint_in_flight {
            return Some(Outgoing::Forget(self.router.all().collect(), forget));
        }
        self.watch.take().map(|_| Outgoing::Forget(std::mem::take(&mut self.watched_shards), forget))
    }

    /// Whether another request would be decoded now.
    pub fn may_decode(&self) -> bool {
        !self.client.closing
            && !self.joint_in_flight
            && !self.overflowed
            && self.lanes.waiting() < self.options.window
            && self.lanes.held_bytes() + self.local.bytes.len() < UNDRAINED_BYTES_PAUSE
            && self.joint.as_ref().is_none_or(|(_, batch)| batch.calls.len() < JOINT_CALLS_MAX)
    }

    /// Whether the conversation is over: nothing more is decoded and every reply has left.
    pub fn is_finished(&self) -> bool {
        self.client.closing && self.lanes.waiting() == 0
    }

    /// Whether more replies wait than the limit allows: the client is to be closed at once.
    pub fn is_overflowed(&self) -> bool {
        self.overflowed
    }

    /// Calls that wait for their replies.
    pub fn waiting(&self) -> usize {
        self.lanes.waiting()
    }

    /// Bytes of replies that wait behind one that has not come.
    pub fn held_bytes(&self) -> usize {
        self.lanes.held_bytes()
    }

    /// Ends the conversation: what was decoded is answered, nothing more is decoded.
    pub fn close(&mut self) {
        self.client.closing = true;
    }

    /// The client.
    pub fn client(&self) -> &ClientState {
        &self.client
    }

    /// How many more bytes the request at hand is known to need.
    pub fn bytes_wanted(&self) -> usize {
        self.decoder.bytes_wanted()
    }

    fn take_request(&mut self, buffer: &[u8], surroundings: &Surroundings<'_>, meter: &mut Meter<'_>) {
        let command = match self.look_up(buffer).and_then(|command| self.allow(command)) {
            Ok(command) => command,
            Err(line) => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.is_aborted = true;
                }
                return self.refuse(&line, surroundings.counters);
            }
        };
        let words = Words::new(buffer, self.decoder.words());
        if self.transaction.is_some() && is_queued(command) {
            return self.queue(command, buffer, surroundings.counters);
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
                let Some(kind) = self.kind_of(command, &shards, words.len(), surroundings.counters) else {
                    return;
                };
                let call = self.call(command, kind, 0, 0);
                self.add_to_joint(shards, call);
            }
        }
    }

    /// The call that the request just decoded is; where its words lie is filled in with the batch.
    #[inline]
    fn call(&self, command: &'static Command, kind: CallKind, key_word: u32, key_hash: u64) -> Call {
        Call {
            command,
            kind,
            first_word: 0,
            word_count: self.decoder.words().len() as u32,
            key_word,
            database: self.client.database,
            protocol: self.client.protocol,
            key_hash,
        }
    }

    /// What kind of call a request to `shards` is; `None` if it was refused.
    #[inline]
    fn kind_of(
        &mut self,
        command: &'static Command,
        shards: &[ShardId],
        words: usize,
        counters: &ThreadCounters,
    ) -> Option<CallKind> {
        let Run::Step(Step::Watch) = command.spec.run else {
            return Some(CallKind::Request);
        };
        if self.transaction.is_some() {
            self.refuse("ERR WATCH inside MULTI is not allowed", counters);
            return None;
        }
        let max = self.options.watched_keys_max;
        if self.watched_keys + words - 1 > max {
            self.refuse(&format!("ERR a client may watch {max} keys at most"), counters);
            return None;
        }
        self.watched_keys += words - 1;
        self.watch.get_or_insert_default();
        for &shard in shards {
            insert_sorted(&mut self.watched_shards, shard);
        }
        // The number of the flag is filled in with the batch.
        Some(CallKind::Watch { flag: 0 })
    }

    fn queue(&mut self, command: &'static Command, buffer: &[u8], counters: &ThreadCounters) {
        let words = Words::new(buffer, self.decoder.words());
        let limits = self.options.transaction;
        let Some(transaction) = &mut self.transaction else {
            return;
        };
        if transaction.queue(command, words, limits) {
            ReplyWriter::new(&mut self.local.bytes, self.client.protocol).simple("QUEUED");
            self.answered();
        } else {
            let TransactionLimits { calls_max, bytes_max } = limits;
            let line = format!("ERR transaction too long: at most {calls_max} commands, {bytes_max} bytes");
            self.refuse(&line, counters);
        }
    }

    #[inline]
    fn add_to_shard(&mut self, shard: ShardId, call: Call) {
        let batch = &mut self.open[shard.index()];
        batch.client = self.client.card.id;
        push(batch, call, self.decoder.words(), self.watch.as_ref());
        self.lanes.expect(batch.lane);
    }

    fn add_to_joint(&mut self, needed: Vec<ShardId>, call: Call) {
        let Session { joint, spare, rooms, router, client, .. } = self;
        let batch = joint_over(joint, needed, || fresh_joint(spare, rooms, router, client));
        push(batch, call, self.decoder.words(), self.watch.as_ref());
        self.lanes.expect(batch.lane);
    }

    /// The command that is asked for, or the line that refuses the request.
    #[inline]
    fn look_up(&mut self, buffer: &[u8]) -> Result<&'static Command, String> {
        let words = Words::new(buffer, self.decoder.words());
        let command = match &self.last_command {
            // Pipelines repeat their command, spelled alike.
            Some((name, command)) if name == words.at(0) && command.spec.accepts(words.len()) => command,
            _ => {
                let command = Table::get().resolve(words).map_err(|error| error.line("").into_owned())?;
                self.client.card.last_command.store(command.id.0, Relaxed);
                // The name alone does not say which subcommand is meant.
                let by_name_alone = !command.full_name().contains('|');
                self.last_command = by_name_alone.then(|| (words.at(0).to_vec(), command));
                command
            }
        };
        if !self.client.authenticated && !command.spec.flags.has(Flags::NO_AUTH) {
            return Err("NOAUTH Authentication required.".to_owned());
        }
        Ok(command)
    }

    /// Whether the command is allowed as the conversation stands; the line that refuses it otherwise.
    #[inline]
    fn allow(&self, command: &'static Command) -> Result<&'static Command, String> {
        let restricted = self.subscriptions > 0 && self.client.protocol == Protocol::Resp2;
        if restricted && !is_allowed_to_subscribers(command) {
            return Err(format!(
                "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
                 allowed in this context",
                command.full_name()
            ));
        }
        if self.transaction.is_some() && is_subscribing(command) {
            return Err("ERR Command not allowed inside a transaction".to_owned());
        }
        Ok(command)
    }

    /// Carries out a step of the conversation that needs no data.
    fn take_step(
        &mut self,
        step: Step,
        command: &'static Command,
        surroundings: &Surroundings<'_>,
        meter: &mut Meter<'_>,
    ) {
        let queuing = self.transaction.is_some();
        match step {
            Step::Multi if queuing => self.refuse("ERR MULTI calls can not be nested", surroundings.counters),
            Step::Multi => {
                self.transaction = Some(Transaction::default());
                self.reply_ok();
            }
            Step::Exec if !queuing => self.refuse("ERR EXEC without MULTI", surroundings.counters),
            Step::Exec => self.exec(command, surroundings, meter),
            Step::Discard if !queuing => self.refuse("ERR DISCARD without MULTI", surroundings.counters),
            Step::Discard | Step::Unwatch => {
                if step == Step::Discard {
                    self.transaction = None;
                }
                self.unwatch();
                self.reply_ok();
            }
            _ => unreachable!("every other step goes to a shard"),
        }
    }

    fn reply_ok(&mut self) {
        ReplyWriter::new(&mut self.local.bytes, self.client.protocol).ok();
        self.answered();
    }

    /// Watches no key any more.
    fn unwatch(&mut self) {
        if self.watch.take().is_some() {
            let forget = Forget { client: self.client.card.id, subscriptions: false };
            self.forgets.push(Outgoing::Forget(std::mem::take(&mut self.watched_shards), forget));
            self.watched_keys = 0;
        }
    }

    /// After `RESET` nothing is left of the conversation so far.
    fn forget_conversation(&mut self) {
        self.transaction = None;
        self.unwatch();
        if self.subscriptions > 0 {
            self.subscriptions = 0;
            let forget = Forget { client: self.client.card.id, subscriptions: true };
            self.forgets.push(Outgoing::Forget(self.router.all().collect(), forget));
        }
    }

    /// Runs a command of the session.
    fn answer(
        &mut self,
        command: &'static Command,
        buffer: &[u8],
        surroundings: &Surroundings<'_>,
        meter: &mut Meter<'_>,
    ) {
        self.client.card.last_command.store(command.id.0, Relaxed);
        meter.begin(command.id);
        if let Run::Step(step) = command.spec.run {
            return self.take_step(step, command, surroundings, meter);
        }
        let words = Words::new(buffer, self.decoder.words());
        if self.subscriptions > 0 && command.full_name() == "ping" && self.client.protocol == Protocol::Resp2
        {
            let mut reply = ReplyWriter::new(&mut self.local.bytes, Protocol::Resp2);
            reply.array(2);
            reply.bulk(b"pong");
            reply.bulk(words.get(1).unwrap_or_default());
            return self.answered();
        }
        let before = self.local.bytes.len();
        let was_authenticated = self.client.authenticated;
        if run_here(&mut self.client, command, words, surroundings, &mut self.local.bytes) {
            meter.error();
        }
        if self.local.bytes.len() > before {
            self.answered();
        }
        if self.client.authenticated != was_authenticated {
            self.decoder.set_authenticated(self.client.authenticated);
        }
        if command.full_name() == "reset" {
            self.forget_conversation();
        }
    }

    /// Answers an error without running anything.
    fn refuse(&mut self, line: &str, counters: &ThreadCounters) {
        counters.refused.add(1);
        ReplyWriter::new(&mut self.local.bytes, self.client.protocol).error(line);
        self.answered();
    }

    fn answered(&mut self) {
        self.local.ends.push(self.local.bytes.len());
        self.lanes.expect(self.local.lane);
    }

    /// Gives every batch its burst and sends it off; local replies take their place.
    fn send_off(&mut self, buffer: &mut BytesMut, outgoing: &mut Vec<Outgoing>) {
        let burst = self.decoder.take_burst(buffer);
        outgoing.append(&mut self.forgets);
        for shard in self.router.all() {
            let batch = &mut self.open[shard.index()];
            if !batch.calls.is_empty() {
                let spare = self.spare.pop().unwrap_or_default();
                let fresh = Batch { lane: batch.lane, ..spare };
                let mut batch = std::mem::replace(batch, fresh);
                batch.burst = burst.clone();
                batch.room = self.rooms.pop().unwrap_or_default();
                outgoing.push(Outgoing::Batch(shard, batch));
            }
        }
        if let Some((shards, mut batch)) = self.joint.take() {
            batch.burst = burst;
            self.joint_in_flight = true;
            outgoing.push(Outgoing::Joint(shards, batch));
        }
        if !self.local.ends.is_empty() {
            let lane = self.local.lane;
            let fresh = Replies::new(lane, self.rooms.pop().unwrap_or_default());
            self.lanes.put(std::mem::replace(&mut self.local, fresh));
        }
    }

    fn keep(&mut self, mut batch: Batch) {
        if self.spare.len() < SPARE_MAX && batch.words.capacity() <= SPARE_WORDS_MAX {
            batch.burst.clear();
            batch.words.clear();
            batch.calls.clear();
            batch.queued.clear();
            batch.flags.clear();
            self.spare.push(batch);
        }
    }
}

/// Whether a request waits for `EXEC` once `MULTI` was said.
fn is_queued(command: &'static Command) -> bool {
    let at_once =
        matches!(command.spec.run, Run::Step(Step::Multi | Step::Exec | Step::Discard | Step::Watch));
    !at_once && !matches!(command.full_name(), "quit" | "reset")
}

fn is_subscribing(command: &'static Command) -> bool {
    matches!(command.spec.run, Run::Step(Step::Subscribe(_) | Step::Unsubscribe(_)))
}

/// What a subscriber may ask for in RESP2, where replies and messages cannot be told apart.
fn is_allowed_to_subscribers(command: &'static Command) -> bool {
    is_subscribing(command) || matches!(command.full_name(), "ping" | "quit" | "reset")
}

/// Runs a command of the session; true if it answered an error.
fn run_here(
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
        // A container without its subcommand.
        _ => context.run(command, |_, _| Err(CommandError::WrongArity), words),
    }
}

/// The joint of this burst, which `fresh` begins if there is none, over `needed` as well.
fn joint_over(
    joint: &mut Option<(Vec<ShardId>, Batch)>,
    needed: Vec<ShardId>,
    fresh: impl FnOnce() -> Batch,
) -> &mut Batch {
    let (shards, batch) = joint.get_or_insert_with(|| (Vec::new(), fresh()));
    needed.into_iter().for_each(|shard| insert_sorted(shards, shard));
    batch
}

fn fresh_joint(
    spare: &mut Vec<Batch>,
    rooms: &mut Vec<ReplyRoom>,
    router: &Router,
    client: &ClientState,
) -> Batch {
    Batch {
        lane: router.shards(),
        client: client.card.id,
        room: rooms.pop().unwrap_or_default(),
        ..spare.pop().unwrap_or_default()
    }
}

fn insert_sorted(shards: &mut Vec<ShardId>, shard: ShardId) {
    if let Err(place) = shards.binary_search(&shard) {
        shards.insert(place, shard);
    }
}

/// Adds a call to a batch, with its words and, if it watches, its flag.
#[inline]
fn push(batch: &mut Batch, mut call: Call, words: &[Span], watch: Option<&WatchFlag>) {
    call.first_word = batch.words.len() as u32;
    if let (CallKind::Watch { flag }, Some(watch)) = (&mut call.kind, watch) {
        *flag = batch.flags.len() as u32;
        batch.flags.push(WatchFlag::clone(watch));
    }
    batch.calls.push(call);
    batch.words.extend_from_slice(words);
}
