//! Requests of one client, through the session, three shards and back: nothing panics, every reply can be read, and once
//! nothing is under way no call waits for one.

#![no_main]

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use mayfly_command::{ClientCard, ClientState, Router, ShardId};
use mayfly_engine::{
    Door, Effect, EventClasses, Moment, Outgoing, Pauses, Session, SessionOptions, Shard, ShardOptions,
    SharedEventClasses, Surroundings, ThreadCounters, Work,
};
use mayfly_resp::{ReplyLimits, ReplyReader, RequestLimits};
use mayfly_sim::host::SimHost;
use mayfly_store::{KeyHasher, UnixMillis};

const SHARDS: u16 = 3;
/// Small, so that short inputs reach them, and none takes long.
const OUTPUT_BYTES_MAX: usize = 64 << 10;
const REQUEST_LIMITS: RequestLimits = RequestLimits {
    words_max: 256,
    bulk_bytes_max: 4_096,
    inline_bytes_max: 1_024,
    request_bytes_max: 8_192,
};
const BEGIN: i64 = 1_700_000_000_000;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let host = SimHost { has_password: choice & 1 == 1 };
    let pauses = Pauses::default();
    let mut world = World::new(&host, &pauses);
    // Time passes between pieces, so that deadlines come due.
    for (number, piece) in bytes.chunks(usize::from(choice >> 1).max(1)).enumerate() {
        world.now = BEGIN + 10 * number as i64;
        world.receive(piece);
    }
    world.end();
});

struct World<'a> {
    host: &'a SimHost,
    pauses: &'a Pauses,
    door: Door,
    counters: Arc<ThreadCounters>,
    session: Session,
    shards: Vec<Shard<()>>,
    mailboxes: VecDeque<(ShardId, Work<()>)>,
    input: BytesMut,
    replies: ReplyReader,
    now: i64,
}

impl<'a> World<'a> {
    fn new(host: &'a SimHost, pauses: &'a Pauses) -> Self {
        let router = Router::new(KeyHasher::from_seed(9), SHARDS);
        let counters: Arc<ThreadCounters> = Arc::default();
        let card = Arc::new(ClientCard::new(1, String::new(), String::new(), BEGIN));
        let options = SessionOptions {
            request: REQUEST_LIMITS,
            output_bytes_max: OUTPUT_BYTES_MAX,
            ..SessionOptions::default()
        };
        let events = SharedEventClasses::new(EventClasses::parse("KEA").expect("all classes"));

        let shard_options = ShardOptions {
            output_bytes_max: OUTPUT_BYTES_MAX,
            is_recording: true,
            events,
            ..ShardOptions::default()
        };
        let shard = |id| Shard::new(id, router.clone(), shard_options.clone(), 9, Arc::clone(&counters));
        World {
            host,
            pauses,
            door: Door::default(),
            session: Session::new(ClientState::new(card, !host.has_password), router.clone(), options),
            shards: router.all().map(shard).collect(),
            counters,
            mailboxes: VecDeque::new(),
            input: BytesMut::new(),
            replies: ReplyReader::new(ReplyLimits::default()),
            now: BEGIN,
        }
    }

    /// Bytes of the client, and all that follows from them.
    fn receive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        self.feed();
        while let Some((shard, work)) = self.mailboxes.pop_front() {
            let moment = Moment { now: UnixMillis(self.now), host: self.host, stopwatch: &|| 0 };
            let mut effects = Vec::new();
            self.shards[shard.index()].accept_all([work], &moment, &mut effects);
            self.shards[shard.index()].reclaim(&moment, &mut effects);
            self.deliver(effects);
            self.feed();
        }
        self.read_replies();
    }

    fn feed(&mut self) {
        if !self.session.may_decode() {
            return;
        }
        let surroundings = Surroundings {
            host: self.host,
            now_micros: self.now * 1_000,
            stopwatch: &|| 0,
            counters: &self.counters,
            is_monitored: false,
            pauses: self.pauses,
            door: &self.door,
        };
        let mut outgoing = Vec::new();
        self.session.feed(&mut self.input, &surroundings, &mut outgoing);
        for delivery in outgoing {
            self.send(delivery);
        }
    }

    fn send(&mut self, delivery: Outgoing) {
        let (shard, work) = match delivery {
            Outgoing::Batch(shard, batch) => (shard, Work::Batch(batch, ())),
            Outgoing::Joint(shards, batch) => (shards[0], Work::joint(shards, batch, (), SHARDS)),
            Outgoing::Unwatch(shards, client, flag) => (shards[0], Work::Unwatch(shards, client, flag)),
            Outgoing::Unsubscribe(client) => (ShardId(0), Work::Unsubscribe(client)),
            // There is no process around that could tell it.
            Outgoing::Monitor { .. } | Outgoing::Monitored(_) | Outgoing::Await(_) => return,
        };
        self.mailboxes.push_back((shard, work));
    }

    fn deliver(&mut self, effects: Vec<Effect<()>>) {
        for effect in effects {
            match effect {
                Effect::Reply((), replies) => self.session.accept(replies),
                Effect::Push((), _, push) => drop(self.session.push(push)),
                Effect::Pass(shard, work) => self.mailboxes.push_back((shard, work)),
                Effect::Record(body) => {
                    let record =
                        mayfly_persistence::Record::read(&body).expect("what was recorded can be read");
                    assert!(record.effects().all(|effect| effect.is_ok()), "{body:?}");
                }
            }
        }
    }

    fn read_replies(&mut self) {
        let mut output = Vec::new();
        self.session.drain(&mut output);
        self.replies.feed(&output);
        while self.replies.next_reply().expect("a reply is of the protocol").is_some() {}
    }

    /// Hangs up. Nothing may be left over.
    fn end(&mut self) {
        if !self.session.is_overflowed() {
            assert!(self.replies.is_empty(), "half a reply");
        }
        for delivery in self.session.farewell() {
            self.send(delivery);
        }
        self.session.close();
        while let Some((shard, work)) = self.mailboxes.pop_front() {
            let moment = Moment { now: UnixMillis(self.now), host: self.host, stopwatch: &|| 0 };
            let mut effects = Vec::new();
            self.shards[shard.index()].accept_all([work], &moment, &mut effects);
            self.deliver(effects);
        }
        for shard in &mut self.shards {
            shard.keyspace_mut().expect("every keyspace has come home").check();
        }
    }
}
