//! What travels between sessions and shards.

use bytes::Bytes;
use mayfly_command::{Command, ShardId, Words};
use mayfly_resp::{Protocol, Span};
use mayfly_store::Keyspace;

/// The largest buffers that are kept for the next replies: an unusually long answer leaves no memory behind.
const ROOM_BYTES_MAX: usize = 16 * 1024;
const ROOM_REPLIES_MAX: usize = 2 * 1024;

/// One request on its way to the data.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// What is asked for.
    pub command: &'static Command,
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
    /// Hash of the key it was routed by.
    pub key_hash: u64,
}

/// The calls of one read burst that go to one place, in order. Their words lie in the shared burst.
#[derive(Debug, Default)]
pub struct Batch {
    /// The lane that the replies go back to.
    pub lane: u16,
    /// The bytes of the burst.
    pub burst: Bytes,
    /// The words of all calls.
    pub words: Vec<Span>,
    /// The calls.
    pub calls: Vec<Call>,
    /// Room for the replies.
    pub room: ReplyRoom,
}

/// Buffers for replies, emptied after earlier ones: whoever replies often allocates seldom.
#[derive(Debug, Default)]
pub struct ReplyRoom {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    /// The words of one of its calls.
    pub fn words_of(&self, call: &Call) -> Words<'_> {
        let first = call.first_word as usize;
        Words::new(&self.burst, &self.words[first..first + call.word_count as usize])
    }
}

/// Calls over several shards, with the keyspaces collected so far.
#[derive(Debug)]
pub struct Joint<A> {
    /// The calls.
    pub batch: Batch,
    /// The shards to visit, ascending.
    pub shards: Vec<ShardId>,
    /// The keyspaces in hand, by number of the shard.
    pub held: Vec<Option<Box<Keyspace>>>,
    /// Where the replies go.
    pub reply_to: A,
}

/// The replies to one batch, in its order.
#[derive(Debug, Default)]
pub struct Replies {
    /// The lane they belong to.
    pub lane: u16,
    /// All replies, encoded.
    pub bytes: Vec<u8>,
    /// Where each reply ends in `bytes`.
    pub ends: Vec<usize>,
    /// More bytes than the limit allows: the last replies are missing, the client is to be closed.
    pub overflow: bool,
    /// The batch, emptied, for its session to fill again.
    pub spent: Batch,
}

impl Replies {
    /// No replies yet.
    pub fn new(lane: u16, room: ReplyRoom) -> Self {
        Replies { lane, bytes: room.bytes, ends: room.ends, ..Replies::default() }
    }

    /// What is left of replies that have been used up.
    pub fn into_room(self) -> ReplyRoom {
        let Replies { mut bytes, mut ends, .. } = self;
        if bytes.capacity() > ROOM_BYTES_MAX || ends.capacity() > ROOM_REPLIES_MAX {
            return ReplyRoom::default();
        }
        bytes.clear();
        ends.clear();
        ReplyRoom { bytes, ends }
    }
}

/// What a session wants delivered.
#[derive(Debug)]
pub enum Outgoing {
    /// To one shard.
    Batch(ShardId, Batch),
    /// To several shards, ascending; it goes to the first.
    Joint(Vec<ShardId>, Batch),
}

/// What a shard is asked to do. `A` is an address that replies are sent to.
#[derive(Debug)]
pub enum Work<A> {
    /// Run these calls on your own data.
    Batch(Batch, A),
    /// Add your keyspace and pass on, or run if you are the last.
    Joint(Box<Joint<A>>),
    /// Your keyspace comes home.
    Return(Box<Keyspace>),
}

impl<A> Work<A> {
    /// A joint that sets out; it is delivered to the first of its shards.
    pub fn joint(shards: Vec<ShardId>, batch: Batch, reply_to: A, shard_count: u16) -> Self {
        let held = (0..shard_count).map(|_| None).collect();
        Work::Joint(Box::new(Joint { batch, shards, held, reply_to }))
    }
}

/// What a shard wants delivered.
#[derive(Debug)]
pub enum Effect<A> {
    /// Replies to a session.
    Reply(A, Replies),
    /// Work for another shard.
    Pass(ShardId, Work<A>),
}
