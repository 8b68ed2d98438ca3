//! What the actors of one thread share: its shard, the way to the other shards, its connections.
//!
//! One shard actor and many connection actors live on a thread. They take turns on it, so a `RefCell` guards what
//! they share and no borrow is ever held across a turn.

use std::cell::{Cell, OnceCell, Ref, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use actix::Addr;
use bytes::BytesMut;
use hashbrown::HashMap;
use mayfly_command::{Router, ShardId};
use mayfly_engine::{Moment, Shard, Surroundings, ThreadCounters};
use mayfly_store::{Reclaimed, UnixMillis};
use tokio::sync::Notify;

use crate::connection::Connection;
use crate::durability::Held;
use crate::host::ServerHost;
use crate::inbox::{ClientAddress, Inbox, ShardPeer};
use crate::lingering::{LINGERING_MAX, linger};
use crate::settings::{Settings, shard_options};
use crate::socket::ClientSocket;
use crate::turn::Turn;
use crate::wire::Wire;

/// What the actors of one thread share.
pub struct Thread {
    /// The process.
    pub host: Arc<ServerHost>,
    /// From keys to shards.
    pub router: Router,
    /// Counters of this thread.
    pub counters: Arc<ThreadCounters>,
    /// The connections that live here, by client id.
    pub connections: RefCell<HashMap<u64, Resident>>,
    /// What they have gathered in this turn.
    pub turn: Turn,
    /// A read buffer that connections lend each other, so that an idle one holds none.
    pub input: Cell<BytesMut>,
    /// The same for replies.
    pub output: Cell<Vec<u8>>,
    /// Sockets that wait for their clients to close them.
    lingering: Cell<usize>,
    settings: RefCell<Settings>,
    shard_id: ShardId,
    shard: RefCell<Shard<ClientAddress>>,
    shards: OnceCell<Vec<ShardPeer>>,
    alarm: Cell<Option<UnixMillis>>,
    /// Woken when expiry has something to do earlier than `alarm`.
    earlier: Notify,
}

/// A connection of a thread.
pub struct Resident {
    /// Its actor.
    pub address: Addr<Connection>,
    /// Its socket and session.
    pub wire: Rc<RefCell<Wire>>,
}

impl Thread {
    /// The shared part of the thread of one shard.
    pub fn new(
        host: Arc<ServerHost>,
        router: Router,
        shard: Shard<ClientAddress>,
        counters: Arc<ThreadCounters>,
        inbox: Inbox,
    ) -> Rc<Self> {
        let held = host.queue.as_ref().map(|queue| Held::new(Arc::clone(queue), shard.id().index()));
        Rc::new(Thread {
            settings: RefCell::new(Settings::now(&host)),
            turn: Turn::new(router.shards(), inbox, held),
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
    pub fn linger(self: &Rc<Self>, socket: &mut ClientSocket) -> bool {
        if self.lingering.get() >= LINGERING_MAX {
            return false;
        }
        let Ok(socket) = socket.part() else { return false };
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
            let options = shard_options(&settings.config, &self.host);
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
            door: &self.host.door,
        })
    }

    /// One slice of expiry.
    pub fn reclaim(&self) -> Reclaimed {
        let reclaimed = self.with_effects(|thread, effects| {
            thread.with_moment(|shard, moment| shard.reclaim(moment, effects))
        });
        self.finish_turn();
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
    pub fn with_shard<R>(&self, look: impl FnOnce(&mut Shard<ClientAddress>) -> R) -> R {
        look(&mut self.shard.borrow_mut())
    }

    /// The way to another shard.
    pub fn peer(&self, shard: ShardId) -> &ShardPeer {
        &self.shards.get().expect("shards are connected before the first connection")[shard.index()]
    }

    /// Has the shard work at this moment.
    pub fn with_moment<R>(&self, work: impl FnOnce(&mut Shard<ClientAddress>, &Moment<'_>) -> R) -> R {
        self.refresh();
        let clock = &self.host.clock;
        let mut shard = self.shard.borrow_mut();
        let now = clock.now();
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
