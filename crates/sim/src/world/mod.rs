//! The world: shards, sessions, mailboxes, clients and the clock, and one step of it at a time.
//!
//! Messages are as threads exchange them: one is in its receiver's mailbox when the sender goes on, and a receiver takes
//! its messages in that order. A connection takes all its messages before it reads from its socket. Calls for the
//! shard on the client's own thread wait like those for others: for the end of a turn. Batches that a shard finds
//! together run together.
//!
//! Here: what there is, and what happens next. Beside it: messages on their way (`delivery`).

mod delivery;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::BytesMut;
use fastrand::Rng;
use mayfly_command::{ClientCard, ClientState, Router, ShardId};
use mayfly_engine::{
    Door, Pauses, Push, Replies, Session, SessionOptions, Shard, ShardOptions, Surroundings, ThreadCounters,
    Work,
};
use mayfly_store::{KeyHasher, UnixMillis};

use crate::client::{Client, ClientId};
use crate::disk::Disk;
use crate::fault::{Fault, strikes};
use crate::host::SimHost;
use crate::laws::{Laws, ROOMY_BYTES, draw_options};
use crate::oracle::Oracle;
use crate::sampler::Sampler;

/// When every world begins: 2026-01-01T00:00:00Z, Unix microseconds.
const START_MICROS: i64 = 1_767_225_600_000_000;

/// Requests that a client leaves unanswered before it waits.
const UNANSWERED_MAX: usize = 400;

/// Clients at a time.
const CLIENTS_MAX: usize = 8;

/// The world.
#[derive(Debug)]
pub struct World {
    random: Rng,
    laws: Laws,
    now_micros: i64,
    router: Router,
    host: SimHost,
    counters: Vec<Arc<ThreadCounters>>,
    shards: Vec<Shard<ClientId>>,
    shard_mailboxes: Vec<VecDeque<Work<ClientId>>>,
    session_options: SessionOptions,
    connections: BTreeMap<ClientId, Connection>,
    clients: BTreeMap<ClientId, Client>,
    clients_so_far: ClientId,
    sampler: Sampler,
    /// Bytes that clients have read.
    output_bytes: usize,
    /// What judges the shards.
    pub oracle: Oracle,
    /// What the shards have recorded.
    pub disk: Disk,
    /// Clients that were closed because too many replies waited.
    pub overflows: u64,
    /// Joints that were carried out.
    pub joints: u64,
}

/// The server's end of a connection.
#[derive(Debug)]
struct Connection {
    home: ShardId,
    session: Session,
    mailbox: VecDeque<Delivery>,
    input: BytesMut,
}

/// What comes to a connection from shards.
#[derive(Debug)]
enum Delivery {
    Replies(Box<Replies>),
    Push(Push),
}

type Checked<T = ()> = Result<T, String>;

impl World {
    /// A world that begins, without clients.
    pub fn new(laws: Laws) -> Self {
        let mut random = Rng::with_seed(laws.seed);
        let router = Router::new(KeyHasher::from_seed(random.u64(..)), laws.shards);
        let drawn = draw_options(laws.is_varied, &mut random);
        let counters: Vec<Arc<ThreadCounters>> = (0..laws.shards).map(|_| Arc::default()).collect();
        let shards = router.all().zip(&counters).map(|(id, counters)| {
            let options = ShardOptions { slice_entries_max: random.usize(1..300), ..drawn.shard.clone() };
            Shard::new(id, router.clone(), options, random.u64(..), Arc::clone(counters))
        });
        let mut world = World {
            shards: shards.collect(),
            shard_mailboxes: router.all().map(|_| VecDeque::new()).collect(),
            random,
            disk: Disk::new(laws.seed, drawn.shard.clone()),
            laws,
            now_micros: START_MICROS,
            router,
            host: SimHost::new(drawn.has_password),
            counters,
            session_options: drawn.session,
            connections: BTreeMap::new(),
            clients: BTreeMap::new(),
            clients_so_far: 0,
            sampler: Sampler::new(),
            output_bytes: 0,
            oracle: Oracle::default(),
            overflows: 0,
            joints: 0,
        };
        world.oracle.listeners.events = drawn.events;
        if ["KEA", "KEx", "KEghx", "Ex"].contains(&drawn.events) {
            world.appoint_auditor();
        }
        world
    }

