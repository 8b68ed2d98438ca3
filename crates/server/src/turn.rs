//! One turn of a thread's event loop: what its connections have decoded is gathered, and done together at the end.
//!
//! ```text
//!  sockets that are ready:   read·decode   read·decode   read·decode …            the end of the turn
//!                                 └─────────────┴─────────────┴──► gathered ──► other threads: one message each
//!                                                                           ──► own shard: prefetch, run
//!                                                                           ──► replies: one write a connection
//! ```
//!
//! What other threads have sent is taken before anything is decoded that was read after it: a client that has its
//! reply finds that whoever listens, on whatever thread, was told of the change before its next request there.
//!
//! With fifty clients that send one request at a time, a batch has one call. Run by itself, it waits for every line
//! of memory that it touches, and the code it needs has been displaced by the kernel's. Gathered, such batches are
//! as cheap as a pipeline, and threads exchange messages by the turn and not by the request.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Poll, Waker};

use mayfly_command::ShardId;
use mayfly_engine::{Effect, Outgoing, Push, Redirect, Replies, Work, process_lane};

use crate::clock::Clock;
use crate::durability::{Held, Waiter};
use crate::inbox::{ClientAddress, Inbox, Parcel};
use crate::thread::Thread;
use crate::wire::Wire;

/// Calls that are gathered before they are done without waiting for the end of the turn: about as many as have
/// their memory prefetched at once.
const CALLS_MAX: usize = 128;

/// What is gathered in a turn.
pub struct Turn {
    here: RefCell<Vec<Work<ClientAddress>>>,
    calls: Cell<usize>,
    /// What other threads get, by shard.
    away: RefCell<Vec<Vec<Parcel>>>,
    /// What other threads have sent.
    inbox: Inbox,
    /// Wires that something came for.
    to_write: RefCell<Vec<Rc<RefCell<Wire>>>>,
    effects: Cell<Vec<Effect<ClientAddress>>>,
    /// What waits for the disk, if there is one.
    held: RefCell<Option<Held>>,
    /// When it began, Unix microseconds.
    began_micros: Cell<Option<i64>>,
    /// Wakes [`Thread::end_turns`].
    end: RefCell<Waker>,
    /// It was woken.
    is_ending: Cell<bool>,
}

impl Turn {
    /// Nothing is gathered yet, on a thread beside so many others, which send here.
    pub fn new(shards: u16, inbox: Inbox, held: Option<Held>) -> Self {
        Turn {
            here: RefCell::default(),
            calls: Cell::new(0),
            away: RefCell::new((0..shards).map(|_| Vec::new()).collect()),
            inbox,
            to_write: RefCell::default(),
            effects: Cell::default(),
            held: RefCell::new(held),
            began_micros: Cell::new(None),
            end: RefCell::new(Waker::noop().clone()),
            is_ending: Cell::new(false),
        }
    }

    /// When it began, Unix microseconds: one reading of the clock for all that is decoded in it.
    pub fn micros(&self, clock: &Clock) -> i64 {
        let began = self.began_micros.get().unwrap_or_else(|| clock.now_micros());
        self.began_micros.set(Some(began));
        began
    }

    /// Messages from other threads that have not been taken.
    pub fn inbox_depth(&self) -> u64 {
        self.inbox.depth()
    }

    /// Whether so much waits for the disk that nothing more is to be read.
    pub fn is_held_up(&self) -> bool {
        self.held.borrow().as_ref().is_some_and(Held::is_full)
    }

    /// Whether so much is gathered that it is to be done at once.
    pub fn is_full(&self) -> bool {
        self.calls.get() >= CALLS_MAX
    }
}

impl Thread {
    /// Ends every turn in which something was gathered. Tasks have their turns in the order in which they were
    /// woken, so this one comes behind all connections whose sockets were found ready together.
    pub async fn end_turns(self: Rc<Self>) -> Infallible {
        poll_fn(|task| {
            self.turn.end.borrow_mut().clone_from(task.waker());
            self.finish_turn();
            Poll::Pending
        })
        .await
    }

