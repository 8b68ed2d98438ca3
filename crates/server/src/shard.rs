//! The actor of one shard: a thin shell that takes messages off the mailbox and turns the wheel in time.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use actix::{Actor, Context, Handler, Message, MessageResult};
use tokio::sync::mpsc::UnboundedSender;

use crate::connection::{Connection, Drain, HangUp};
use crate::durability::{self, Loaded, SharedFolder};
use crate::inbox::ShardPeer;
use crate::metrics::ShardSample;
use crate::socket::AcceptedSocket;
use crate::status::keys::ShardKeys;
use crate::thread::{Resident, Thread};

/// What actix takes for no bound. Large numbers are no way to say it: it computes with them.
pub const UNBOUNDED_MAILBOX: usize = 0;

/// Another thread has put something into this one's inbox.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Look;

/// The ways to all shards; sent once, before the first connection.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Connect(pub Vec<ShardPeer>);

/// A client has connected and is to live on this shard's thread.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Adopt {
    /// The accepted socket.
    pub socket: AcceptedSocket,
    /// Its entry in the registry.
    pub card: Arc<mayfly_command::ClientCard>,
}

/// Every connection of this thread is to answer what is in flight and close.
#[derive(Message)]
#[rtype(result = "()")]
pub struct DrainConnections;

/// The idle timeout has changed: every connection of this thread is to look anew when it ends.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct WatchIdleness;

/// The limit of memory has changed: the shard is to look whether it keeps to it.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct KeepWithin;

/// A pause may be over: every connection of this thread is to look whether its next request is still held.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Resume;

/// Users have changed: every connection of this thread is to look what has become of its own.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct UsersChanged;

/// Those of these clients that live on this thread are to be closed at once.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct Disconnect(pub Arc<[u64]>);

/// Begin a snapshot: to the first shard.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AskForSnapshot;

/// Hand out all keys for the snapshot of this generation.
#[derive(Message)]
#[rtype(result = "()")]
pub struct TakeSnapshot {
    /// Which snapshot it is.
    pub generation: u64,
    /// How often databases had changed places before it was begun.
    pub swaps: u64,
}

/// The process answers a client of this thread that waits for it, with an encoded line, or with nothing.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Answer {
    /// Number of the client.
    pub client: u64,
    /// What it reads.
    pub line: Cow<'static, str>,
}

/// A shard that answers is alive.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AreYouThere;

/// A look at what the shard holds and measured, for metrics.
#[derive(Message)]
#[rtype(result = "Option<ShardSample>")]
pub struct Measure;

/// A look at its hot and big keys, for the status page.
#[derive(Message)]
#[rtype(result = "Option<ShardKeys>")]
pub struct NameKeys;

/// The actor of one shard.
pub struct ShardActor {
    thread: Rc<Thread>,
    loading: Option<Loading>,
}

/// What a shard loads before its wheel turns, and who is told what came of it.
pub struct Loading {
    /// The folder.
    pub folder: SharedFolder,
    /// Who is told.
    pub done: UnboundedSender<Loaded>,
}

impl ShardActor {
    /// A shard actor; it is started on the thread that it shares.
    pub fn new(thread: Rc<Thread>, loading: Option<Loading>) -> Self {
        ShardActor { thread, loading }
    }
}

impl Actor for ShardActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // Bounded at the edge: every session has at most one batch a shard and burst under way.
        context.set_mailbox_capacity(UNBOUNDED_MAILBOX);
        actix_rt::spawn(Rc::clone(&self.thread).end_turns());
        let (thread, loading) = (Rc::clone(&self.thread), self.loading.take());
        actix_rt::spawn(async move {
            if let Some(Loading { folder, done }) = loading {
                let loaded = durability::load(&thread, folder).await;
                let has_failed = loaded.is_err();
                // Nobody listens where the process is to stop.
                let _ = done.send(loaded);
                if has_failed {
                    return;
                }
            }
            turn_wheel(thread).await;
        });
    }
}

/// Steps of expiry that a shard does without a rest: about 300 µs. Half of it brought a light client nothing.
const STEPS_BETWEEN_RESTS: usize = 2_048;
/// The rest: a storm of expiries leaves the processor to clients, and to their own processes beside the server.
const REST: Duration = Duration::from_millis(1);
/// A backlog of more than this many stretches of steps makes the stretches longer: then it shrinks by this part with
/// every rest, however fast keys fall due.
const STRETCHES_MAX: u64 = 256;

/// Reclaims in slices; between two of them everybody else on the thread has a turn. A backlog, whose keys are absent
/// for clients already, is worked off with rests in between.
async fn turn_wheel(thread: Rc<Thread>) {
    loop {
        thread.reclaim_due().await;
        let mut steps = 0;
        loop {
            let slice = thread.reclaim();
            if !slice.more {
                break;
            }
            steps += slice.steps;
            let is_long = steps >= STEPS_BETWEEN_RESTS;
            if is_long && steps as u64 >= thread.backlog() / STRETCHES_MAX {
                steps = 0;
                tokio::time::sleep(REST).await;
            } else {
                // Whoever was woken on this processor by an answer is let through before the next slice.
                std::thread::yield_now();
                tokio::task::yield_now().await;
            }
        }
    }
}