    /// A client that listens to every expired key from the beginning to the end, and does nothing else.
    fn appoint_auditor(&mut self) {
        let auditor = self.connect(true);
        if self.host.has_password {
            self.send(auditor, &["AUTH secret"]);
        }
        self.send(auditor, &["PSUBSCRIBE __keyevent@*__:expired"]);
        self.oracle.listeners.auditor = Some(auditor);
        self.settle().expect("nothing can go wrong yet");
    }

    /// One thing happens, by chance.
    ///
    /// # Errors
    /// What is wrong.
    pub fn step(&mut self) -> Checked {
        match self.random.u32(..1_000) {
            ..130 => self.speak(),
            130..530 => self.turn_any_session()?,
            530..870 => self.turn_any_shard()?,
            870..910 => self.reclaim_any()?,
            910..950 => self.let_time_pass(),
            950..997 if self.connections.len() < CLIENTS_MAX => {
                self.connect(false);
            }
            997.. => self.hang_up_any()?,
            _ => {}
        }
        self.plant();
        self.disk.step(&mut self.shards, &self.router, UnixMillis(self.now_micros / 1_000))
    }

    /// A client connects. With `is_scripted` it keeps its replies and says only what it is told.
    pub fn connect(&mut self, is_scripted: bool) -> ClientId {
        self.clients_so_far += 1;
        let id = self.clients_so_far;
        let card = ClientCard::new(id, format!("127.0.0.1:{id}"), "127.0.0.1:6379".into(), self.now().0);
        let client = ClientState::new(Arc::new(card), !self.host.has_password);
        let connection = Connection {
            home: ShardId(self.random.u16(..self.laws.shards)),
            session: Session::new(client, self.router.clone(), self.session_options.clone()),
            mailbox: VecDeque::new(),
            input: BytesMut::new(),
        };
        self.connections.insert(id, connection);
        self.clients.insert(id, Client::new(id, self.host.has_password, is_scripted, &self.session_options));
        id
    }