    /// Takes what a session of this thread sends off.
    pub fn gather(&self, outgoing: Outgoing, client: u64) {
        let address = ClientAddress { thread: self.shard_id(), client };
        match outgoing {
            Outgoing::Batch(shard, batch) => {
                self.turn.calls.set(self.turn.calls.get() + batch.calls.len());
                self.send(shard, Work::Batch(batch, address));
            }
            Outgoing::Joint(shards, batch) => {
                let first = shards[0];
                self.send(first, Work::joint(shards, batch, address, self.router.shards()));
            }
            Outgoing::Unwatch(shards, client, flag) => {
                self.send(shards[0], Work::Unwatch(shards, client, flag));
            }
            Outgoing::Unsubscribe(client) => self.send(ShardId(0), Work::Unsubscribe(client)),
            Outgoing::Audit(client, user) => self.send(ShardId(0), Work::Audit(client, user)),
            Outgoing::Monitor { client, begins: true } => {
                if let Some(connection) = self.connections.borrow().get(&client) {
                    self.host.monitors.add(client, connection.address.clone());
                }
            }
            Outgoing::Monitor { client, begins: false } => self.host.monitors.remove(client),
            Outgoing::Monitored(lines) => self.host.monitors.show(&lines),
            Outgoing::Await(awaited) => {
                // Not at once: the client's wire is at work.
                if let Err(refusal) = self.host.begin_snapshot_for(Waiter { client: address, awaited }) {
                    self.host.answer(address, format!("-{}\r\n", refusal.line()));
                }
            }
        }
        self.await_end();
    }

    /// Hands a client what the process answers.
    pub fn answer(&self, client: u64, line: &str) {
        if let Some(error) = line.strip_prefix('-') {
            self.counters.error(error.trim_end().as_bytes());
        }
        let lane = process_lane(self.router.shards());
        let replies = Replies { lane, bytes: line.into(), ends: vec![line.len()], ..Replies::default() };
        self.hand_replies(client, Box::new(replies));
    }

    /// Has a wire written to at the end of this turn.
    pub fn note(&self, wire: Rc<RefCell<Wire>>) {
        self.turn.to_write.borrow_mut().push(wire);
        self.await_end();
    }

    /// Does what was gathered and what other threads have sent, and sends and writes what comes of it.
    pub fn finish_turn(&self) {
        // It needs no waking up to what it does now.
        self.turn.is_ending.set(true);
        self.turn.calls.set(0);
        self.turn.began_micros.set(None);
        // The others can begin while this thread does its own part.
        self.send_away();
        self.receive();
        loop {
            let mut works = self.turn.here.take();
            if works.is_empty() {
                break;
            }
            self.with_effects(|thread, effects| {
                thread.with_moment(|shard, moment| shard.accept_all(works.drain(..), moment, effects));
            });
            let mut here = self.turn.here.borrow_mut();
            if here.is_empty() {
                *here = works;
            }
        }
        self.release();
        self.send_away();
        let mut wires = self.turn.to_write.take();
        for wire in wires.drain(..) {
            wire.borrow_mut().write_now();
        }
        *self.turn.to_write.borrow_mut() = wires;
        self.turn.is_ending.set(false);
    }

