//! What travels between sessions and shards.

use std::sync::Arc;

use bytes::Bytes;
use mayfly_acl::User;
use mayfly_command::{Awaited, Command, ShardId, Words};
use mayfly_resp::{Protocol, Span};
use mayfly_store::Keyspace;

use crate::observers::{Observers, WatchFlag};
use crate::subscriptions::{Message, Push};

/// The largest buffers that are kept for the next replies: an unusually long answer leaves no memory behind.
const ROOM_BYTES_MAX: usize = 16 * 1024;
const ROOM_REPLIES_MAX: usize = 2 * 1024;

/// What a call is besides its command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallKind {
    /// A request; its words lie in the burst.
    Request,
    /// A request that was queued for a transaction; its words lie in the batch's `queued` bytes.
    Queued,
    /// A reply of the session, written already, in a transaction: its word is copied; if it has two, the second to
    /// a client that listens to something by then.
    Reply,
    /// `EXEC`: the next `calls` calls run as one and answer one array, or nothing if the flag of this number is
    /// raised.
    Transaction {
        /// Calls that belong to it.
        calls: u32,
        /// Its place in the batch's flags.
        flag: Option<u32>,
        /// Only confirmations of subscriptions are wanted.
        is_muted: bool,
    },
    /// `WATCH` with the flag of this number.
    Watch {
        /// Its place in the batch's flags.
        flag: u32,
    },
}

/// One request on its way to the data.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// What is asked for.
    pub command: &'static Command,
    /// What kind of call it is.
    pub kind: CallKind,
    /// Its first word in the batch's words.
    pub first_word: u32,
    /// How many words it has.
    pub word_count: u32,
    /// Position among its words of the key it was routed by; 0: none.
    pub key_word: u32,
    /// Selected logical database.
    pub database: u16,
    /// Shape of the reply.
    pub protocol: Protocol,
    /// The client caches what it reads here: its keys are remembered.
    pub is_tracked: bool,
    /// Whether it counts as a use of its keys.
    pub touches: bool,
    /// Hash of the key it was routed by.
    pub key_hash: u64,
}

/// The calls of one read burst that go to one place, in order. Their words lie in the shared burst.
#[derive(Debug, Default)]
pub struct Batch {
    /// The lane that the replies go back to.
    pub lane: u16,
    /// Number of the client, as in `CLIENT ID`.
    pub client: u64,
    /// The bytes of the burst.
    pub burst: Bytes,
    /// The bytes of requests that were queued for a transaction.
    pub queued: Vec<u8>,
    /// Flags of watched keys.
    pub flags: Vec<WatchFlag>,
    /// The words of all calls.
    pub words: Vec<Span>,
    /// The calls.
    pub calls: Vec<Call>,
    /// Where to write the replies: buffers that were used before, if there are any at hand.
    pub room: Option<Box<Replies>>,
}

impl Batch {
    /// The words of one of its calls.
    pub fn words_of(&self, call: &Call) -> Words<'_> {
        let first = call.first_word as usize;
        let bytes = match call.kind {
            CallKind::Queued | CallKind::Reply => &self.queued[..],
            _ => &self.burst[..],
        };
        Words::new(bytes, &self.words[first..first + call.word_count as usize])
    }
}

/// Calls over several shards, with the keyspaces collected so far.
#[derive(Debug)]
pub struct Joint<A> {
    /// The calls.
    pub batch: Box<Batch>,
    /// The shards to visit, ascending.
    pub shards: Vec<ShardId>,
    /// The keyspaces in hand, by number of the shard.
    pub keyspaces: Vec<Option<Box<Keyspace>>>,
    /// Who observes those shards, by number of the shard.
    pub observers: Vec<Option<Box<Observers<A>>>>,
    /// Where the replies go.
    pub reply_to: A,
}

