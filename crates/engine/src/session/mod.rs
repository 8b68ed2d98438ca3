//! One client's conversation: bytes in, batches out; replies in, bytes out.
//!
//! A session decodes a read burst as far as its window allows, answers what needs no data, and sorts the rest
//! into one batch a shard. From the first call over several shards on, the rest of the burst rides along in one
//! joint, and nothing more is decoded until the joint has answered: that keeps the client's calls in order
//! although they take different ways.

mod access;
mod conversation;
mod exec;
mod monitor;
mod plain;
mod requests;
mod tracking;

use bytes::BytesMut;
use mayfly_command::{Awaited, ClientState, Command, Host, Router, ShardId};
use mayfly_resp::{Decoded, Decoder, Protocol, RequestLimits};
use mayfly_store::UnixMillis;
use monitor::Monitoring;
use std::sync::atomic::Ordering::Relaxed;

use crate::batch::{Batch, Outgoing, Replies, process_lane};
use crate::counters::ThreadCounters;
use crate::door::Door;
use crate::lanes::Lanes;
use crate::meter::{Meter, Stopwatch};
use crate::observers::WatchFlag;
use crate::pauses::Pauses;
use crate::subscriptions::{Message, Push};
use crate::transaction::{Transaction, TransactionLimits};
pub use tracking::Redirect;

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
    /// Bytes that one burst may show to those who monitor; past it the rest of the burst is not shown. None of them
    /// takes as much without being closed.
    pub monitor_bytes_max: usize,
    /// Prefixes of keys that one client may be told of.
    pub tracked_prefixes_max: usize,
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
            monitor_bytes_max: 32 << 20,
            tracked_prefixes_max: 1_024,
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
    /// Whether anybody monitors.
    pub is_monitored: bool,
    /// Which requests are held.
    pub pauses: &'a Pauses,
    /// Who is turned away.
    pub door: &'a Door,
}

/// Batches at hand. They and replies are boxed since they travel: a pointer is moved, not two hundred bytes.
#[allow(clippy::vec_box, reason = "the boxes leave this vector and come back")]
type Batches = Vec<Box<Batch>>;

/// Emptied replies at hand, with buffers to write the next into.
#[allow(clippy::vec_box, reason = "the boxes leave this vector and come back")]
type Rooms = Vec<Box<Replies>>;

/// One client's conversation.
#[derive(Debug)]
pub struct Session {
    client: ClientState,
    router: Router,
    options: SessionOptions,
    decoder: Decoder,
    lanes: Lanes,
    /// Batches being filled, by shard; those with calls leave at the end of the burst.
    open: Batches,
    joint: Option<(Vec<ShardId>, Box<Batch>)>,
    /// A joint is under way; nothing is decoded until it has answered.
    joint_in_flight: bool,
    /// The process is to answer; nothing is decoded until it has.
    is_awaiting: bool,
    /// It is yet to be told what.
    awaited: Option<Awaited>,
    local: Box<Replies>,
    spare: Batches,
    rooms: Rooms,
    /// The command of the request before, and how it was spelled; `None` also where the name alone does not say it.
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
    /// Messages are those of subscriptions that `RESET` has ended.
    is_deaf: bool,
    /// Messages to the client that have not left.
    pushed: Vec<u8>,
    /// What shards are to forget; it leaves behind the batches of its burst, which it ends.
    forgets: Vec<Outgoing>,
    /// A request is held until then, or until somebody ends the pause.
    held_until: Option<UnixMillis>,
    /// The burst at hand ends with a request that decides what the next one may be.
    subscribing: bool,
    monitoring: Monitoring,
    /// How often users had changed when it looked what has become of its own; 0: it has not looked.
    users_seen: u64,
}

impl Session {
    /// A conversation that begins.
    pub fn new(client: ClientState, router: Router, options: SessionOptions) -> Self {
        let shards = router.shards();
        let mut session = Session {
            decoder: Decoder::new(options.request),
            // One lane a shard, one for joints, one for what the session answers itself, one for invalidations, one for
            // what the process answers.
            lanes: Lanes::new(usize::from(process_lane(shards)) + 1),
            open: (0..shards).map(|lane| Box::new(Batch { lane, ..Batch::default() })).collect(),
            joint: None,
            joint_in_flight: false,
            is_awaiting: false,
            awaited: None,
            local: Box::new(Replies { lane: shards + 1, ..Replies::default() }),
            spare: Vec::new(),
            rooms: Vec::new(),
            last_command: None,
            overflowed: false,
            transaction: None,
            watch: None,
            watched_keys: 0,
            watched_shards: Vec::new(),
            subscriptions: 0,
            is_deaf: false,
            pushed: Vec::new(),
            forgets: Vec::new(),
            held_until: None,
            subscribing: false,
            monitoring: Monitoring::new(options.monitor_bytes_max),
            users_seen: 0,
            client,
            router,
            options,
        };
        session.decoder.set_authenticated(session.client.authenticated);
        session
    }