    /// Carries out the effects of some work.
    pub fn with_effects<R>(&self, work: impl FnOnce(&Self, &mut Vec<Effect<ClientAddress>>) -> R) -> R {
        let mut effects = self.turn.effects.take();
        let result = work(self, &mut effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Pass(shard, work) => self.send(shard, work),
                Effect::Record(body) => {
                    if let Some(held) = &mut *self.turn.held.borrow_mut() {
                        held.hand(body);
                    }
                }
                effect => {
                    if let Some(effect) = self.keep(effect) {
                        self.deliver(effect);
                    }
                }
            }
        }
        self.turn.effects.set(effects);
        result
    }

    /// Keeps back what may not leave before the disk has what it tells of.
    fn keep(&self, effect: Effect<ClientAddress>) -> Option<Effect<ClientAddress>> {
        match &mut *self.turn.held.borrow_mut() {
            Some(held) => held.keep(effect),
            None => Some(effect),
        }
    }

    /// Lets go of what the disk has by now.
    fn release(&self) {
        loop {
            let released = self.turn.held.borrow_mut().as_mut().and_then(Held::release);
            let Some(effect) = released else { return };
            self.deliver(effect);
        }
    }

    fn deliver(&self, effect: Effect<ClientAddress>) {
        match effect {
            Effect::Reply(to, replies) if to.thread == self.shard_id() => {
                self.hand_replies(to.client, replies);
            }
            Effect::Reply(to, replies) if replies.lane == self.router.shards() => {
                self.put_in_order(to.thread, Parcel::Replies(to.client, replies));
            }
            Effect::Reply(to, replies) => self.put(to.thread, Parcel::Replies(to.client, replies)),
            Effect::Push(to, _, push) => self.push(to, push),
            Effect::Pass(..) | Effect::Record(_) => unreachable!("neither is ever kept back"),
        }
    }

    fn await_end(&self) {
        if !self.turn.is_ending.replace(true) {
            self.turn.end.borrow().wake_by_ref();
        }
    }

    /// Takes what other threads have sent.
    pub fn receive(&self) {
        for parcel in self.turn.inbox.take() {
            match parcel {
                Parcel::Work(work) => {
                    self.await_what_it_knows(&work);
                    self.turn.here.borrow_mut().push(work);
                }
                Parcel::Replies(client, replies) => self.hand_replies(client, replies),
                Parcel::Push(client, push) => self.hand_push(client, push),
            }
        }
    }

    /// Keyspaces that come here may know of records that other threads have handed over.
    fn await_what_it_knows(&self, work: &Work<ClientAddress>) {
        if let (Work::Joint(_) | Work::Return(..), Some(held)) = (work, &mut *self.turn.held.borrow_mut()) {
            held.await_all();
        }
    }

    fn send(&self, shard: ShardId, work: Work<ClientAddress>) {
        match work {
            work if shard == self.shard_id() => self.turn.here.borrow_mut().push(work),
            Work::Batch(..) => self.put(shard, Parcel::Work(work)),
            work => self.put_in_order(shard, Parcel::Work(work)),
        }
    }

    fn push(&self, to: ClientAddress, push: Push) {
        if to.thread == self.shard_id() {
            self.hand_push(to.client, push);
        } else {
            self.put_in_order(to.thread, Parcel::Push(to.client, push));
        }
    }

    fn put(&self, thread: ShardId, parcel: Parcel) {
        self.turn.away.borrow_mut()[thread.index()].push(parcel);
    }

    /// Sends a parcel that what comes later, to whatever thread, must not overtake, nor it what came before.
    fn put_in_order(&self, thread: ShardId, parcel: Parcel) {
        self.send_away();
        self.put(thread, parcel);
        self.send_away();
    }

    fn send_away(&self) {
        for (shard, parcels) in self.turn.away.borrow_mut().iter_mut().enumerate() {
            if !parcels.is_empty() {
                self.peer(ShardId(shard as u16)).send(std::mem::take(parcels));
            }
        }
    }

    fn hand_replies(&self, client: u64, replies: Box<Replies>) {
        if let Some(wire) = self.wire(client)
            && wire.borrow_mut().accept(replies)
        {
            self.note(wire);
        }
    }

    fn hand_push(&self, client: u64, push: Push) {
        let Some(wire) = self.wire(client) else { return };
        let (is_new, redirect) = wire.borrow_mut().push(push);
        if let Some(redirect) = redirect
            && !self.redirect(redirect)
        {
            wire.borrow_mut().redirect_is_broken();
        }
        if is_new {
            self.note(wire);
        }
    }

    /// Sends a push on to another client; false if that has gone.
    fn redirect(&self, Redirect { client, push }: Redirect) -> bool {
        let Some(card) = self.host.clients.find(client) else {
            return false;
        };
        self.push(ClientAddress { thread: ShardId(card.thread.load(Relaxed)), client }, push);
        true
    }

    fn wire(&self, client: u64) -> Option<Rc<RefCell<Wire>>> {
        self.connections.borrow().get(&client).map(|connection| Rc::clone(&connection.wire))
    }
}
