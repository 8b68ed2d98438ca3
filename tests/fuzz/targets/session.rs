//! Requests of two clients, through their sessions, three shards and back: nothing panics, every reply and message can be
//! read, what is recorded can be read back, and once both have hung up every keyspace is at home and sound.

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
const CLIENTS: usize = 2;
/// Between what one client sends and what the other does.
const TURN: u8 = 0xff;
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
    let host = SimHost::new(choice & 1 == 1);
    let pauses = Pauses::default();
    let mut world = World::new(&host, &pauses);
    // The clients take turns, and time passes in between, so that deadlines come due.
    for (number, piece) in bytes.split(|&byte| byte == TURN).enumerate() {
        world.now = BEGIN + 10 * number as i64;
        world.receive(number % CLIENTS, piece);
    }
    world.end();
});

/// A connection.
struct Client {
    session: Session,
    input: BytesMut,
    replies: ReplyReader,
}

struct World<'a> {
    host: &'a SimHost,
    pauses: &'a Pauses,
    door: Door,
    counters: Arc<ThreadCounters>,
    clients: Vec<Client>,
    shards: Vec<Shard<usize>>,
    mailboxes: VecDeque<(ShardId, Work<usize>)>,
    now: i64,
}

impl<'a> World<'a> {
    fn new(host: &'a SimHost, pauses: &'a Pauses) -> Self {
        let router = Router::new(KeyHasher::from_seed(9), SHARDS);
        let counters: Arc<ThreadCounters> = Arc::default();
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
            clients: (0..CLIENTS).map(|index| Client::new(index, host, &router)).collect(),
            shards: router.all().map(shard).collect(),
            counters,
            mailboxes: VecDeque::new(),
            now: BEGIN,
        }
    }

    /// Bytes of a client, and all that follows from them.
    fn receive(&mut self, index: usize, bytes: &[u8]) {
        self.clients[index].input.extend_from_slice(bytes);
        self.feed();
        self.work();
        self.clients.iter_mut().for_each(Client::read_replies);
    }

    fn work(&mut self) {
        while let Some((shard, work)) = self.mailboxes.pop_front() {
            let moment = Moment { now: UnixMillis(self.now), host: self.host, stopwatch: &|| 0 };
            let mut effects = Vec::new();
            let receiver = &mut self.shards[shard.index()];
            receiver.accept_all([work], &moment, &mut effects);
            receiver.reclaim(&moment, &mut effects);
            self.deliver(effects);
            self.feed();
        }
    }

    /// Every session decodes what it may.
    fn feed(&mut self) {
        let surroundings = Surroundings {
            host: self.host,
            now_micros: self.now * 1_000,
            stopwatch: &|| 0,
            counters: &self.counters,
            is_monitored: false,
            pauses: self.pauses,
            door: &self.door,
        };
        for index in 0..CLIENTS {
            let client = &mut self.clients[index];
            let mut outgoing = Vec::new();
            if client.session.may_decode() {
                client.session.feed(&mut client.input, &surroundings, &mut outgoing);
            }
            let sent = outgoing.into_iter().filter_map(|delivery| addressed(delivery, index));
            self.mailboxes.extend(sent);
        }
    }

    fn deliver(&mut self, effects: Vec<Effect<usize>>) {
        for effect in effects {
            match effect {
                Effect::Reply(index, replies) => self.clients[index].session.accept(replies),
                Effect::Push(index, _, push) => {
                    let Some(redirect) = self.clients[index].session.push(push) else { continue };
                    let other = self.clients.get_mut(redirect.client as usize - 1);
                    let _ = other.and_then(|other| other.session.push(redirect.push));
                }
                Effect::Pass(shard, work) => self.mailboxes.push_back((shard, work)),
                Effect::Record(body) => {
                    let record =
                        mayfly_persistence::Record::read(&body).expect("what was recorded can be read");
                    assert!(record.effects().all(|effect| effect.is_ok()), "{body:?}");
                }
            }
        }
    }

    /// All hang up. Nothing may be left over.
    fn end(&mut self) {
        for index in 0..CLIENTS {
            let client = &mut self.clients[index];
            assert!(client.session.is_overflowed() || client.replies.is_empty(), "half a reply");
            let farewell = client.session.farewell();
            client.session.close();
            self.mailboxes.extend(farewell.into_iter().filter_map(|delivery| addressed(delivery, index)));
        }
        self.work();
        for shard in &mut self.shards {
            shard.keyspace_mut().expect("every keyspace has come home").check();
        }
    }
}

impl Client {
    fn new(index: usize, host: &SimHost, router: &Router) -> Self {
        let card = Arc::new(ClientCard::new(index as u64 + 1, String::new(), String::new(), BEGIN));
        let options = SessionOptions {
            request: REQUEST_LIMITS,
            output_bytes_max: OUTPUT_BYTES_MAX,
            ..SessionOptions::default()
        };
        Client {
            session: Session::new(ClientState::new(card, !host.has_password), router.clone(), options),
            input: BytesMut::new(),
            replies: ReplyReader::new(ReplyLimits::default()),
        }
    }

    fn read_replies(&mut self) {
        let mut output = Vec::new();
        self.session.drain(&mut output);
        self.replies.feed(&output);
        while self.replies.next_reply().expect("a reply is of the protocol").is_some() {}
    }
}

/// What a session sends off, as work for a shard that answers to the client of this index.
fn addressed(delivery: Outgoing, index: usize) -> Option<(ShardId, Work<usize>)> {
    Some(match delivery {
        Outgoing::Batch(shard, batch) => (shard, Work::Batch(batch, index)),
        Outgoing::Joint(shards, batch) => (shards[0], Work::joint(shards, batch, index, SHARDS)),
        Outgoing::Unwatch(shards, client, flag) => (shards[0], Work::Unwatch(shards, client, flag)),
        Outgoing::Unsubscribe(client) => (ShardId(0), Work::Unsubscribe(client)),
        Outgoing::Audit(client, user) => (ShardId(0), Work::Audit(client, user)),
        // There is no process around that could tell it.
        Outgoing::Monitor { .. } | Outgoing::Monitored(_) | Outgoing::Await(_) => return None,
    })
}
