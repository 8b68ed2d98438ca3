//! One simulated client: what it has asked, and what must come back.

use std::collections::VecDeque;

use bytes::BytesMut;
use fastrand::Rng;
use mayfly_command::cursor::Cursor;
use mayfly_command::{Router, Run, Table};
use mayfly_resp::{Protocol, UNAUTHENTICATED_BULK_BYTES_MAX, UNAUTHENTICATED_WORDS_MAX, Value};

use crate::conversation::{Conversation, Fate};
use crate::expected::{Expected, parse, reply_end, shown, shown_words, step};
use crate::host::PASSWORD;
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
    /// Where its last `SCAN` and `HSCAN` stopped.
    scan_cursor: Vec<u8>,
    hscan: Option<(Vec<u8>, Vec<u8>)>,
    /// What its last `DUMP` gave.
    payload: Option<Vec<u8>>,
    /// Every reply, for clients that follow a script.
    script: Option<Vec<Value>>,
}

#[derive(Debug)]
struct Request {
    words: Vec<Vec<u8>>,
    protocol: Protocol,
    reply: Pending,
}

#[derive(Debug)]
enum Pending {
    /// The session answers; so it must be.
    Known(Expected),
    /// Shards carry it out, in this database; their numbers as bits. Then `reply` is what they answered.
    Data { database: u16, shards: u64, reply: Option<Vec<u8>> },
}

impl Client {
    /// A client that connects. With `is_scripted` it keeps its replies.
    pub fn new(id: ClientId, has_password: bool, is_scripted: bool) -> Self {
        Client {
            id,
            wire: BytesMut::new(),
            in_flight: 0,
            is_gone: false,
            replies: 0,
            conversation: Conversation::new(id, has_password),
            requests: VecDeque::new(),
            received: Vec::new(),
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
            let words = self.follow_up(sampler.request(random, now), random);
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
        let reply = match self.conversation.take(&words) {
            Fate::Answered(expected) => Pending::Known(expected),
            Fate::Data { name, database } => {
                let shards = shards_of(name, &words, router);
                Pending::Data { database: database as u16, shards, reply: None }
            }
            Fate::Ignored => return,
        };
        self.requests.push_back(Request { words, protocol: self.conversation.protocol(), reply });
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
        self.in_flight = self.in_flight.checked_sub(1).ok_or("more calls were carried out than sent off")?;
        let mut before = 0;
        for request in &mut self.requests {
            let Pending::Data { database: asked_in, shards, reply: reply @ None } = &mut request.reply else {
                continue;
            };
            if request.words == words && *asked_in == database && request.protocol == protocol {
                if before & *shards != 0 {
                    return Err("it was carried out before an earlier call of its client on the same shard"
                        .to_owned());
                }
                *reply = Some(bytes.to_vec());
                return Ok(());
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
            let reply = self.received[start..start + length].to_vec();
            start += length;
            let Some(request) = self.requests.pop_front() else {
                return Err(format!("a reply that nobody asked for: {}", shown(&reply)));
            };
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
            self.requests.push_back(Request { words: Vec::new(), protocol, reply: Pending::Known(expected) });
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
        Run::AllShards(_) | Run::Step(_) => u64::MAX,
        Run::Cursor(_) => 1 << Cursor::shard_of(&words[1], router).index(),
        _ => {
            let keys = command.spec.key_positions(words.len()).map(|at| router.key(&words[at]));
            keys.map(|key| 1 << router.shard_of(key).index()).fold(0, |bits, bit| bits | bit)
        }
    }
}

/// Whether a word can stand in an inline request as it is.
fn is_plain(word: &[u8]) -> bool {
    !word.is_empty() && word.len() < 100 && word.iter().all(u8::is_ascii_alphanumeric)
}
