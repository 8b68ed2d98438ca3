//! A session and its shard in one process, without sockets and threads: what a pipeline costs from its bytes to
//! the bytes of its replies, over a million keys.
//!
//! `own shard` runs every batch by a call, as a connection on the shard's own thread does. `two shards` sends half
//! of the calls as work to a second shard and merges the replies of both; the crossing between threads, which
//! comes on top, is left out. Time per iteration divided by the pipeline's length is the cost of one request.
//!
//! `cargo bench --bench session`; with `-- --test` everything runs once, on a small scale.

use std::sync::Arc;

use bytes::BytesMut;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mayfly_command::{ClientCard, ClientState, Host, HostFacts, Router, ShardId};
use mayfly_engine::{
    Effect, Moment, Outgoing, Pauses, Session, SessionOptions, Shard, ShardOptions, Surroundings,
    ThreadCounters, Work,
};
use mayfly_resp::{Protocol, ReplyWriter};
use mayfly_store::{KeyHasher, UnixMillis};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
const VALUE: &str = "0123456789abcdef0123456789abcdef";

/// Writes the request for the key of a number.
type Request = fn(u64) -> Vec<u8>;

criterion_group!(benches, sessions);
criterion_main!(benches);

fn sessions(criterion: &mut Criterion) {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let keys = if is_test { 10_000 } else { 1_000_000 };
    for (place, shards) in [("own shard", 1), ("two shards", 2)] {
        let mut world = World::new(shards);
        for first in (0..keys).step_by(100) {
            let pipeline: Vec<u8> = (first..first + 100).flat_map(hsetex).collect();
            assert!(world.answer(&pipeline).starts_with(b":1\r\n"));
        }
        let cases: [(&str, Request, &[u8]); 2] = [("HSETEX", hsetex, b":0\r\n"), ("HGET", hget, b"$32\r\n")];
        for (name, request, reply) in cases {
            let mut group = criterion.benchmark_group(format!("{place}/{name}"));
            for pipelined in [1, 16, 64] {
                let mut random = 1_u64;
                let mut pipeline = || -> Vec<u8> {
                    let numbers = std::iter::repeat_with(|| {
                        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        (random >> 33) % keys
                    });
                    numbers.take(pipelined).flat_map(request).collect()
                };
                assert!(world.answer(&pipeline()).starts_with(reply));
                group.throughput(Throughput::Elements(pipelined as u64));
                group.bench_function(pipelined.to_string(), |bencher| {
                    bencher.iter_batched(
                        &mut pipeline,
                        |bytes| world.answer(&bytes).len(),
                        BatchSize::LargeInput,
                    );
                });
            }
        }
    }
}

/// A session on the thread of the first shard, and all shards.
struct World {
    session: Session,
    shards: Vec<Shard<()>>,
    counters: Arc<ThreadCounters>,
    input: BytesMut,
    output: Vec<u8>,
    outgoing: Vec<Outgoing>,
    effects: Vec<Effect<()>>,
}

impl World {
    fn new(shards: u16) -> Self {
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
            input: BytesMut::new(),
            output: Vec::new(),
            outgoing: Vec::new(),
            effects: Vec::new(),
        }
    }

    /// The replies to a pipeline, the way that a connection gets them.
    fn answer(&mut self, pipeline: &[u8]) -> &[u8] {
        let stopwatch = || 0;
        let surroundings = Surroundings {
            host: &Nowhere,
            now_micros: NOW.0 * 1_000,
            stopwatch: &stopwatch,
            counters: &self.counters,
            is_monitored: false,
            pauses: &Pauses::default(),
        };
        let moment = Moment { now: NOW, host: &Nowhere, stopwatch: &stopwatch };
        self.output.clear();
        self.input.extend_from_slice(pipeline);
        self.session.feed(&mut self.input, &surroundings, &mut self.outgoing);
        for delivery in self.outgoing.drain(..) {
            match delivery {
                Outgoing::Batch(ShardId(0), batch) => {
                    let replies = self.shards[0]
                        .run(batch, &|| (), &moment, &mut self.effects)
                        .expect("no joint is under way");
                    self.session.accept(replies);
                }
                Outgoing::Batch(shard, batch) => {
                    let work = Work::Batch(batch, ());
                    self.shards[shard.index()].accept(work, &moment, &mut self.effects);
                }
                _ => unreachable!("every request has one key"),
            }
        }
        for effect in self.effects.drain(..) {
            let Effect::Reply((), replies) = effect else { unreachable!("there are no joints") };
            self.session.accept(replies);
        }
        self.session.drain(&mut self.output);
        &self.output
    }
}

/// A process that no command here asks for anything.
struct Nowhere;

impl Host for Nowhere {
    fn password(&self) -> String {
        String::new()
    }
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

fn hsetex(key: u64) -> Vec<u8> {
    encode(&["HSETEX", &format!("key:{key:012}"), "f", VALUE, "3600"])
}

fn hget(key: u64) -> Vec<u8> {
    encode(&["HGET", &format!("key:{key:012}"), "f"])
}

fn encode(words: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut request = ReplyWriter::new(&mut bytes, Protocol::Resp2);
    request.array(words.len());
    words.iter().for_each(|word| request.bulk(word.as_bytes()));
    bytes
}