    /// Changes the limits, for what is decoded from now on.
    pub fn set_options(&mut self, options: SessionOptions) {
        self.decoder.set_limits(options.request);
        self.monitoring.set_bytes_max(options.monitor_bytes_max);
        self.options = options;
    }

    /// Decodes whole requests from `buffer` as far as the window allows, answers those that need no data, and
    /// appends to `outgoing` what is to be delivered, in this order.
    pub fn feed(
        &mut self,
        buffer: &mut BytesMut,
        surroundings: &Surroundings<'_>,
        outgoing: &mut Vec<Outgoing>,
    ) {
        if self.is_behind(surroundings.host) {
            outgoing.extend(self.look_up_user(surroundings.host.access()));
        }
        let mut is_plain = self.is_plain(surroundings);
        if !is_plain && !self.may_decode() {
            return;
        }
        let mut meter = Meter::new(surroundings.counters, surroundings.stopwatch);
        let mut calls = 0;
        while self.lanes.waiting() < self.options.window && (is_plain || self.may_decode()) {
            match self.decoder.decode(buffer) {
                Ok(Decoded::Incomplete) => break,
                Ok(Decoded::Request) if is_plain && self.take_plain(buffer, &mut meter) => {
                    calls += 1;
                    continue;
                }
                Ok(Decoded::Request) if self.is_held(buffer, surroundings) => self.decoder.hold(),
                Ok(Decoded::Request) => {
                    calls += 1;
                    self.begin_reply();
                    self.take_request(buffer, surroundings, &mut meter);
                    self.end_reply();
                    if self.is_behind(surroundings.host) {
                        let audit = self.look_up_user(surroundings.host.access());
                        self.forgets.extend(audit);
                    }
                }
                Err(error) => {
                    surroundings.counters.protocol_errors.add(1);
                    self.refuse(&format!("ERR Protocol error: {error}"), surroundings.counters);
                    self.client.closing = true;
                }
            }
            is_plain = self.is_plain(surroundings);
        }
        drop(meter);
        if calls > 0 {
            self.note(calls, surroundings);
        }
        self.send_off(buffer, outgoing);
    }

    /// Notes on the card what has become of the client by a burst of so many calls.
    fn note(&self, calls: u64, surroundings: &Surroundings<'_>) {
        let card = &self.client.card;
        card.calls.store(card.calls.load(Relaxed) + calls, Relaxed);
        card.watched_keys.store(self.watched_keys as u64, Relaxed);
        let queued = self.transaction.as_ref().map(|transaction| transaction.len() as i64);
        card.queued.store(queued.unwrap_or(-1), Relaxed);
        let bytes = self.transaction.as_ref().map_or(0, Transaction::bytes);
        card.queued_bytes.store(bytes as u64, Relaxed);
        card.active_at.store(surroundings.now_micros / 1_000, Relaxed);
    }

    /// Takes the replies to one batch.
    pub fn accept(&mut self, mut replies: Box<Replies>) {
        self.overflowed |= replies.overflow;
        if let Some(subscriptions) = replies.subscriptions {
            self.count_subscriptions(subscriptions);
            // What the shards were to forget has been forgotten: this joint has visited them behind it.
            self.is_deaf = false;
        }
        if replies.lane >= self.router.shards() {
            match replies.lane == process_lane(self.router.shards()) {
                true => self.is_awaiting = false,
                false => self.joint_in_flight = false,
            }
        }
        if let Some(batch) = replies.spent.take() {
            self.keep(batch);
        }
        let own = std::mem::take(&mut replies.own);
        self.lanes.put(replies);
        own.iter().for_each(|message| self.push_message(message));
        self.overflowed |= self.lanes.held_bytes() > self.options.output_bytes_max;
    }

