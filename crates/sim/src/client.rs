//! One simulated client: what it has asked, and what must come back.

use std::collections::VecDeque;

use bytes::BytesMut;
use fastrand::Rng;
use mayfly_command::cursor::Cursor;
use mayfly_command::{Router, Run, Step, Table};
use mayfly_resp::{Protocol, UNAUTHENTICATED_BULK_BYTES_MAX, UNAUTHENTICATED_WORDS_MAX, Value};

use mayfly_engine::SessionOptions;

use crate::conversation::{Conversation, Fate, Inner};
use crate::expected::{Expected, parse, reply_end, shown, shown_words, step};
use crate::host::PASSWORD;
use crate::listeners::Message;
use crate::sampler::Sampler;

/// Number of a client.
pub type ClientId = u64;

/// A client and its connection, as far as the network goes.
#[derive(Debug)]
pub struct Client {
    /// Its number.
    pub id: ClientId,
    /// Bytes that the server has not read yet.
    pub wire: BytesMut,
    /// Calls that were sent off to shards and have not been carried out.
    pub in_flight: usize,
    /// Whether it has hung up.
    pub is_gone: bool,
    /// Replies so far.
    pub replies: u64,
    conversation: Conversation,
    /// What has not been answered, in order.
    requests: VecDeque<Request>,
    received: Vec<u8>,
    /// Messages that were sent to it and have not arrived, in order.
    messages: VecDeque<Message>,
    /// Messages that were under way when it gave up its subscriptions: they may be dropped.
    optional: VecDeque<Message>,
    messages_sent: u64,
    messages_received: u64,
    /// Where its last `SCAN` and `HSCAN` stopped.
    scan_cursor: Vec<u8>,
    hscan: Option<(Vec<u8>, Vec<u8>)>,
    /// What its last `DUMP` gave.
    payload: Option<Vec<u8>>,
    /// Every reply, for clients that follow a script.
    script: Option<Vec<Value>>,
}

/// A request that has not been answered.
#[derive(Debug)]
pub struct Request {
    words: Vec<Vec<u8>>,
    protocol: Protocol,
    reply: Pending,
    /// If nothing may change places with a message: how many were sent before it was carried out.
    messages_before: Option<u64>,
}

#[derive(Debug)]
enum Pending {
    /// The session answers; so it must be.
    Known(Expected),
    /// Shards carry it out, in this database; their numbers as bits. Then `reply` is what they answered.
    Data { database: u16, shards: u64, reply: Option<Vec<u8>>, inner: Vec<Inner> },
}

impl Client {
    /// A client that connects. With `is_scripted` it keeps its replies.
    pub fn new(id: ClientId, has_password: bool, is_scripted: bool, options: &SessionOptions) -> Self {
        Client {
            id,
            wire: BytesMut::new(),
            in_flight: 0,
            is_gone: false,
            replies: 0,
            conversation: Conversation::new(id, has_password, options),
            requests: VecDeque::new(),
            received: Vec::new(),
            messages: VecDeque::new(),
            optional: VecDeque::new(),
            messages_sent: 0,
            messages_received: 0,
            scan_cursor: b"0".to_vec(),
            hscan: None,
            payload: None,
            script: is_scripted.then(Vec::new),
        }
    }

    /// Writes some requests at random to the wire.
    pub fn speak(&mut self, sampler: &Sampler, router: &Router, now: i64, random: &mut Rng) {
        if !self.conversation.is_authenticated() && random.bool() {
            self.ask(vec![b"AUTH".to_vec(), PASSWORD.into()], false, router);
        }
        let burst = if random.u32(..20) == 0 { 150 } else { 8 };
        for _ in 0..random.usize(1..=burst) {
            if random.u32(..3_000) == 0 {
                self.break_protocol();
            }
            let words = match random.u32(..60) {
                0..6 if self.conversation.is_queuing() => vec![b"EXEC".to_vec()],
                0..10 if self.conversation.is_restricted() => vec![b"UNSUBSCRIBE".to_vec()],
                10..20 if self.conversation.is_restricted() => vec![b"PUNSUBSCRIBE".to_vec()],
                20..30 if self.conversation.is_restricted() => vec![b"SUNSUBSCRIBE".to_vec()],
                _ => self.follow_up(sampler.request(random, now), random),
            };
            if self.conversation.would_be_open(&words) {
                continue;
            }
            let is_small = words.len() <= UNAUTHENTICATED_WORDS_MAX as usize
                && words.iter().all(|word| word.len() <= UNAUTHENTICATED_BULK_BYTES_MAX as usize);
            if is_small || self.conversation.is_authenticated() {
                let is_inline = random.u32(..10) == 0 && words.iter().all(|word| is_plain(word));
                self.ask(words, is_inline, router);
            }
        }
    }

