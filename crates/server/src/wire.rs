//! One client's wire: its socket and its session, and the bytes between them.
//!
//! It reads while the session decodes and the client reads its replies; otherwise it stops reading, the kernel's
//! buffers fill, and the client is stopped from sending more. What it has decoded is done at the end of the
//! [turn](crate::turn) of its thread, which then writes the replies.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use mayfly_command::{ClientCard, ClientState};
use mayfly_engine::{Outgoing, Push, Redirect, Replies, Session};
use mayfly_store::UnixMillis;

use crate::socket::ClientSocket;
use crate::thread::Thread;

/// Unread bytes up to this many are moved to a small buffer of the connection's own, so that a slow sender does
/// not hold a whole read buffer.
const OWN_INPUT_BYTES_MAX: usize = 4 * 1024;

/// A read buffer is used again until less than this part of it is left.
const READS_A_BUFFER: usize = 4;

/// Bursts a connection handles before others on its thread have a turn.
const BURSTS_A_TURN: usize = 16;

/// Bytes of messages from which on they are sent before more are taken.
const PUSHED_BYTES_PAUSE: usize = 64 * 1024;

/// Capacity above which an emptied reply buffer is given back to the allocator.
const OUTPUT_CAPACITY_MAX: usize = 256 * 1024;

/// One client's wire.
pub struct Wire {
    thread: Rc<Thread>,
    socket: ClientSocket,
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
    /// Writing has failed: there is nobody to reply to.
    deaf: Option<io::Error>,
    paused: bool,
    /// It was sent more than may wait, and the rest was dropped: nothing but its end can follow.
    has_overflowed: bool,
    /// It waits for input and for nothing else: replies can be written without another look at it.
    is_resting: bool,
    /// It is to be written to at the end of this turn.
    is_noted: bool,
    /// The session was fed in this turn, and may have answered.
    was_fed: bool,
    /// What was read may be about what other threads have sent meanwhile, which is to be taken first.
    is_ahead: bool,
    /// Has [`Wire::drive`] called again.
    waker: Waker,
    outgoing: Vec<Outgoing>,
}

/// How a connection came to its end.
pub enum Ended {
    /// Everything was answered.
    Finished {
        /// The client may be sending still.
        is_parting: bool,
    },
    /// Another client has closed it.
    Disconnected,
    /// The client does not read its replies; so many bytes wait.
    Overflow(usize),
    /// The socket failed.
    Failed(io::Error),
}

impl Wire {
    /// The wire of a client that begins on this thread.
    pub fn new(thread: Rc<Thread>, socket: ClientSocket, card: Arc<ClientCard>) -> Self {
        let authenticated = !thread.host.config().server.password.is_set();
        let client = ClientState::new(Arc::clone(&card), authenticated);
        thread.refresh();
        let (options, generation) = (thread.settings().session.clone(), thread.settings().generation);
        let session = Session::new(client, thread.router.clone(), options);
        Wire {
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
            deaf: None,
            paused: false,
            has_overflowed: false,
            is_resting: false,
            is_noted: false,
            was_fed: false,
            is_ahead: false,
            waker: Waker::noop().clone(),
            outgoing: Vec::new(),
        }
    }

