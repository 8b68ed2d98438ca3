//! What the actors of one thread share: its shard, the way to the other shards, its connections.
//!
//! One shard actor and many connection actors live on a thread. They take turns on it, so a `RefCell` guards what
//! they share and no borrow is ever held across a turn.

use std::cell::{Cell, OnceCell, Ref, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use actix::Addr;
use bytes::BytesMut;
use hashbrown::HashMap;
use mayfly_command::{Router, ShardId};
use mayfly_engine::{
    Batch, Effect, Moment, Outgoing, Push, Redirect, Replies, Shard, Surroundings, ThreadCounters, Work,
};
use mayfly_store::{Reclaimed, UnixMillis};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::connection::{Answer, Connection, Deliver};
use crate::host::ServerHost;
use crate::lingering::{LINGERING_MAX, last_moments, linger};
use crate::settings::{Settings, shard_options};
use crate::shard::{Accept, HandOver, ShardActor};

/// Where replies are sent.
pub type ReplyTo = Addr<Connection>;

/// What a batch that ran at once has for the session that sent it.
pub struct Answered {
    /// The replies to it.
    pub replies: Box<Replies>,
    /// What the client caches and has changed itself. It leaves together with the replies: a client that has its
    /// reply must not find its own change missing in its cache.
    pub invalidations: Vec<Push>,
}

/// What the actors of one thread share.
pub struct Thread {
    /// The process.
    pub host: Arc<ServerHost>,
    /// From keys to shards.
    pub router: Router,
    /// Counters of this thread.
    pub counters: Arc<ThreadCounters>,
    /// The connections that live here, by client id.
    pub connections: RefCell<HashMap<u64, Addr<Connection>>>,
    /// A read buffer that connections lend each other, so that an idle one holds none.
    pub input: Cell<BytesMut>,
    /// The same for replies.
    pub output: Cell<Vec<u8>>,
    /// Sockets that wait for their clients to close them.
    lingering: Cell<usize>,
    settings: RefCell<Settings>,
    shard_id: ShardId,
    shard: RefCell<Shard<ReplyTo>>,
    shards: OnceCell<Vec<ShardPeer>>,
    alarm: Cell<Option<UnixMillis>>,
    /// Woken when expiry has something to do earlier than `alarm`.
    earlier: Notify,
}

/// The way to a shard, and how many messages are on it.
#[derive(Clone, Debug)]
pub struct ShardPeer {
    /// Its actor.
    pub address: Addr<ShardActor>,
    /// Messages sent to it and not yet taken.
    pub depth: Arc<std::sync::atomic::AtomicU64>,
}

impl ShardPeer {
    /// Sends work. It is carried out whatever becomes of the sender.
    pub fn send(&self, work: Work<ReplyTo>) {
        self.depth.fetch_add(1, Relaxed);
        self.address.do_send(Accept(work));
    }
}

impl Thread {
    /// The shared part of the thread of one shard.
    pub fn new(
        host: Arc<ServerHost>,
        router: Router,
        shard: Shard<ReplyTo>,
        counters: Arc<ThreadCounters>,
    ) -> Rc<Self> {
        Rc::new(Thread {
            settings: RefCell::new(Settings::now(&host)),
            host,
            router,
            counters,
            connections: RefCell::default(),
            lingering: Cell::new(0),
            input: Cell::default(),
            output: Cell::default(),
            shard_id: shard.id(),
            shard: RefCell::new(shard),
            shards: OnceCell::new(),
            alarm: Cell::new(None),
            earlier: Notify::new(),
        })
    }

    /// The number of this thread, and of its shard.
    pub fn shard_id(&self) -> ShardId {
        self.shard_id
    }

    /// Gives the client of a socket time to read its last reply; false if it cannot have it.
    pub fn linger(self: &Rc<Self>, socket: &TcpStream) -> bool {
        if self.lingering.get() >= LINGERING_MAX {
            return false;
        }
        let Ok(socket) = last_moments(socket) else { return false };
        self.lingering.set(self.lingering.get() + 1);
        let thread = Rc::clone(self);
        actix_rt::spawn(async move {
            linger(socket).await;
            thread.lingering.set(thread.lingering.get() - 1);
        });
        true
    }

    /// Makes the other shards known; once, before the first connection.
    pub fn connect(&self, shards: Vec<ShardPeer>) {
        assert!(self.shards.set(shards).is_ok(), "shards are connected once");
    }

    /// The settings that hold.
    pub fn settings(&self) -> Ref<'_, Settings> {
        self.settings.borrow()
    }

    /// Takes the settings anew if they have changed.
    #[inline]
    pub fn refresh(&self) {
        if self.settings.borrow().generation != self.host.generation() {
            let settings = Settings::now(&self.host);
            let options = shard_options(&settings.config, &self.host.events, self.host.counters.len());
            *self.settings.borrow_mut() = settings;
            self.shard.borrow_mut().set_options(options);
        }
    }

    /// Runs `feed` with what a session needs of its surroundings.
    pub fn with_surroundings<R>(&self, now_micros: i64, feed: impl FnOnce(&Surroundings<'_>) -> R) -> R {
        let clock = &self.host.clock;
        feed(&Surroundings {
            host: &*self.host,
            now_micros,
            stopwatch: &|| clock.nanos(),
            counters: &self.counters,
            is_monitored: self.host.monitors.is_any(),
            pauses: &self.host.pauses,
        })
    }

    /// Delivers what a session sent off. A batch for this thread's own shard runs at once and its replies are
    /// returned; everything else goes by message.
    /// The time is that of the burst it belongs to, Unix microseconds.
    pub fn dispatch(
        &self,
        outgoing: Outgoing,
        now_micros: i64,
        reply_to: impl Fn() -> ReplyTo,
    ) -> Option<Answered> {
        match outgoing {
            Outgoing::Batch(shard, batch) if shard == self.shard_id => {
                self.run_here(batch, now_micros, reply_to)
            }
            Outgoing::Batch(shard, batch) => {
                self.peer(shard).send(Work::Batch(batch, reply_to()));
                None
            }
            Outgoing::Joint(shards, batch) => {
                let first = shards[0];
                self.send(first, Work::joint(shards, batch, reply_to(), self.router.shards()));
                None
            }
            Outgoing::Unwatch(shards, client, flag) => {
                self.send(shards[0], Work::Unwatch(shards, client, flag));
                None
            }
            Outgoing::Unsubscribe(client) => {
                self.send(ShardId(0), Work::Unsubscribe(client));
                None
            }
            Outgoing::Monitor { client, begins: true } => {
                self.host.monitors.add(client, reply_to());
                None
            }
            Outgoing::Monitor { client, begins: false } => {
                self.host.monitors.remove(client);
                None
            }
            Outgoing::Monitored(lines) => {
                self.host.monitors.show(&lines);
                None
            }
        }
    }

    /// Sends a push on to another client; false if that has gone.
    pub fn redirect(&self, redirect: Redirect) -> bool {
        let Some(card) = self.host.clients.find(redirect.client) else {
            return false;
        };
        let shard = ShardId(card.thread.load(Relaxed));
        match shard == self.shard_id {
            true => self.hand_over(redirect),
            false => self.peer(shard).address.do_send(HandOver(redirect)),
        }
        true
    }

    /// Gives a connection of this thread a push that was sent on to it.
    pub fn hand_over(&self, Redirect { client, push }: Redirect) {
        if let Some(connection) = self.connections.borrow().get(&client) {
            connection.do_send(Deliver(push));
        }
    }

    /// Does work for this thread's shard, in its order.
    pub fn accept(&self, work: Work<ReplyTo>) {
        let mut effects = Vec::new();
        self.with_moment(|shard, moment| shard.accept(work, moment, &mut effects));
        self.carry_out(effects);
    }

    /// One slice of expiry.
    pub fn reclaim(&self) -> Reclaimed {
        let mut effects = Vec::new();
        let reclaimed = self.with_moment(|shard, moment| shard.reclaim(moment, &mut effects));
        self.carry_out(effects);
        reclaimed
    }

    /// Keys that are due and not yet reclaimed.
    pub fn backlog(&self) -> u64 {
        let now = self.host.clock.now();
        self.with_shard(|shard| shard.gauges(now)).map_or(0, |gauges| gauges.backlog)
    }

    /// Waits until expiry has something to do.
    pub async fn reclaim_due(&self) {
        loop {
            let next = self.shard.borrow().next_reclaim();
            self.alarm.set(next);
            let Some(deadline) = next else {
                self.earlier.notified().await;
                continue;
            };
            let wait = self.host.clock.until(deadline);
            if wait.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(wait.min(SLEEP_MAX)) => {}
                () = self.earlier.notified() => {}
            }
        }
    }

    /// Looks at the shard or its measurements.
    pub fn with_shard<R>(&self, look: impl FnOnce(&mut Shard<ReplyTo>) -> R) -> R {
        look(&mut self.shard.borrow_mut())
    }

    fn run_here(
        &self,
        batch: Box<Batch>,
        now_micros: i64,
        reply_to: impl Fn() -> ReplyTo,
    ) -> Option<Answered> {
        let (client, mut effects) = (batch.client, Vec::new());
        let ran = self
            .with_moment_at(now_micros, |shard, moment| shard.run(batch, &reply_to, moment, &mut effects));
        let replies = match ran {
            Ok(replies) => replies,
            Err(batch) => {
                self.accept(Work::Batch(batch, reply_to()));
                return None;
            }
        };
        let is_own = |effect: &mut Effect<ReplyTo>| matches!(effect, Effect::Push(_, listener, Push::Invalidate(_)) if *listener == client);
        let own = effects.extract_if(.., is_own);
        let invalidations = own
            .filter_map(|effect| match effect {
                Effect::Push(_, _, push) => Some(push),
                _ => None,
            })
            .collect();
        self.carry_out(effects);
        Some(Answered { replies, invalidations })
    }

    fn carry_out(&self, effects: Vec<Effect<ReplyTo>>) {
        for effect in effects {
            match effect {
                Effect::Reply(connection, replies) => connection.do_send(Answer(replies)),
                Effect::Push(connection, _, push) => connection.do_send(Deliver(push)),
                Effect::Pass(shard, work) => self.send(shard, work),
            }
        }
    }

    fn send(&self, shard: ShardId, work: Work<ReplyTo>) {
        if shard == self.shard_id { self.accept(work) } else { self.peer(shard).send(work) }
    }

    fn peer(&self, shard: ShardId) -> &ShardPeer {
        &self.shards.get().expect("shards are connected before the first connection")[shard.index()]
    }

    fn with_moment<R>(&self, work: impl FnOnce(&mut Shard<ReplyTo>, &Moment<'_>) -> R) -> R {
        self.with_moment_at(self.host.clock.now_micros(), work)
    }

    /// Works at a time that was read in this turn of the thread.
    fn with_moment_at<R>(
        &self,
        now_micros: i64,
        work: impl FnOnce(&mut Shard<ReplyTo>, &Moment<'_>) -> R,
    ) -> R {
        self.refresh();
        let clock = &self.host.clock;
        let mut shard = self.shard.borrow_mut();
        let now = UnixMillis(now_micros / 1_000);
        let moment = Moment { now, host: &*self.host, stopwatch: &|| clock.nanos() };
        let result = work(&mut shard, &moment);
        let next = shard.next_reclaim();
        if let Some(next) = next
            && self.alarm.get().is_none_or(|alarm| next < alarm)
        {
            self.alarm.set(Some(next));
            self.earlier.notify_one();
        }
        result
    }
}

/// The longest sleep in one piece: a far deadline is looked at again, since the wall clock may be set.
const SLEEP_MAX: std::time::Duration = std::time::Duration::from_secs(1);