    /// Writes one request to the wire.
    pub fn ask(&mut self, words: Vec<Vec<u8>>, is_inline: bool, router: &Router) {
        if is_inline {
            self.wire.extend_from_slice(&words.join(&b' '));
            self.wire.extend_from_slice(b"\r\n");
        } else {
            self.wire.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
            for word in &words {
                self.wire.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
                self.wire.extend_from_slice(word);
                self.wire.extend_from_slice(b"\r\n");
            }
        }
        let before = self.conversation.protocol();
        let fate = self.conversation.take(&words);
        let (mut protocol, mut messages_before) = (before, None);
        let reply = match fate {
            Fate::Answered(expected) => {
                protocol = self.conversation.protocol();
                Pending::Known(expected)
            }
            Fate::Data { name, database } => {
                if name.ends_with("subscribe") {
                    messages_before = Some(0);
                }
                let shards = shards_of(name, &words, router);
                Pending::Data { database: database as u16, shards, reply: None, inner: Vec::new() }
            }
            Fate::Transaction { calls, watched } => {
                let data = calls.iter().filter(|call| call.answer.is_none());
                let shards = data.map(|call| shards_of(call.name, &call.words, router));
                let shards = shards.chain(watched.iter().map(|key| shard_bit(key, router)));
                let shards = shards.fold(0, |bits, bit| bits | bit);
                Pending::Data { database: 0, shards, reply: None, inner: calls }
            }
            Fate::Ignored => return,
        };
        self.requests.push_back(Request { words, protocol, reply, messages_before });
    }

    /// The client has given up its subscriptions: what has not arrived may never do so.
    pub fn forgive_messages(&mut self) {
        self.messages_sent -= self.messages.len() as u64;
        self.optional.extend(self.messages.drain(..));
        for request in &mut self.requests {
            // How many of them come before its reply is open now.
            request.messages_before =
                request.messages_before.filter(|before| *before <= self.messages_received);
        }
    }

    /// A message was sent to this client.
    pub fn expect_message(&mut self, message: Message) {
        self.messages_sent += 1;
        self.messages.push_back(message);
    }