impl Handler<Look> for ShardActor {
    type Result = ();

    fn handle(&mut self, _: Look, _: &mut Self::Context) {
        self.thread.finish_turn();
    }
}

impl Handler<Connect> for ShardActor {
    type Result = ();

    fn handle(&mut self, Connect(shards): Connect, _: &mut Self::Context) {
        self.thread.connect(shards);
    }
}

impl Handler<Adopt> for ShardActor {
    type Result = ();

    fn handle(&mut self, Adopt { socket, card }: Adopt, _: &mut Self::Context) {
        match socket.adopt() {
            Ok(socket) => {
                let id = card.id;
                card.thread.store(self.thread.shard_id().0, Relaxed);
                let connection = Connection::new(Rc::clone(&self.thread), socket, card);
                let wire = connection.wire();
                let resident = Resident { address: connection.start(), wire };
                self.thread.connections.borrow_mut().insert(id, resident);
            }
            Err(error) => {
                tracing::warn!(%error, client = card.address, "a connection was lost before it began");
                self.thread.host.clients.leave(card.id);
            }
        }
    }
}

impl Handler<AreYouThere> for ShardActor {
    type Result = ();

    fn handle(&mut self, _: AreYouThere, _: &mut Self::Context) {}
}

impl Handler<DrainConnections> for ShardActor {
    type Result = ();

    fn handle(&mut self, _: DrainConnections, _: &mut Self::Context) {
        for connection in self.thread.connections.borrow().values() {
            connection.address.do_send(Drain);
        }
    }
}

impl Handler<Disconnect> for ShardActor {
    type Result = ();

    fn handle(&mut self, Disconnect(clients): Disconnect, _: &mut Self::Context) {
        let connections = self.thread.connections.borrow();
        for connection in clients.iter().filter_map(|client| connections.get(client)) {
            connection.address.do_send(HangUp);
        }
    }
}

impl Handler<WatchIdleness> for ShardActor {
    type Result = ();

    fn handle(&mut self, watch: WatchIdleness, _: &mut Self::Context) {
        for connection in self.thread.connections.borrow().values() {
            connection.address.do_send(watch);
        }
    }
}

impl Handler<UsersChanged> for ShardActor {
    type Result = ();

    fn handle(&mut self, changed: UsersChanged, _: &mut Self::Context) {
        for connection in self.thread.connections.borrow().values() {
            connection.address.do_send(changed);
        }
    }
}

impl Handler<KeepWithin> for ShardActor {
    type Result = ();

    fn handle(&mut self, _: KeepWithin, _: &mut Self::Context) {
        // Whatever it does, it does with the settings that hold.
        self.thread.with_moment(|_, _| ());
    }
}

impl Handler<Resume> for ShardActor {
    type Result = ();

    fn handle(&mut self, resume: Resume, _: &mut Self::Context) {
        for connection in self.thread.connections.borrow().values() {
            connection.address.do_send(resume);
        }
    }
}

impl Handler<AskForSnapshot> for ShardActor {
    type Result = ();

    fn handle(&mut self, _: AskForSnapshot, _: &mut Self::Context) {
        actix_rt::spawn(durability::ask(Rc::clone(&self.thread)));
    }
}

impl Handler<TakeSnapshot> for ShardActor {
    type Result = ();

    fn handle(&mut self, TakeSnapshot { generation, swaps }: TakeSnapshot, _: &mut Self::Context) {
        actix_rt::spawn(durability::hand_out(Rc::clone(&self.thread), generation, swaps));
    }
}

impl Handler<Answer> for ShardActor {
    type Result = ();

    fn handle(&mut self, Answer { client, line }: Answer, _: &mut Self::Context) {
        self.thread.answer(client, &line);
    }
}

impl Handler<Measure> for ShardActor {
    type Result = MessageResult<Measure>;

    fn handle(&mut self, _: Measure, _: &mut Self::Context) -> Self::Result {
        let now = self.thread.host.clock.now();
        let depth = self.thread.turn.inbox_depth();
        MessageResult(self.thread.with_shard(|shard| ShardSample::take(shard, now, depth)))
    }
}

impl Handler<NameKeys> for ShardActor {
    type Result = MessageResult<NameKeys>;

    fn handle(&mut self, _: NameKeys, _: &mut Self::Context) -> Self::Result {
        let now = self.thread.host.clock.now();
        MessageResult(self.thread.with_shard(|shard| Some(ShardKeys::of(shard.keyspace_mut()?, now))))
    }
}
