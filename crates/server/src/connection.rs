//! The actor of one client connection: a thin shell between a socket and a session.
//!
//! One future drives the socket in both directions. It reads while the session decodes and the client reads its
//! replies; otherwise it stops reading, the kernel's buffers fill, and the client is stopped from sending more.
//! Actix polls that future once the mailbox is empty, so that replies leave in the turn they come in.

use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::task::{Poll, ready};
use std::time::Duration;

use actix::fut::ActorFuture;
use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, SpawnHandle, WrapFuture};
use bytes::{Bytes, BytesMut};
use mayfly_command::{ClientCard, ClientState};
use mayfly_engine::{Outgoing, Push, Replies, Session};
use socket2::SockRef;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio_util::io::poll_read_buf;

use crate::shard::{Resume, UNBOUNDED_MAILBOX, WatchIdleness};
use crate::thread::Thread;

/// Unread bytes up to this many are moved to a small buffer of the connection's own, so that a slow sender does
/// not hold a whole read buffer.
const OWN_INPUT_BYTES_MAX: usize = 4 * 1024;

/// Bursts a connection handles before others on its thread have a turn.
const BURSTS_A_TURN: usize = 16;

/// Bytes of messages from which on they are sent before more are taken.
const PUSHED_BYTES_PAUSE: usize = 64 * 1024;

/// Capacity above which an emptied reply buffer is given back to the allocator.
const OUTPUT_CAPACITY_MAX: usize = 256 * 1024;

/// A held request is looked at again after this time at the earliest and the latest.
const PAUSE_LOOK_MIN: Duration = Duration::from_millis(1);
const PAUSE_LOOK_MAX: Duration = Duration::from_secs(3_600);

/// Replies to a batch of this connection.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Answer(pub Box<Replies>);

/// A push to the client.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Deliver(pub Push);

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
    socket: TcpStream,
    card: Arc<ClientCard>,
    session: Session,
    /// Which settings the session has.
    generation: u64,
    input: BytesMut,
    output: Vec<u8>,
    /// Bytes of `output` that the socket has taken.
    written: usize,
    /// The client has closed its side: no more input.
    ended: bool,
    /// The process is to end: close as soon as the socket has nothing more.
    draining: bool,
    /// The last reply was sent, and the client may be sending still.
    parting: bool,
    /// Writing has failed: there is nobody to reply to.
    deaf: Option<std::io::Error>,
    paused: bool,
    /// When to look next whether a held request may go on.
    pause_alarm: Option<SpawnHandle>,
    /// When to look next whether the client has been silent for too long.
    idle_watch: Option<SpawnHandle>,
    outgoing: Vec<Outgoing>,
}

impl Connection {
    /// A connection that begins on this thread.
    pub fn new(thread: Rc<Thread>, socket: TcpStream, card: Arc<ClientCard>) -> Self {
        let authenticated = !thread.host.config().server.password.is_set();
        let client = ClientState::new(Arc::clone(&card), authenticated);
        thread.refresh();
        let (options, generation) = (thread.settings().session.clone(), thread.settings().generation);
        let session = Session::new(client, thread.router.clone(), options);
        Connection {
            thread,
            socket,
            card,
            session,
            generation,
            input: BytesMut::new(),
            output: Vec::new(),
            written: 0,
            ended: false,
            draining: false,
            parting: false,
            deaf: None,
            paused: false,
            pause_alarm: None,
            idle_watch: None,
            outgoing: Vec::new(),
        }
    }

    /// Moves bytes in both directions as far as they go; ready when the connection is over.
    fn drive(&mut self, context: &mut Context<Self>, task: &mut std::task::Context<'_>) -> Poll<Ended> {
        for _ in 0..BURSTS_A_TURN {
            self.refresh();
            if self.card.disconnected.load(Acquire) {
                return Poll::Ready(Ended::Disconnected);
            }
            self.take_replies();
            if self.session.is_overflowed() || self.unsent() > self.output_bytes_max() {
                return Poll::Ready(Ended::Overflow);
            }
            // A socket that takes no more does not keep input from being read, up to the pause. One that failed
            // may still hold requests that were received: they are carried out, nobody reads the replies.
            if let Poll::Ready(Err(error)) = self.write(task) {
                self.deaf.get_or_insert(error);
                self.discard_output();
            }
            let waiting_bytes = self.unsent() + self.session.held_bytes();
            self.card.output_waiting_bytes.store(waiting_bytes as u64, Relaxed);
            if self.unsent() == 0 && (self.session.is_finished() || self.input_is_over()) {
                return Poll::Ready(self.deaf.take().map_or(Ended::Finished, Ended::Failed));
            }
            self.await_pause(context);
            if !self.session.may_decode() || self.unsent() > self.output_bytes_pause() {
                self.pause();
                return Poll::Pending;
            }
            self.paused = false;
            match self.read(context, task) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Ended::Failed(error)),
                Poll::Pending if self.draining => self.session.close(),
                Poll::Pending => {
                    self.await_pause(context);
                    return Poll::Pending;
                }
            }
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes the settings anew if they have changed.
    fn refresh(&mut self) {
        self.thread.refresh();
        let settings = self.thread.settings();
        if self.generation != settings.generation {
            self.generation = settings.generation;
            self.session.set_options(settings.session.clone());
        }
    }