    /// A shard has carried out a transaction of this client: these calls with these replies, unless a watched key
    /// has changed.
    ///
    /// # Errors
    /// It is not what the client has queued.
    pub fn transaction_was_executed(
        &mut self,
        calls: &[Seen<'_>],
        protocol: Protocol,
        bytes: &[u8],
        items: Option<&[&[u8]]>,
        is_overflow: bool,
    ) -> Result<(), String> {
        let request = self.matching_request(&[b"exec"], calls, 0, protocol, bytes)?;
        let Pending::Data { inner, .. } = &request.reply else { return Err("EXEC needs no data".to_owned()) };
        for (at, inner) in inner.iter().enumerate() {
            if let (Some((expected, protocol)), Some(items), false) = (&inner.answer, items, is_overflow) {
                expected.check(items.get(at).copied().unwrap_or_default(), *protocol)?;
            }
        }
        Ok(())
    }

    /// A shard has carried out a call of this client.
    ///
    /// # Errors
    /// The client has asked for no such thing, or for something before it on the same shard.
    pub fn was_executed(
        &mut self,
        words: &[&[u8]],
        database: u16,
        protocol: Protocol,
        bytes: &[u8],
    ) -> Result<(), String> {
        self.matching_request(words, &[], database, protocol, bytes).map(|_| ())
    }

    fn matching_request(
        &mut self,
        words: &[&[u8]],
        calls: &[Seen<'_>],
        database: u16,
        protocol: Protocol,
        bytes: &[u8],
    ) -> Result<&mut Request, String> {
        self.in_flight = self.in_flight.checked_sub(1).ok_or("more calls were carried out than sent off")?;
        let mut before = 0;
        for request in &mut self.requests {
            let Pending::Data { database: asked_in, shards, reply: reply @ None, inner } = &mut request.reply
            else {
                continue;
            };
            if is_request(&request.words, words)
                && *asked_in == database
                && request.protocol == protocol
                && are_queued(inner, calls)
            {
                if before & *shards != 0 {
                    return Err("it was carried out before an earlier call of its client on the same shard"
                        .to_owned());
                }
                *reply = Some(bytes.to_vec());
                request.messages_before = request.messages_before.map(|_| self.messages_sent);
                return Ok(request);
            }
            before |= *shards;
        }
        Err("its client has not asked for it, or it was carried out twice".to_owned())
    }

    /// Bytes have come from the server: each whole reply must be the one whose turn it is.
    ///
    /// # Errors
    /// A reply that is not.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.received.extend_from_slice(bytes);
        let mut start = 0;
        while start < self.received.len()
            && let Some(length) = reply_end(&self.received[start..])
        {
            let frame = &self.received[start..start + length];
            if let Some(message) = message_in(frame) {
                start += length;
                if self.optional.front() == Some(&message) {
                    self.optional.pop_front();
                    continue;
                }
                let expected = self.messages.pop_front();
                if expected.as_ref() != Some(&message) {
                    let message = shown_words(message.iter().map(|word| &word[..]));
                    return Err(format!("the next message is {expected:?}, received {message}"));
                }
                self.messages_received += 1;
                self.script.iter_mut().for_each(|script| script.extend(parse(frame)));
                continue;
            }
            let Some(request) = self.requests.pop_front() else {
                return Err(format!("a reply that nobody asked for: {}", shown(frame)));
            };
            // Confirmations come one a channel.
            let length = request.length().unwrap_or(length).max(length);
            let reply = self.received[start..self.received.len().min(start + length)].to_vec();
            start += reply.len();
            if request.messages_before.is_some_and(|before| before != self.messages_received) {
                let received = self.messages_received;
                let before = request.messages_before;
                return Err(format!(
                    "{}: {received} messages came before its reply, {before:?} must",
                    request.shown()
                ));
            }
            request.check(&reply).map_err(|fault| format!("{}: {fault}", request.shown()))?;
            self.remember(&request, &reply);
            self.replies += 1;
        }
        self.received.drain(..start);
        Ok(())
    }

    /// Whether everything was answered and nothing came besides.
    ///
    /// # Errors
    /// What was not answered.
    pub fn check_answered(&self) -> Result<(), String> {
        match self.requests.front() {
            Some(request) => {
                Err(format!("{} requests without a reply, first {}", self.requests.len(), request.shown()))
            }
            None if !self.messages.is_empty() => {
                Err(format!("{} messages have not come", self.messages.len()))
            }
            None if self.received.is_empty() => Ok(()),
            None => Err(format!("half a reply: {}", shown(&self.received))),
        }
    }

    /// Requests without a reply.
    pub fn unanswered(&self) -> usize {
        self.requests.len()
    }

    /// Whether the client has said goodbye, or something that is no request.
    pub fn is_over(&self) -> bool {
        self.conversation.is_over()
    }

    /// The replies since the last call, of a client that follows a script.
    pub fn take_replies(&mut self) -> Vec<Value> {
        self.script.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn break_protocol(&mut self) {
        self.wire.extend_from_slice(b"*1\r\n:5\r\n");
        if let Fate::Answered(expected) = self.conversation.protocol_error("expected '$', got ':'") {
            let protocol = self.conversation.protocol();
            let reply = Pending::Known(expected);
            self.requests.push_back(Request { words: Vec::new(), protocol, reply, messages_before: None });
        }
    }

    /// A walk goes on where it stopped, and what was dumped is restored, mostly.
    fn follow_up(&self, mut words: Vec<Vec<u8>>, random: &mut Rng) -> Vec<Vec<u8>> {
        if words[0].eq_ignore_ascii_case(b"scan") && words.len() > 1 && random.u32(..4) > 0 {
            words[1].clone_from(&self.scan_cursor);
        }
        if words[0].eq_ignore_ascii_case(b"hscan")
            && words.len() > 2
            && random.u32(..4) > 0
            && let Some((key, cursor)) = &self.hscan
        {
            words[1].clone_from(key);
            words[2].clone_from(cursor);
        }
        if words[0].eq_ignore_ascii_case(b"restore")
            && words.len() > 3
            && random.u32(..4) > 0
            && let Some(payload) = &self.payload
        {
            words[3].clone_from(payload);
        }
        words
    }

    fn remember(&mut self, request: &Request, reply: &[u8]) {
        let name = request.words.first().map(|name| name.to_ascii_lowercase()).unwrap_or_default();
        let value = parse(reply);
        if let Some((cursor, _)) = value.as_ref().and_then(step) {
            match name.as_slice() {
                b"scan" => self.scan_cursor = cursor,
                b"hscan" => self.hscan = Some((request.words[1].clone(), cursor)),
                _ => {}
            }
        }
        if let (b"dump", Some(Value::Bulk(payload))) = (name.as_slice(), &value) {
            self.payload = Some(payload.to_vec());
        }
        if let Some(script) = &mut self.script {
            script.extend(value);
        }
    }
}

impl Request {
    /// How long its reply is, if that is known.
    fn length(&self) -> Option<usize> {
        match &self.reply {
            Pending::Data { reply, .. } => reply.as_ref().map(Vec::len),
            Pending::Known(_) => None,
        }
    }

    fn check(&self, bytes: &[u8]) -> Result<(), String> {
        match &self.reply {
            Pending::Known(expected) => expected.check(bytes, self.protocol),
            Pending::Data { reply: None, .. } => {
                Err(format!("a reply before it was carried out: {}", shown(bytes)))
            }
            Pending::Data { reply: Some(reply), .. } if reply == bytes => Ok(()),
            Pending::Data { reply: Some(reply), .. } => {
                Err(format!("the shard answered {}, the client read {}", shown(reply), shown(bytes)))
            }
        }
    }

    fn shown(&self) -> String {
        shown_words(self.words.iter().map(|word| &word[..]))
    }
}

/// The shards that a request needs, as bits.
fn shards_of(name: &str, words: &[Vec<u8>], router: &Router) -> u64 {
    let Some(command) = Table::get().find_full(name.as_bytes()) else { return 0 };
    match command.spec.run {
        Run::AllShards(_) | Run::Step(Step::Subscribe(_) | Step::Unsubscribe(_)) => u64::MAX,
        Run::Step(Step::Publish(_)) => shard_bit(&words[1], router),
        Run::Step(Step::ListChannels(_) | Step::CountListeners(_) | Step::CountPatterns) => 1,
        Run::Cursor(_) => 1 << Cursor::shard_of(&words[1], router).index(),
        _ => {
            let keys = command.spec.key_positions(words.len());
            keys.map(|at| shard_bit(&words[at], router)).fold(0, |bits, bit| bits | bit)
        }
    }
}

fn shard_bit(key: &[u8], router: &Router) -> u64 {
    1 << router.shard_of(router.key(key)).index()
}

/// Whether these words are what was asked for; of `EXEC` the engine keeps no word.
fn is_request(asked: &[Vec<u8>], words: &[&[u8]]) -> bool {
    asked == words || matches!((asked, words), ([asked], [word]) if asked.eq_ignore_ascii_case(word))
}

/// A call of a transaction as it was seen: its words, its database, whether the session has answered it.
pub type Seen<'a> = (Vec<&'a [u8]>, u16, bool);

/// Whether a transaction is the one that was queued.
fn are_queued(queued: &[Inner], calls: &[Seen<'_>]) -> bool {
    let mut pairs = queued.iter().zip(calls);
    queued.len() == calls.len()
        && pairs.all(|(queued, (words, database, is_answered))| {
            queued.answer.is_some() == *is_answered
                && (*is_answered || (queued.words == *words && queued.database == usize::from(*database)))
        })
}

/// The words of a message, if that is what a frame is. No reply of the simulated data looks like one.
fn message_in(frame: &[u8]) -> Option<Message> {
    if !matches!(frame.first(), Some(b'>' | b'*')) {
        return None;
    }
    let (Value::Array(items) | Value::Push(items)) = parse(frame)? else { return None };
    let words: Option<Message> = items.iter().map(|item| item.as_bytes().map(<[u8]>::to_vec)).collect();
    let words = words?;
    let is_message =
        matches!((words.first()?.as_slice(), words.len()), (b"message" | b"smessage", 3) | (b"pmessage", 4));
    is_message.then_some(words)
}

/// Whether a word can stand in an inline request as it is.
fn is_plain(word: &[u8]) -> bool {
    !word.is_empty() && word.len() < 100 && word.iter().all(u8::is_ascii_alphanumeric)
}