    /// Appends to `out` every reply whose turn it is, and messages in between as they came.
    pub fn drain(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.pushed);
        self.drain_replies(out);
    }

    fn drain_replies(&mut self, out: &mut Vec<u8>) {
        let rooms = &mut self.rooms;
        self.lanes.drain(out, |mut used_up| {
            if rooms.len() < SPARE_MAX && used_up.is_kept() {
                used_up.clear();
                rooms.push(used_up);
            }
        });
    }

    /// Takes a push for the client. A message leaves behind the replies that came before it; one that was under
    /// way when the client said `RESET` is dropped. An invalidation that is for another client is
    /// handed out.
    #[must_use]
    pub fn push(&mut self, push: Push) -> Option<Redirect> {
        match push {
            Push::Message(message) => self.push_message(&message),
            Push::Invalidate(keys) => return self.invalidate(keys),
            Push::Redirected(keys) => self.take_redirected(keys.as_deref()),
            Push::Revoked => {
                self.client.card.disconnected.store(true, Relaxed);
                self.client.closing = true;
            }
        }
        None
    }

    fn push_message(&mut self, message: &Message) {
        if !self.is_deaf {
            self.push_at_once(|out, protocol| message.write(out, protocol));
        }
    }

    /// Writes behind the replies that have come.
    fn push_at_once(&mut self, write: impl FnOnce(&mut Vec<u8>, Protocol)) {
        let mut pushed = std::mem::take(&mut self.pushed);
        self.drain_replies(&mut pushed);
        self.pushed = pushed;
        write(&mut self.pushed, self.client.protocol);
        self.overflowed |= self.pushed.len() > self.options.output_bytes_max;
    }

    /// Bytes of messages that have not been drained.
    pub fn pushed_bytes(&self) -> usize {
        self.pushed.len()
    }

    /// How many channels and patterns the client listens to.
    pub fn subscriptions(&self) -> usize {
        self.subscriptions
    }

    /// What the shards are to forget now that the client has gone.
    pub fn farewell(&mut self) -> Vec<Outgoing> {
        self.unwatch();
        self.end_monitoring();
        // A joint under way may be one that subscribes or tracks.
        if self.subscriptions > 0 || self.client.tracking.is_some() || self.joint_in_flight {
            self.forgets.push(Outgoing::Unsubscribe(self.client.card.id));
        }
        std::mem::take(&mut self.forgets)
    }

    /// Whether another request would be decoded now.
    pub fn may_decode(&self) -> bool {
        !self.client.closing
            && !self.joint_in_flight
            && !self.is_awaiting
            && !self.subscribing
            && self.held_until.is_none()
            && self.forgets.is_empty()
            && !self.overflowed
            && self.lanes.waiting() < self.options.window
            && self.lanes.held_bytes() + self.local.bytes.len() + self.pushed.len() < UNDRAINED_BYTES_PAUSE
            && self.joint.as_ref().is_none_or(|(_, batch)| batch.calls.len() < JOINT_CALLS_MAX)
    }

    /// Whether the conversation is over: nothing more is decoded and every reply has left.
    pub fn is_finished(&self) -> bool {
        self.client.closing && self.lanes.waiting() == 0 && self.pushed.is_empty()
    }

    /// Whether more replies wait than the limit allows: the client is to be closed at once.
    pub fn is_overflowed(&self) -> bool {
        self.overflowed
    }

    /// Until when a request is held by `CLIENT PAUSE`, if one is: then, or when the pause is ended, the session is
    /// to be [resumed](Session::resume).
    pub fn held_until(&self) -> Option<UnixMillis> {
        self.held_until
    }

    /// Whether the process is to answer it.
    pub fn is_awaiting(&self) -> bool {
        self.is_awaiting
    }

    /// Lets it look again whether its next request is held.
    pub fn resume(&mut self) {
        self.held_until = None;
        self.client.card.is_held.store(false, Relaxed);
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

    /// Gives every batch its burst and sends it off; local replies take their place.
    fn send_off(&mut self, buffer: &mut BytesMut, outgoing: &mut Vec<Outgoing>) {
        let mut burst = self.decoder.take_burst(buffer);
        let last = self.joint.is_none().then(|| ShardId(self.router.shards() - 1));
        for shard in self.router.all() {
            let batch = &mut self.open[shard.index()];
            if !batch.calls.is_empty() {
                let mut fresh = self.spare.pop().unwrap_or_default();
                fresh.lane = batch.lane;
                let mut batch = std::mem::replace(batch, fresh);
                batch.burst = if Some(shard) == last { std::mem::take(&mut burst) } else { burst.clone() };
                batch.room = self.rooms.pop();
                outgoing.push(Outgoing::Batch(shard, batch));
            }
        }
        if let Some((shards, mut batch)) = self.joint.take() {
            batch.burst = burst;
            self.joint_in_flight = true;
            outgoing.push(Outgoing::Joint(shards, batch));
        }
        outgoing.append(&mut self.forgets);
        outgoing.extend(self.awaited.take().map(Outgoing::Await));
        self.send_lines(outgoing);
        self.subscribing = false;
        if !self.local.ends.is_empty() {
            let mut fresh = self.rooms.pop().unwrap_or_default();
            fresh.lane = self.local.lane;
            self.lanes.put(std::mem::replace(&mut self.local, fresh));
        }
    }

    fn keep(&mut self, mut batch: Box<Batch>) {
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