    fn take_replies(&mut self) {
        if self.output.capacity() == 0 {
            self.output = self.thread.output.take();
        }
        self.session.drain(&mut self.output);
        if self.deaf.is_some() {
            self.discard_output();
        }
    }

    /// Nobody will read what waits. It must not count as unsent: no socket would wake the connection again.
    fn discard_output(&mut self) {
        self.output.clear();
        self.written = 0;
    }

    /// Feeds the session with what is there already, else with what the socket has.
    fn read(
        &mut self,
        context: &Context<Self>,
        task: &mut std::task::Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        let mut input = std::mem::take(&mut self.input);
        if !input.is_empty() && self.feed(&mut input, context) {
            self.put_back(input);
            return Poll::Ready(Ok(()));
        }
        if self.ended {
            self.put_back(input);
            return Poll::Pending;
        }
        if input.capacity() == 0 {
            input = self.thread.input.take();
        }
        let room = self.session.bytes_wanted().max(self.read_bytes_max());
        input.reserve(room);
        let result = poll_read_buf(Pin::new(&mut self.socket), task, &mut input);
        if let Poll::Ready(Ok(received)) = &result {
            self.ended |= *received == 0;
            self.thread.counters.input_bytes.add(*received as u64);
            self.card.input_bytes.store(self.card.input_bytes.load(Relaxed) + *received as u64, Relaxed);
            self.feed(&mut input, context);
        }
        self.put_back(input);
        ready!(result)?;
        Poll::Ready(Ok(()))
    }

    /// Lets the session decode, delivers what it sends off, takes what comes back at once. True if it used
    /// anything.
    fn feed(&mut self, input: &mut BytesMut, context: &Context<Self>) -> bool {
        let before = input.len();
        let thread = Rc::clone(&self.thread);
        let mut outgoing = std::mem::take(&mut self.outgoing);
        // One reading for the burst and what it does on this thread.
        let now_micros = thread.host.clock.now_micros();
        thread.with_surroundings(now_micros, |surroundings| {
            self.session.feed(input, surroundings, &mut outgoing);
        });
        for delivery in outgoing.drain(..) {
            if let Some(answered) = thread.dispatch(delivery, now_micros, || context.address()) {
                answered.invalidations.into_iter().for_each(|push| self.push(push));
                self.session.accept(answered.replies);
            }
        }
        self.outgoing = outgoing;
        input.len() != before
    }

    fn push(&mut self, push: Push) {
        if let Some(redirect) = self.session.push(push)
            && !self.thread.redirect(redirect)
        {
            self.session.redirect_is_broken();
        }
    }

    /// Keeps unused input without keeping a large buffer for a few bytes.
    fn put_back(&mut self, mut input: BytesMut) {
        self.card.input_waiting_bytes.store(input.len() as u64, Relaxed);
        if input.len() <= OWN_INPUT_BYTES_MAX && input.capacity() > OWN_INPUT_BYTES_MAX {
            self.input = BytesMut::from(&input[..]);
            input.clear();
            self.thread.input.set(input);
        } else {
            self.input = input;
        }
    }

    fn write(&mut self, task: &mut std::task::Context<'_>) -> Poll<std::io::Result<()>> {
        while self.unsent() > 0 {
            let sent = ready!(Pin::new(&mut self.socket).poll_write(task, &self.output[self.written..]))?;
            if sent == 0 {
                return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
            }
            self.written += sent;
            self.thread.counters.output_bytes.add(sent as u64);
            self.card.output_bytes.store(self.card.output_bytes.load(Relaxed) + sent as u64, Relaxed);
        }
        if self.written > 0 {
            self.written = 0;
            self.output.clear();
            self.lend_output();
        }
        Poll::Ready(Ok(()))
    }

