//! The actor of one client connection: a thin shell around its [wire](crate::wire).
//!
//! Actix polls the future that drives the wire once the mailbox is empty.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

use actix::fut::ActorFuture;
use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, SpawnHandle, WrapFuture};
use bytes::Bytes;
use mayfly_command::ClientCard;

use crate::shard::{Resume, UNBOUNDED_MAILBOX, WatchIdleness};
use crate::socket::ClientSocket;
use crate::thread::Thread;
use crate::wire::{Ended, Wire};

/// A held request is looked at again after this time at the earliest and the latest.
const PAUSE_LOOK_MIN: Duration = Duration::from_millis(1);
const PAUSE_LOOK_MAX: Duration = Duration::from_secs(3_600);

/// What clients ask for, for one that monitors.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Observe(pub Bytes);

/// Answer what was received, then close.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Drain;

/// Look at the card: somebody has closed this connection.
#[derive(Message)]
#[rtype(result = "()")]
pub struct HangUp;

/// The actor of one connection.
pub struct Connection {
    thread: Rc<Thread>,
    card: Arc<ClientCard>,
    wire: Rc<RefCell<Wire>>,
    /// The last reply was sent, and the client may be sending still.
    parting: bool,
    /// When to look next whether a held request may go on.
    pause_alarm: Option<SpawnHandle>,
    /// When to look next whether the client has been silent for too long.
    idle_watch: Option<SpawnHandle>,
}

impl Connection {
    /// A connection that begins on this thread.
    pub fn new(thread: Rc<Thread>, socket: ClientSocket, card: Arc<ClientCard>) -> Self {
        let wire = Wire::new(Rc::clone(&thread), socket, Arc::clone(&card));
        Connection {
            thread,
            card,
            wire: Rc::new(RefCell::new(wire)),
            parting: false,
            pause_alarm: None,
            idle_watch: None,
        }
    }

    /// Its socket and session.
    pub fn wire(&self) -> Rc<RefCell<Wire>> {
        Rc::clone(&self.wire)
    }

    /// Has a held request looked at again when its pause is over.
    fn await_pause(&mut self, context: &mut Context<Self>) {
        let held_until = self.wire.borrow().held_until();
        let Some(until) = held_until.filter(|_| self.pause_alarm.is_none()) else { return };
        let wait = self.thread.host.clock.until(until).clamp(PAUSE_LOOK_MIN, PAUSE_LOOK_MAX);
        self.pause_alarm = Some(context.notify_later(Resume, wait));
    }

    /// Once much is to be sent, it is sent before the next message is taken, and others on the thread have a turn.
    /// Actix would go on as long as messages come, and [`Drive`] would never see the limit that they pass.
    fn relieve(&mut self, context: &mut Context<Self>) {
        if self.wire.borrow().is_flooded() {
            context.wait(tokio::task::yield_now().into_actor(self));
        }
    }

    /// Closes the connection if its client has been silent for too long, else looks again when that could be.
    fn watch_idleness(&mut self, context: &mut Context<Self>) {
        if let Some(watch) = self.idle_watch.take() {
            context.cancel_future(watch);
        }
        let timeout = self.thread.host.config().server.idle_timeout_seconds;
        if timeout == 0 {
            return;
        }
        let active_at = self.card.active_at.load(Relaxed);
        let limit = i64::try_from(timeout).unwrap_or(i64::MAX).saturating_mul(1_000);
        let left = active_at.saturating_add(limit).saturating_sub(self.thread.host.clock.now().0);
        match u64::try_from(left) {
            Ok(left @ 1..) => {
                self.idle_watch = Some(context.run_later(Duration::from_millis(left), Self::watch_idleness));
            }
            // It is not the client that is silent.
            _ if self.wire.borrow().is_held() => {
                self.idle_watch = Some(context.run_later(Duration::from_secs(timeout), Self::watch_idleness));
            }
            _ => context.stop(),
        }
    }
}

impl Actor for Connection {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(UNBOUNDED_MAILBOX);
        context.spawn(Drive);
        self.watch_idleness(context);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        let mut wire = self.wire.borrow_mut();
        // Before it leaves the registry: who no longer sees the client there can rely on its end. Where the client
        // was first, there is nothing left to shut down.
        if !(self.parting && self.thread.linger(wire.socket())) {
            wire.socket().shut_down();
        }
        for forget in wire.farewell() {
            self.thread.gather(forget, self.card.id);
        }
        self.thread.connections.borrow_mut().remove(&self.card.id);
        self.thread.host.clients.leave(self.card.id);
    }
}

/// The future that drives a connection.
struct Drive;

impl ActorFuture<Connection> for Drive {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        connection: &mut Connection,
        context: &mut Context<Connection>,
        task: &mut std::task::Context<'_>,
    ) -> Poll<()> {
        let mut wire = connection.wire.borrow_mut();
        let mut driven = wire.drive(task);
        while wire.is_ahead() {
            drop(wire);
            connection.thread.receive();
            wire = connection.wire.borrow_mut();
            driven = wire.drive(task);
        }
        if wire.is_to_be_noted() {
            connection.thread.note(connection.wire());
        }
        drop(wire);
        if connection.thread.turn.is_full() {
            connection.thread.finish_turn();
        }
        let Poll::Ready(ended) = driven else {
            connection.await_pause(context);
            return Poll::Pending;
        };
        match ended {
            Ended::Finished { is_parting } => connection.parting = is_parting,
            Ended::Disconnected => {}
            Ended::Overflow(waiting_bytes) => {
                connection.thread.counters.output_overflows.add(1);
                let client = &connection.card.address;
                tracing::warn!(client, waiting_bytes, "closed a client that does not read its replies");
            }
            Ended::Failed(error) => {
                let client = &connection.card.address;
                tracing::debug!(client, %error, "a connection failed");
            }
        }
        context.stop();
        Poll::Ready(())
    }
}

impl Handler<Observe> for Connection {
    type Result = ();

    /// The lines leave as replies do.
    fn handle(&mut self, Observe(lines): Observe, context: &mut Self::Context) {
        if self.wire.borrow_mut().observe(&lines) {
            self.thread.note(self.wire());
        }
        self.relieve(context);
    }
}

impl Handler<HangUp> for Connection {
    type Result = ();

    /// [`Drive`] is polled after this and sees the card.
    fn handle(&mut self, _: HangUp, _: &mut Self::Context) {}
}

impl Handler<WatchIdleness> for Connection {
    type Result = ();

    fn handle(&mut self, _: WatchIdleness, context: &mut Self::Context) {
        self.watch_idleness(context);
    }
}

impl Handler<Resume> for Connection {
    type Result = ();

    /// [`Drive`] is polled after this and lets the session decode.
    fn handle(&mut self, _: Resume, context: &mut Self::Context) {
        if let Some(alarm) = self.pause_alarm.take() {
            context.cancel_future(alarm);
        }
        self.wire.borrow_mut().resume();
    }
}

impl Handler<Drain> for Connection {
    type Result = ();

    /// What lies in the socket was received too; closing over it would also cut off replies under way.
    fn handle(&mut self, _: Drain, _: &mut Self::Context) {
        self.wire.borrow_mut().drain();
    }
}