    /// Moves bytes in both directions as far as they go; ready when the connection is over.
    pub fn drive(&mut self, task: &mut Context<'_>) -> Poll<Ended> {
        self.is_resting = false;
        for burst in 0..BURSTS_A_TURN {
            self.refresh();
            if self.card.disconnected.load(Acquire) {
                return Poll::Ready(Ended::Disconnected);
            }
            if self.is_overflowed() {
                return Poll::Ready(Ended::Overflow(self.unsent() + self.session.held_bytes()));
            }
            // A socket that takes no more does not keep input from being read, up to the pause. One that failed
            // may still hold requests that were received: they are carried out, nobody reads the replies.
            if let Poll::Ready(Err(error)) = self.write(task) {
                self.is_deaf_for(error);
            }
            self.show_waiting();
            if self.unsent() == 0 && (self.session.is_finished() || self.input_is_over()) {
                let is_parting = !self.ended && !self.draining;
                return Poll::Ready(self.deaf.take().map_or(Ended::Finished { is_parting }, Ended::Failed));
            }
            let may_read = self.session.may_decode() && self.unsent() <= self.output_bytes_pause();
            if !may_read || self.thread.turn.is_held_up() {
                // What was read in this turn is yet to be done.
                if burst == 0 {
                    self.pause();
                }
                return self.await_wake(task);
            }
            self.paused = false;
            match self.read(task) {
                Poll::Ready(Ok(())) if self.is_ahead => return Poll::Pending,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) if is_passing(&error) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Ended::Failed(error)),
                // Nobody would read what is asked for later, and a subscriber may never ask again.
                Poll::Pending if self.draining || self.deaf.is_some() => self.session.close(),
                Poll::Pending => {
                    self.is_resting = self.unsent() == 0 && !self.ended && self.deaf.is_none();
                    return self.await_wake(task);
                }
            }
        }
        task.waker().wake_by_ref();
        self.await_wake(task)
    }

    /// Whether the inbox of the thread is to be emptied, and the wire driven on.
    pub fn is_ahead(&mut self) -> bool {
        std::mem::take(&mut self.is_ahead)
    }

    /// Whether it is to be [written to](Wire::write_now) at the end of this turn, after it was driven, and was not
    /// noted for that yet.
    pub fn is_to_be_noted(&mut self) -> bool {
        std::mem::take(&mut self.was_fed) && !std::mem::replace(&mut self.is_noted, true)
    }

    /// Takes the replies to one batch; true if it is to be noted.
    pub fn accept(&mut self, replies: Box<Replies>) -> bool {
        self.session.accept(replies);
        !std::mem::replace(&mut self.is_noted, true)
    }

    /// Takes a push; as [`Wire::accept`]. What it hands out is for another client.
    pub fn push(&mut self, push: Push) -> (bool, Option<Redirect>) {
        if self.overflows() {
            return (false, None);
        }
        let redirect = self.session.push(push);
        if self.session.pushed_bytes() > PUSHED_BYTES_PAUSE {
            self.write_now();
        }
        (!std::mem::replace(&mut self.is_noted, true), redirect)
    }

    /// The client to which its invalidations were sent has gone.
    pub fn redirect_is_broken(&mut self) {
        self.session.redirect_is_broken();
    }

    /// Takes lines of what other clients ask for; true if it is to be noted.
    pub fn observe(&mut self, lines: &Bytes) -> bool {
        if self.overflows() {
            return false;
        }
        self.session.observe(lines);
        !std::mem::replace(&mut self.is_noted, true)
    }

    /// Whether so many messages wait that they are to be written before more come.
    pub fn is_flooded(&self) -> bool {
        self.session.pushed_bytes() > PUSHED_BYTES_PAUSE
    }

    /// Writes what came in this turn. Has itself driven unless it goes on waiting for input only.
    pub fn write_now(&mut self) {
        self.is_noted = false;
        self.take_replies();
        if self.is_resting && self.unsent() > 0 {
            match self.socket.try_write(&self.output[self.written..]) {
                Ok(sent) => self.has_sent(sent),
                // [`Wire::drive`] goes on.
                Err(error) if is_passing(&error) => {}
                Err(error) => self.is_deaf_for(error),
            }
            self.show_waiting();
        }
        let goes_on = self.unsent() == 0
            && self.is_resting
            && self.deaf.is_none()
            && !self.session.is_finished()
            && !self.session.is_overflowed();
        if !goes_on {
            self.waker.wake_by_ref();
        }
    }

    /// The process is to end: what was received is answered, nothing more is read.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Lets the session look again whether its next request is held.
    pub fn resume(&mut self) {
        self.session.resume();
    }

    /// Until when a request is held.
    pub fn held_until(&self) -> Option<UnixMillis> {
        self.session.held_until()
    }

    /// Whether the client waits for the process, and not the other way round.
    pub fn is_held(&self) -> bool {
        self.held_until().is_some() || self.session.is_awaiting()
    }

    /// What the shards are to forget now that the client has gone.
    pub fn farewell(&mut self) -> Vec<Outgoing> {
        self.session.farewell()
    }

    /// The client's socket.
    pub fn socket(&mut self) -> &mut ClientSocket {
        &mut self.socket
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

    fn is_deaf_for(&mut self, error: io::Error) {
        self.deaf.get_or_insert(error);
        self.discard_output();
    }

    /// Nobody will read what waits. It must not count as unsent: no socket would wake the connection again.
    fn discard_output(&mut self) {
        self.output.clear();
        self.written = 0;
    }

    /// Feeds the session with what is there already, else with what the socket has.
    fn read(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut input = std::mem::take(&mut self.input);
        if !input.is_empty() && self.feed(&mut input) {
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
        self.make_room(&mut input);
        let result = self.socket.poll_read(task, &mut input);
        if let Poll::Ready(Ok(received)) = &result {
            self.ended |= *received == 0;
            self.thread.counters.input_bytes.add(*received as u64);
            self.card.input_bytes.store(self.card.input_bytes.load(Relaxed) + *received as u64, Relaxed);
            self.is_ahead = self.thread.turn.inbox_depth() > 0;
            if !self.is_ahead {
                self.feed(&mut input);
            }
        }
        self.put_back(input);
        ready!(result)?;
        Poll::Ready(Ok(()))
    }

    /// Makes room for the request at hand and for the next read. Small reads share a buffer as long as it lasts:
    /// their requests lie in it until the end of the turn, and a fresh one for every read would be costly. What a large
    /// request will need is asked for only when there is no room: growing touches all of a buffer's memory, also what
    /// a slow client has not sent.
    fn make_room(&self, input: &mut BytesMut) {
        let read_bytes_max = self.read_bytes_max();
        let room = input.capacity() - input.len();
        if room < read_bytes_max / READS_A_BUFFER {
            input.reserve(self.session.bytes_wanted().max(read_bytes_max));
        }
    }

    /// Lets the session decode, and leaves what it sends off to the turn. True if it used anything.
    fn feed(&mut self, input: &mut BytesMut) -> bool {
        let before = input.len();
        self.was_fed = true;
        let (thread, session, outgoing) = (&self.thread, &mut self.session, &mut self.outgoing);
        let now_micros = thread.turn.micros(&thread.host.clock);
        thread.with_surroundings(now_micros, |surroundings| session.feed(input, surroundings, outgoing));
        for delivery in outgoing.drain(..) {
            thread.gather(delivery, self.card.id);
        }
        input.len() != before
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

    fn write(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.unsent() > 0 {
            match ready!(self.socket.poll_write(task, &self.output[self.written..])) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(sent) => self.has_sent(sent),
                Err(error) if is_passing(&error) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Counts bytes that the socket has taken. An emptied buffer goes to the thread, for whoever replies next.
    fn has_sent(&mut self, sent: usize) {
        self.written += sent;
        self.thread.counters.output_bytes.add(sent as u64);
        self.card.output_bytes.store(self.card.output_bytes.load(Relaxed) + sent as u64, Relaxed);
        if self.unsent() == 0 {
            self.discard_output();
            let mut output = std::mem::take(&mut self.output);
            if output.capacity() > OUTPUT_CAPACITY_MAX {
                output = Vec::new();
            }
            self.thread.output.set(output);
        }
    }

    fn pause(&mut self) {
        if !self.paused && self.session.waiting() + self.unsent() > 0 {
            self.paused = true;
            self.thread.counters.pauses.add(1);
        }
    }

    fn await_wake(&mut self, task: &Context<'_>) -> Poll<Ended> {
        self.waker.clone_from(task.waker());
        Poll::Pending
    }

    fn show_waiting(&self) {
        let waiting_bytes = self.unsent() + self.session.held_bytes();
        self.card.output_waiting_bytes.store(waiting_bytes as u64, Relaxed);
    }

    /// Whether so much waits that nothing more is taken. A flood can come faster than [`Wire::drive`], which closes
    /// the connection, has its turn.
    fn overflows(&mut self) -> bool {
        if !self.has_overflowed && self.is_overflowed() {
            self.has_overflowed = true;
            self.waker.wake_by_ref();
        }
        self.has_overflowed
    }

    fn is_overflowed(&self) -> bool {
        self.has_overflowed || self.session.is_overflowed() || self.unsent() > self.output_bytes_max()
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
}

/// Whether the socket is as good as before: it takes nothing now, or a signal came between.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
