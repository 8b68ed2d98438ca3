//! What threads send each other, and the way there.
//!
//! A thread looks into its inbox at the end of every turn, so a message to its actor is only needed to wake it up.

use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::mpsc::{Receiver, Sender, channel};

use actix::Addr;
use mayfly_command::ShardId;
use mayfly_engine::{Push, Replies, Work};

use crate::shard::{Look, ShardActor};

/// Where a client lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientAddress {
    /// The shard of its thread.
    pub thread: ShardId,
    /// Its number, as in `CLIENT ID`.
    pub client: u64,
}

/// What one thread sends another.
#[derive(Debug)]
pub enum Parcel {
    /// Work for its shard. It is carried out whatever becomes of the sender.
    Work(Work<ClientAddress>),
    /// Replies to a client that lives there.
    Replies(u64, Box<Replies>),
    /// A push to a client that lives there.
    Push(u64, Push),
}

/// The inbox of a thread. Bounded at the edge: every session has at most one batch a shard and burst under way.
#[derive(Debug)]
pub struct Inbox {
    parcels: Receiver<Vec<Parcel>>,
    shared: Arc<Shared>,
}

/// The slot of an inbox, for everybody.
#[derive(Clone, Debug)]
pub struct Slot {
    parcels: Sender<Vec<Parcel>>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Messages sent and not yet taken.
    depth: AtomicU64,
    /// A message that wakes the thread is on its way.
    is_called: AtomicBool,
}

/// The way to a thread.
#[derive(Clone, Debug)]
pub struct ShardPeer {
    /// The actor of its shard.
    pub address: Addr<ShardActor>,
    /// The slot of its inbox.
    pub slot: Slot,
}

impl Inbox {
    /// An empty one, with its slot.
    pub fn new() -> (Slot, Inbox) {
        let (sender, receiver) = channel();
        let shared: Arc<Shared> = Arc::default();
        (Slot { parcels: sender, shared: Arc::clone(&shared) }, Inbox { parcels: receiver, shared })
    }

    /// Takes what has come by now, in the order of every sender. What comes meanwhile is for the next time: senders
    /// that are faster than what is done with their messages would keep the thread from everything else.
    pub fn take(&self) -> impl Iterator<Item = Parcel> {
        // First, so that whoever sends something that is missed here calls again.
        self.shared.is_called.swap(false, AcqRel);
        let here_by_now = usize::try_from(self.depth()).unwrap_or(usize::MAX);
        let taken = self.parcels.try_iter().take(here_by_now).inspect(|_| {
            self.shared.depth.fetch_sub(1, Relaxed);
        });
        taken.flatten()
    }

    /// Messages that have been sent here and not yet taken.
    pub fn depth(&self) -> u64 {
        self.shared.depth.load(Relaxed)
    }
}

impl Slot {
    fn put(&self, parcels: Vec<Parcel>) {
        self.shared.depth.fetch_add(1, Relaxed);
        // A thread that has ended takes nothing more.
        let _ = self.parcels.send(parcels);
    }
}

impl ShardPeer {
    /// Sends what the thread is to do, and wakes it unless that was done already.
    pub fn send(&self, parcels: Vec<Parcel>) {
        self.slot.put(parcels);
        self.wake();
    }

    /// Has the thread end a turn soon, unless it was told so already.
    pub fn wake(&self) {
        if !self.slot.shared.is_called.swap(true, AcqRel) {
            self.address.do_send(Look);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_while_messages_are_taken_waits_for_the_next_time() {
        let (slot, inbox) = Inbox::new();
        let unsubscribe = |client| vec![Parcel::Work(Work::Unsubscribe(client))];
        slot.put(unsubscribe(0));
        slot.put(unsubscribe(1));
        let mut sent = 2;
        for (times, taken) in [2, 2, 2].into_iter().enumerate() {
            let got = inbox.take().inspect(|_| {
                slot.put(unsubscribe(sent));
                sent += 1;
            });
            assert_eq!(got.count(), taken, "at time {times}");
            assert_eq!(inbox.depth(), 2);
        }
    }
}