    /// A client sends requests, one a line, words separated by blanks; quotes are left out.
    pub fn send(&mut self, id: ClientId, lines: &[&str]) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        for line in lines {
            let words = line.split(' ').map(|word| word.trim_matches('"').as_bytes().to_vec());
            client.ask(words.collect(), false, &self.router);
        }
    }

    /// The replies that a scripted client got since the last call, as redis-cli shows them.
    pub fn replies(&mut self, id: ClientId) -> Vec<String> {
        let replies = self.clients.get_mut(&id).map(Client::take_replies).unwrap_or_default();
        replies.iter().map(ToString::to_string).collect()
    }

    /// Time passes for everybody at once.
    pub fn pass(&mut self, micros: i64) {
        self.now_micros += micros;
    }

    /// Lets sessions and shards work, in an order by chance, until nothing is left to do.
    ///
    /// # Errors
    /// What is wrong.
    pub fn settle(&mut self) -> Checked {
        loop {
            while !self.is_idle() {
                if self.random.bool() { self.turn_any_session()? } else { self.turn_any_shard()? }
            }
            let before = self.output_bytes;
            for id in self.connections.keys().copied().collect::<Vec<_>>() {
                self.turn_session(id, true)?;
            }
            if self.is_idle() && self.output_bytes == before {
                return Ok(());
            }
        }
    }

    /// Compares data and model, sweeps invariants and bounds.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&mut self) -> Checked {
        let now = self.now();
        self.oracle.compare(&mut self.shards, &self.router, now)?;
        let window = self.session_options.window;
        match self.clients.values().find(|client| client.in_flight > window) {
            Some(client) => Err(format!("{} calls in flight in a window of {window}", client.in_flight)),
            None => Ok(()),
        }
    }

    /// Brings the world to its end: everything is answered, all clients leave, everything due is reclaimed.
    ///
    /// # Errors
    /// What was lost or is left over.
    pub fn finish(&mut self) -> Checked {
        self.settle()?;
        self.check_start()?;
        for (id, connection) in &self.connections {
            let client = &self.clients[id];
            client.check_answered().map_err(|fault| format!("client {id}: {fault}"))?;
            if connection.session.waiting() + connection.session.held_bytes() > 0 {
                return Err(format!("client {id}: replies are left in an idle session"));
            }
            if client.is_over() {
                return Err(format!("client {id}: the conversation is over and the connection open"));
            }
        }
        let auditor = self.oracle.listeners.auditor;
        for id in self.connections.keys().copied().filter(|id| Some(*id) != auditor).collect::<Vec<_>>() {
            self.hang_up(id)?;
        }
        self.settle()?;
        self.check()?;
        if let Some((id, client)) = self.clients.iter().find(|(_, client)| client.in_flight > 0) {
            return Err(format!("client {id} is gone, {} of its calls never ran", client.in_flight));
        }
        for millennium in [0, 1_000] {
            self.now_micros += millennium * 365 * 86_400_000_000;
            self.reclaim_all()?;
        }
        self.check()?;
        self.check_start()?;
        if let Some(auditor) = auditor {
            self.settle()?;
            self.clients[&auditor].check_answered()?;
            if let Some(fault) = self.oracle.listeners.untold() {
                return Err(fault);
            }
            self.hang_up(auditor)?;
            self.settle()?;
        }
        match self.shards.iter().find(|shard| shard.observers().is_none_or(|observers| !observers.is_idle()))
        {
            Some(shard) => {
                Err(format!("shard {} still knows watchers or listeners, all are gone", shard.id().0))
            }
            None => Ok(()),
        }
    }

    /// Starts fresh shards from what was recorded, and compares.
    fn check_start(&mut self) -> Checked {
        let now = self.now();
        self.disk.check(&mut self.shards, &self.router, now)
    }

    /// Unix milliseconds.
    pub fn now(&self) -> UnixMillis {
        UnixMillis(self.now_micros / 1_000)
    }

    /// Whether no message, no byte and no request waits anywhere.
    fn is_idle(&self) -> bool {
        self.shard_mailboxes.iter().all(VecDeque::is_empty)
            && self.connections.iter().all(|(id, connection)| {
                let session = &connection.session;
                let has_input = !self.clients[id].wire.is_empty() || !connection.input.is_empty();
                connection.mailbox.is_empty() && !(has_input && session.may_decode())
            })
    }

    fn speak(&mut self) {
        let now = self.now().0;
        let auditor = self.oracle.listeners.auditor;
        let Some(client) = choose(&mut self.random, &mut self.clients) else { return };
        if !client.is_gone && Some(client.id) != auditor && client.unanswered() < UNANSWERED_MAX {
            client.speak(&self.sampler, &self.router, now, &mut self.random);
        }
    }

    fn turn_any_session(&mut self) -> Checked {
        if self.connections.is_empty() {
            return Ok(());
        }
        let place = self.random.usize(..self.connections.len());
        let Some(&id) = self.connections.keys().nth(place) else { return Ok(()) };
        let is_reading = self.random.u32(..8) > 0;
        self.turn_session(id, is_reading)
    }

    /// A connection takes its messages, writes what it may unless its client does not read, and reads on.
    fn turn_session(&mut self, id: ClientId, is_reading: bool) -> Checked {
        let (Some(connection), Some(client)) = (self.connections.get_mut(&id), self.clients.get_mut(&id))
        else {
            return Ok(());
        };
        let session = &mut connection.session;
        while let Some(delivery) = connection.mailbox.pop_front() {
            match delivery {
                Delivery::Replies(replies) => session.accept(replies),
                Delivery::Push(push) => assert_eq!(session.push(push), None, "nobody tracks"),
            }
        }
        if is_reading || session.is_overflowed() {
            let mut output = Vec::new();
            session.drain(&mut output);
            if session.is_overflowed() {
                self.overflows += 1;
                let is_roomy = self.session_options.output_bytes_max >= ROOMY_BYTES;
                self.hang_up(id)?;
                return if is_roomy {
                    Err(format!("client {id} was closed for its replies"))
                } else {
                    Ok(())
                };
            }
            self.output_bytes += output.len();
            client.receive(&output).map_err(|fault| format!("client {id}: {fault}"))?;
            if session.is_finished() {
                client.check_answered().map_err(|fault| format!("client {id} was closed: {fault}"))?;
                if !client.is_over() {
                    return Err(format!("client {id} was closed without a reason"));
                }
                return self.hang_up(id);
            }
        }
        let piece = match self.random.u32(..4) {
            0 => self.random.usize(..=client.wire.len().min(9)),
            1 => self.random.usize(..=client.wire.len()),
            _ => client.wire.len(),
        };
        connection.input.extend_from_slice(&client.wire.split_to(piece));
        let mut outgoing = Vec::new();
        let now_micros = self.now_micros;
        let surroundings = Surroundings {
            host: &self.host,
            now_micros,
            stopwatch: &|| nanos(now_micros),
            counters: &self.counters[connection.home.index()],
            is_monitored: false,
            pauses: &Pauses::default(),
            door: &Door::default(),
        };
        session.feed(&mut connection.input, &surroundings, &mut outgoing);
        if session.waiting() > self.session_options.window {
            return Err(format!("client {id}: {} calls wait, more than the window", session.waiting()));
        }
        outgoing.into_iter().try_for_each(|delivery| self.dispatch(id, delivery))
    }

    fn let_time_pass(&mut self) {
        let index = self.random.usize(..self.shards.len());
        let next = self.shards[index].next_reclaim().map(|next| next.0.saturating_mul(1_000));
        self.now_micros += match (self.random.u32(..20), next) {
            (..11, _) => self.random.i64(0..3_000),
            (11..16, _) => self.random.i64(0..5_000_000),
            (16..19, Some(next)) if next > self.now_micros => {
                let wait = (next - self.now_micros).min(400 * 86_400_000_000);
                (wait + self.random.i64(-1_001..1_001)).max(0)
            }
            (19, _) => self.random.i64(0..400 * 86_400_000_000),
            _ => 0,
        };
    }

    fn hang_up_any(&mut self) -> Checked {
        let place = self.random.usize(..=self.connections.len());
        match self.connections.keys().nth(place) {
            Some(&id) if Some(id) != self.oracle.listeners.auditor => self.hang_up(id),
            _ => Ok(()),
        }
    }

    /// A connection ends. What it has sent off is carried out all the same.
    fn hang_up(&mut self, id: ClientId) -> Checked {
        if self.oracle.listeners.auditor == Some(id) {
            self.oracle.listeners.auditor = None;
        }
        let Some(mut connection) = self.connections.remove(&id) else { return Ok(()) };
        if let Some(client) = self.clients.get_mut(&id) {
            client.is_gone = true;
            if client.in_flight == 0 {
                self.clients.remove(&id);
            }
        }
        self.oracle.listeners.hang_up(id);
        let farewell = connection.session.farewell();
        farewell.into_iter().try_for_each(|delivery| self.dispatch(id, delivery))
    }

    /// Plants the faults that are not in the way of a message.
    fn plant(&mut self) {
        if self.laws.fault == Some(Fault::LostKey) && self.oracle.calls > 300 {
            for keyspace in self.shards.iter_mut().filter_map(Shard::keyspace_mut) {
                let store = keyspace.database_mut(0);
                if let Some(entry) = store.random(0, UnixMillis(self.now_micros / 1_000)) {
                    store.remove(entry);
                    self.laws.fault = None;
                    return;
                }
            }
        }
        for mailbox in &mut self.shard_mailboxes {
            let is_batch = matches!(mailbox.front(), Some(Work::Batch(..)));
            if strikes(&mut self.laws.fault, Fault::LostBatch, is_batch) {
                mailbox.pop_front();
            }
            let pair = match (mailbox.front(), mailbox.get(1)) {
                (Some(Work::Batch(_, first)), Some(Work::Batch(_, second))) => first == second,
                _ => false,
            };
            if strikes(&mut self.laws.fault, Fault::OvertakingBatch, pair) {
                mailbox.swap(0, 1);
            }
        }
    }

    fn strikes(&mut self, fault: Fault, can: bool) -> bool {
        strikes(&mut self.laws.fault, fault, can)
    }
}

/// What a stopwatch shows.
fn nanos(now_micros: i64) -> u64 {
    (now_micros - START_MICROS).unsigned_abs().saturating_mul(1_000)
}

fn choose<'m, V>(random: &mut Rng, map: &'m mut BTreeMap<ClientId, V>) -> Option<&'m mut V> {
    let place = random.usize(..map.len().max(1));
    map.values_mut().nth(place)
}
