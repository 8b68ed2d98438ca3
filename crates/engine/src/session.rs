//! One client's conversation: bytes in, batches out; replies in, bytes out.
//!
//! A session decodes a read burst as far as its window allows, answers what needs no data, and sorts the rest
//! into one batch a shard. From the first call over several shards on, the rest of the burst rides along in one
//! joint, and nothing more is decoded until the joint has answered: that keeps the client's calls in order
//! although they take different ways.

use bytes::BytesMut;
use mayfly_command::{
    ClientState, Command, CommandError, Flags, Host, Router, Run, SessionContext, ShardId, Table, Words,
};
use mayfly_resp::{Decoded, Decoder, ReplyWriter, RequestLimits};
use std::sync::atomic::Ordering::Relaxed;

use crate::batch::{Batch, Call, Outgoing, Replies, ReplyRoom};
use crate::counters::ThreadCounters;
use crate::lanes::Lanes;
use crate::meter::{Meter, Stopwatch};
use crate::router::{Route, route};

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
        let command = match self.look_up(buffer) {
            Ok(command) => command,
            Err(line) => return self.refuse(&line, surroundings.counters),
        };
        let words = Words::new(buffer, self.decoder.words());
        match route(command, words, &self.router) {
            Route::Session => self.answer(command, buffer, surroundings, meter),
            Route::Shard { shard, key_word, key_hash } => {
                meter.stop();
                match &mut self.joint {
                    Some((shards, _)) => {
                        if let Err(place) = shards.binary_search(&shard) {
                            shards.insert(place, shard);
                        }
                        self.add_to_joint(command, key_word, key_hash);
                    }
                    None => {
                        let batch = &mut self.open[shard.index()];
                        let lane = batch.lane;
                        push(batch, command, &self.decoder, &self.client, (key_word, key_hash));
                        self.lanes.expect(lane);
                    }
                }
            }
            Route::Shards(mut needed) => {
                meter.stop();
                if let Some((shards, _)) = &mut self.joint {
                    shards.append(&mut needed);
                    shards.sort_unstable();
                    shards.dedup();
                } else {
                    let batch = Batch { lane: self.router.shards(), ..self.spare.pop().unwrap_or_default() };
                    self.joint = Some((needed, batch));
                }
                self.add_to_joint(command, 0, 0);
            }
        }
    }

    fn add_to_joint(&mut self, command: &'static Command, key_word: u32, key_hash: u64) {
        if let Some((_, batch)) = &mut self.joint {
            let lane = batch.lane;
            push(batch, command, &self.decoder, &self.client, (key_word, key_hash));
            self.lanes.expect(lane);
        }
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

    /// Runs a command of the session.
    fn answer(
        &mut self,
        command: &'static Command,
        buffer: &[u8],
        surroundings: &Surroundings<'_>,
        meter: &mut Meter<'_>,
    ) {
        let Run::Session(run) = command.spec.run else {
            let line = CommandError::WrongArity.line(command.full_name());
            return self.refuse(&line, surroundings.counters);
        };
        self.client.card.last_command.store(command.id.0, Relaxed);
        meter.begin(command.id);
        let mut context = SessionContext {
            reply: ReplyWriter::new(&mut self.local.bytes, self.client.protocol),
            host: surroundings.host,
            now_micros: surroundings.now_micros,
            client: &mut self.client,
        };
        let words = Words::new(buffer, self.decoder.words());
        let was_authenticated = context.client.authenticated;
        let before = context.reply.position();
        if context.run(command, run, words) {
            meter.error();
        }
        if self.local.bytes.len() > before {
            self.answered();
        }
        if self.client.authenticated != was_authenticated {
            self.decoder.set_authenticated(self.client.authenticated);
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
            self.spare.push(batch);
        }
    }
}

/// Adds the request just decoded to a batch.
#[inline]
fn push(
    batch: &mut Batch,
    command: &'static Command,
    decoder: &Decoder,
    client: &ClientState,
    (key_word, key_hash): (u32, u64),
) {
    let words = decoder.words();
    batch.calls.push(Call {
        command,
        first_word: batch.words.len() as u32,
        word_count: words.len() as u32,
        key_word,
        database: client.database,
        protocol: client.protocol,
        key_hash,
    });
    batch.words.extend_from_slice(words);
}