/// The replies to one batch, in its order. They are boxed since they travel, and go round: their session empties them
/// for a batch to come, so that whoever replies often allocates seldom.
#[derive(Debug, Default)]
pub struct Replies {
    /// The lane they belong to.
    pub lane: u16,
    /// All replies, encoded.
    pub bytes: Vec<u8>,
    /// Where each reply ends in `bytes`.
    pub ends: Vec<usize>,
    /// How many subscriptions of each kind the client has from here on, if that may have changed.
    pub subscriptions: Option<[usize; 3]>,
    /// Messages of these calls to the client itself: it reads its replies first.
    pub own: Vec<Message>,
    /// More bytes than the limit allows: the last replies are missing, the client is to be closed.
    pub overflow: bool,
    /// The batch, for its session to fill again; absent from replies of the session itself.
    pub spent: Option<Box<Batch>>,
}

impl Replies {
    /// Whether their buffers are no larger than is kept for the next replies.
    pub fn is_kept(&self) -> bool {
        self.bytes.capacity() <= ROOM_BYTES_MAX && self.ends.capacity() <= ROOM_REPLIES_MAX
    }

    /// Forgets all replies, and keeps their buffers.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.subscriptions = None;
        self.overflow = false;
    }
}

/// The lane of what the process answers, in a session beside so many shards.
pub fn process_lane(shards: u16) -> u16 {
    shards + 3
}

/// What a session wants delivered.
#[derive(Debug)]
pub enum Outgoing {
    /// To one shard.
    Batch(ShardId, Box<Batch>),
    /// To several shards, ascending; it goes to the first.
    Joint(Vec<ShardId>, Box<Batch>),
    /// To these shards, ascending; it goes to the first: forget what the client of this number watches by this flag.
    Unwatch(Vec<ShardId>, u64, WatchFlag),
    /// To all shards, ascending; it goes to the first: forget what the client of this number listens to and caches.
    Unsubscribe(u64),
    /// To the first shard: the client of this number asks as this user, which has lost channels.
    Audit(u64, Arc<User>),
    /// To the process: the client of this number begins to read what all clients ask for, or ends it.
    Monitor {
        /// Number of the client.
        client: u64,
        /// Whether it begins.
        begins: bool,
    },
    /// To every client that monitors: lines to read.
    Monitored(Bytes),
    /// To the process: answer the client when this has come to pass, on the lane of [`process_lane`].
    Await(Awaited),
}

/// What a shard is asked to do. `A` is an address that replies are sent to.
#[derive(Debug)]
pub enum Work<A> {
    /// Run these calls on your own data.
    Batch(Box<Batch>, A),
    /// Add your keyspace and pass on, or run if you are the last.
    Joint(Box<Joint<A>>),
    /// Your keyspace comes home, with who observes it.
    Return(Box<Keyspace>, Box<Observers<A>>),
    /// Forget what the client of this number watches here by this flag, and pass on to the next of these shards. It
    /// goes from shard to shard as a joint does, so that it cannot overtake one that watches; the client's next
    /// watches, which can overtake it, have another flag.
    Unwatch(Vec<ShardId>, u64, WatchFlag),
    /// Forget what the client of this number listens to and caches, and pass on to the next shard. It goes from shard to shard
    /// as the joint does that subscribes, so that it cannot overtake one.
    Unsubscribe(u64),
    /// Look whether the client of this number may still listen to all that it listens to, as this user.
    Audit(u64, Arc<User>),
    /// Evict keys, since memory is past its limit and whoever needs some has none to evict.
    Relieve,
}

impl<A> Work<A> {
    /// A joint that sets out; it is delivered to the first of its shards.
    pub fn joint(shards: Vec<ShardId>, batch: Box<Batch>, reply_to: A, shard_count: u16) -> Self {
        let keyspaces = (0..shard_count).map(|_| None).collect();
        let observers = (0..shard_count).map(|_| None).collect();
        Work::Joint(Box::new(Joint { batch, shards, keyspaces, observers, reply_to }))
    }
}

/// What a shard wants delivered.
#[derive(Debug)]
pub enum Effect<A> {
    /// What calls did to the data: the body of a record for the log. It belongs there before anything that stands
    /// behind it is delivered: replies to those calls and messages about them, and keyspaces, on which others go on.
    Record(Vec<u8>),
    /// Replies to a session.
    Reply(A, Box<Replies>),
    /// A message that answers no request, to the client of this number.
    Push(A, u64, Push),
    /// Work for another shard.
    Pass(ShardId, Work<A>),
}
