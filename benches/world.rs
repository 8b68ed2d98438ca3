//! A world to measure in: a session and its shards in one process, without sockets and threads.

use std::sync::Arc;

use bytes::BytesMut;
use mayfly_command::{ClientCard, ClientState, Host, HostFacts, Router};
use mayfly_engine::{
    Door, Effect, Moment, Outgoing, Pauses, Session, SessionOptions, Shard, ShardOptions, Surroundings,
    ThreadCounters, Work,
};
use mayfly_resp::{Protocol, ReplyWriter};
use mayfly_store::{KeyHasher, UnixMillis};

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
const VALUE: &str = "0123456789abcdef0123456789abcdef";

/// A session on the thread of the first shard, and all shards.
pub struct World {
    session: Session,
    shards: Vec<Shard<()>>,
    counters: Arc<ThreadCounters>,
    door: Door,
    input: BytesMut,
    output: Vec<u8>,
    outgoing: Vec<Outgoing>,
    effects: Vec<Effect<()>>,
}

impl World {
    /// So many shards without keys.
    pub fn new(shards: u16) -> Self {
        let router = Router::new(KeyHasher::from_seed(9), shards);
        let session_options = SessionOptions::default();
        let options = ShardOptions::default();
        let counters: Arc<ThreadCounters> = Arc::default();
        let card = Arc::new(ClientCard::new(1, String::new(), String::new(), NOW.0));
        World {
            session: Session::new(ClientState::new(card, true), router.clone(), session_options),
            shards: router
                .all()
                .map(|id| Shard::new(id, router.clone(), options.clone(), 9, Arc::clone(&counters)))
                .collect(),
            counters,
            door: Door::default(),
            input: BytesMut::new(),
            output: Vec::new(),
            outgoing: Vec::new(),
            effects: Vec::new(),
        }
    }

    /// The same world, whose shards record what is done.
    #[allow(dead_code, reason = "not every bench records")]
    pub fn recording(mut self) -> Self {
        let options = ShardOptions { is_recording: true, ..ShardOptions::default() };
        self.shards.iter_mut().for_each(|shard| shard.set_options(options.clone()));
        self
    }

    /// The replies to a pipeline, the way that a connection gets them.
    pub fn answer(&mut self, pipeline: &[u8]) -> &[u8] {
        let stopwatch = || 0;
        let surroundings = Surroundings {
            host: &Nowhere,
            now_micros: NOW.0 * 1_000,
            stopwatch: &stopwatch,
            counters: &self.counters,
            is_monitored: false,
            pauses: &Pauses::default(),
            door: &self.door,
        };
        let moment = Moment { now: NOW, host: &Nowhere, stopwatch: &stopwatch };
        self.output.clear();
        self.input.extend_from_slice(pipeline);
        self.session.feed(&mut self.input, &surroundings, &mut self.outgoing);
        for delivery in self.outgoing.drain(..) {
            match delivery {
                Outgoing::Batch(shard, batch) => {
                    let turn = [Work::Batch(batch, ())];
                    self.shards[shard.index()].accept_all(turn, &moment, &mut self.effects);
                }
                _ => unreachable!("every request has one key"),
            }
        }
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Reply((), replies) => self.session.accept(replies),
                Effect::Record(body) => drop(std::hint::black_box(body)),
                _ => unreachable!("there are no joints"),
            }
        }
        self.session.drain(&mut self.output);
        &self.output
    }
}

/// A process that no command here asks for anything.
struct Nowhere;

impl Host for Nowhere {
    fn databases(&self) -> u16 {
        16
    }
    fn parameters(&self, _: &mut dyn FnMut(&str, &str)) {}
    fn clients(&self) -> Vec<Arc<ClientCard>> {
        Vec::new()
    }
    fn facts(&self) -> HostFacts {
        HostFacts::default()
    }
    fn shutdown(&self) {}
}

/// The request that sets a field and the TTL of a key.
pub fn hsetex(key: u64) -> Vec<u8> {
    encode(&["HSETEX", &format!("key:{key:012}"), "f", VALUE, "3600"])
}

/// The request that reads it.
pub fn hget(key: u64) -> Vec<u8> {
    encode(&["HGET", &format!("key:{key:012}"), "f"])
}

fn encode(words: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut request = ReplyWriter::new(&mut bytes, Protocol::Resp2);
    request.array(words.len());
    words.iter().for_each(|word| request.bulk(word.as_bytes()));
    bytes
}