    /// An emptied buffer goes to the thread, for whoever replies next.
    fn lend_output(&mut self) {
        let mut output = std::mem::take(&mut self.output);
        if output.capacity() > OUTPUT_CAPACITY_MAX {
            output = Vec::new();
        }
        self.thread.output.set(output);
    }

    fn pause(&mut self) {
        if !self.paused && self.session.waiting() + self.unsent() > 0 {
            self.paused = true;
            self.thread.counters.pauses.add(1);
        }
    }

    /// Has a held request looked at again when its pause is over.
    fn await_pause(&mut self, context: &mut Context<Self>) {
        let Some(until) = self.session.held_until().filter(|_| self.pause_alarm.is_none()) else { return };
        let wait = self.thread.host.clock.until(until).clamp(PAUSE_LOOK_MIN, PAUSE_LOOK_MAX);
        self.pause_alarm = Some(context.notify_later(Resume, wait));
    }

    fn input_is_over(&self) -> bool {
        self.ended && self.session.waiting() == 0 && self.session.held_until().is_none()
    }

    fn unsent(&self) -> usize {
        self.output.len() - self.written
    }

    fn output_bytes_max(&self) -> usize {
        let settings = self.thread.settings();
        let limits = &settings.config.limits;
        let is_listening = self.session.subscriptions() > 0 || self.session.is_monitor();
        if is_listening { limits.subscriber_bytes_max } else { limits.output_bytes_max }
    }

    fn output_bytes_pause(&self) -> usize {
        self.thread.settings().config.limits.output_bytes_pause
    }

    fn read_bytes_max(&self) -> usize {
        self.thread.settings().config.limits.read_bytes_max
    }

    /// Once much is to be sent, it is sent before the next message is taken, and others on the thread have a turn.
    /// Actix would go on as long as messages come, and [`Drive`] would never see the limit that they pass.
    fn relieve(&mut self, context: &mut Context<Self>) {
        if self.session.pushed_bytes() > PUSHED_BYTES_PAUSE {
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
            _ if self.session.held_until().is_some() => {
                self.idle_watch = Some(context.run_later(Duration::from_secs(timeout), Self::watch_idleness));
            }
            _ => context.stop(),
        }
    }
}

/// How a connection came to its end.
enum Ended {
    /// Everything was answered.
    Finished,
    /// Another client has closed it.
    Disconnected,
    /// The client does not read its replies.
    Overflow,
    /// The socket failed.
    Failed(std::io::Error),
}

impl Actor for Connection {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(UNBOUNDED_MAILBOX);
        context.spawn(Drive);
        self.watch_idleness(context);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        // Before it leaves the registry: who no longer sees the client there can rely on its end. Where the client
        // was first, there is nothing left to shut down.
        if !(self.parting && self.thread.linger(&self.socket)) {
            let _ = SockRef::from(&self.socket).shutdown(Shutdown::Both);
        }
        self.thread.connections.borrow_mut().remove(&self.card.id);
        let now_micros = self.thread.host.clock.now_micros();
        for forget in self.session.farewell() {
            self.thread.dispatch(forget, now_micros, || unreachable!("nobody answers to this"));
        }
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
        let ended = ready!(connection.drive(context, task));
        match ended {
            Ended::Finished => connection.parting = !connection.ended && !connection.draining,
            Ended::Disconnected => {}
            Ended::Overflow => {
                connection.thread.counters.output_overflows.add(1);
                let waiting_bytes = connection.unsent() + connection.session.held_bytes();
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

impl Handler<Answer> for Connection {
    type Result = ();

    /// The replies leave when [`Drive`] is polled, which actix does after this in the same turn.
    fn handle(&mut self, Answer(replies): Answer, _: &mut Self::Context) {
        self.session.accept(replies);
    }
}

impl Handler<Deliver> for Connection {
    type Result = ();

    /// It leaves as replies do.
    fn handle(&mut self, Deliver(push): Deliver, context: &mut Self::Context) {
        self.push(push);
        self.relieve(context);
    }
}

impl Handler<Observe> for Connection {
    type Result = ();

    /// The lines leave as replies do.
    fn handle(&mut self, Observe(lines): Observe, context: &mut Self::Context) {
        self.session.observe(&lines);
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
        self.session.resume();
    }
}

impl Handler<Drain> for Connection {
    type Result = ();

    /// What lies in the socket was received too; closing over it would also cut off replies under way.
    fn handle(&mut self, _: Drain, _: &mut Self::Context) {
        self.draining = true;
    }
}
