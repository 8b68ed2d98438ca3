//! Faults that are planted to see whether they are found.

use clap::ValueEnum;
use mayfly_engine::Replies;

/// One thing that goes wrong, once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Fault {
    /// The model expects a wrong reply.
    WrongModel,
    /// The replies to one batch are lost on their way.
    LostReplies,
    /// Two replies of a batch change places.
    SwappedReplies,
    /// A batch is lost on its way.
    LostBatch,
    /// A batch overtakes another one of its client.
    OvertakingBatch,
    /// A key vanishes.
    LostKey,
    /// A keyspace that comes home is forgotten for ever.
    LostKeyspace,
    /// A record is lost on its way to the log.
    LostRecord,
}

/// Whether a planted fault strikes now; it does once.
pub fn strikes(planted: &mut Option<Fault>, fault: Fault, can: bool) -> bool {
    let strikes = can && *planted == Some(fault);
    if strikes {
        *planted = None;
    }
    strikes
}

/// Whether the first two replies of a batch differ.
pub fn can_swap(replies: &Replies) -> bool {
    matches!(replies.ends[..], [first, second, ..] if replies.bytes[..first] != replies.bytes[first..second])
}

/// Lets the first two replies of a batch change places.
pub fn swap_first_two(replies: &mut Replies) {
    let [first, second, ..] = replies.ends[..] else { return };
    replies.bytes[..second].rotate_left(first);
    replies.ends[0] = second - first;
}
