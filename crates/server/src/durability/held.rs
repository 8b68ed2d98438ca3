//! What a thread holds back until the disk has the records that it knows of.

use std::collections::VecDeque;
use std::sync::Arc;

use mayfly_engine::Effect;
use mayfly_persistence::is_continued;

use super::Queue;
use crate::inbox::ClientAddress;

/// Replies and pushes in the order in which they are to leave, each with the record that it waits for.
#[derive(Debug)]
pub struct Held {
    queue: Arc<Queue>,
    shard: usize,
    /// The record that whatever leaves from here on waits for.
    awaited: u64,
    /// Records that belong together, as long as the last of them has not come.
    pieces: Vec<Vec<u8>>,
    effects: VecDeque<(u64, Effect<ClientAddress>)>,
}

impl Held {
    /// Nothing is held yet on the thread of this shard.
    pub fn new(queue: Arc<Queue>, shard: usize) -> Self {
        Held { queue, shard, awaited: 0, pieces: Vec::new(), effects: VecDeque::new() }
    }

    /// Whether so much waits for the disk that clients are to be read no further.
    pub fn is_full(&self) -> bool {
        self.queue.is_full()
    }

    /// A record on its way to the disk. What follows waits for it, where replies do. Records that belong together go
    /// together, so that none of another shard comes between them.
    pub fn hand(&mut self, body: Vec<u8>) {
        if is_continued(&body) {
            self.pieces.push(body);
        } else {
            self.awaited = self.queue.hand(&mut self.pieces, body);
        }
    }

    /// Data comes here that another shard has changed: what follows waits for all records there are.
    pub fn await_all(&mut self) {
        if self.queue.is_always {
            self.awaited = self.awaited.max(self.queue.handed());
        }
    }

    /// Takes what is to leave; hands it back where it may leave now.
    pub fn keep(&mut self, effect: Effect<ClientAddress>) -> Option<Effect<ClientAddress>> {
        let may_leave = !self.queue.is_always
            || (self.effects.is_empty() && (self.awaited == 0 || self.awaited <= self.queue.synced()));
        if may_leave || (self.queue.is_sick() && !self.has_of(&effect)) {
            return Some(effect);
        }
        if self.effects.is_empty() {
            // Before the next look at what is synced, so that no sync is missed between the two.
            self.queue.is_holding(self.shard, true);
        }
        self.effects.push_back((self.awaited, effect));
        None
    }

    /// Whether something is held for the client that this is for.
    fn has_of(&self, effect: &Effect<ClientAddress>) -> bool {
        let client = client_of(effect);
        self.effects.iter().any(|(_, held)| client_of(held) == client)
    }

    /// The next of those that may leave by now.
    pub fn release(&mut self) -> Option<Effect<ClientAddress>> {
        let (awaited, _) = self.effects.front()?;
        if *awaited > self.queue.synced() {
            return None;
        }
        let (_, effect) = self.effects.pop_front()?;
        if self.effects.is_empty() {
            self.queue.is_holding(self.shard, false);
        }
        Some(effect)
    }
}

fn client_of(effect: &Effect<ClientAddress>) -> Option<u64> {
    match effect {
        Effect::Reply(to, _) | Effect::Push(to, ..) => Some(to.client),
        Effect::Pass(..) | Effect::Record(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mayfly_command::ShardId;
    use mayfly_persistence::{Journal, set_continued};

    use super::super::queue::held_bytes;
    use super::*;

    fn reply(client: u64) -> Effect<ClientAddress> {
        Effect::Reply(ClientAddress { thread: ShardId(0), client }, Box::default())
    }

    fn threads(is_always: bool) -> (Arc<Queue>, Held, Held) {
        let queue = Arc::new(Queue::new(2, is_always, 1_000));
        (Arc::clone(&queue), Held::new(Arc::clone(&queue), 0), Held::new(queue, 1))
    }

    #[test]
    fn what_follows_a_record_waits_for_it_in_order() {
        let (queue, mut held, mut other) = threads(true);
        assert!(held.keep(reply(1)).is_some());
        held.hand(vec![0]);
        assert!(held.keep(reply(1)).is_none());
        held.hand(vec![0]);
        assert!(held.keep(reply(2)).is_none());
        assert!(other.keep(reply(3)).is_some(), "it knows of neither");
        assert!(held.release().is_none());
        queue.has_synced(1, &[]);
        assert_eq!(held.release().and_then(|effect| client_of(&effect)), Some(1));
        assert!(held.release().is_none());
        assert!(held.keep(reply(4)).is_none());
        queue.has_synced(2, &[]);
        assert!(held.keep(reply(5)).is_none(), "it may not overtake");
        let rest: Vec<_> =
            std::iter::from_fn(|| held.release()).filter_map(|effect| client_of(&effect)).collect();
        assert_eq!(rest, [2, 4, 5]);
        assert!(held.keep(reply(6)).is_some());
    }

    #[test]
    fn records_that_belong_together_are_neighbours_in_the_log() {
        let (queue, mut held, mut other) = threads(true);
        let piece = |value: u8, is_continued| {
            let mut journal = Journal::new();
            journal.begin(0);
            journal.key(0, &[value]);
            let mut body = journal.take();
            set_continued(&mut body, is_continued);
            body
        };
        held.hand(piece(1, true));
        held.hand(piece(2, true));
        other.hand(piece(9, false));
        assert_eq!(queue.handed(), 1);
        held.hand(piece(3, false));
        assert!(held.keep(reply(1)).is_none());
        let (mut bodies, mut orders) = (Vec::new(), Vec::new());
        assert!(queue.take(&mut bodies, &mut orders, None, Duration::ZERO));
        assert_eq!(bodies.iter().filter_map(|body| body.last()).collect::<Vec<_>>(), [&9, &1, &2, &3]);
        queue.has_synced(3, &[]);
        assert!(held.release().is_none(), "the last of them is record 4");
        queue.has_synced(4, &[]);
        assert!(held.release().is_some());
    }

    #[test]
    fn a_keyspace_that_comes_brings_what_its_data_waits_for() {
        let (queue, mut held, mut other) = threads(true);
        held.hand(vec![0]);
        other.await_all();
        assert!(other.keep(reply(1)).is_none());
        queue.has_synced(1, &[]);
        assert!(other.release().is_some());
    }

    #[test]
    fn nothing_waits_where_replies_do_not() {
        let (_, mut held, mut other) = threads(false);
        held.hand(vec![0]);
        other.await_all();
        assert!(held.keep(reply(1)).is_some() && other.keep(reply(2)).is_some());
    }

    #[test]
    fn a_sick_disk_keeps_only_those_waiting_who_wait_already() {
        let (queue, mut held, _) = threads(true);
        held.hand(vec![0]);
        assert!(held.keep(reply(1)).is_none());
        queue.set_sick(true);
        assert!(held.keep(reply(1)).is_none());
        assert!(held.keep(reply(2)).is_some());
    }

    #[test]
    fn a_full_queue_stops_reading_unless_the_disk_is_sick() {
        let (queue, mut held, _) = threads(false);
        assert!(!held.is_full());
        let body = vec![0; 2_000];
        let bytes = held_bytes(&body);
        held.hand(body);
        assert!(held.is_full());
        queue.set_sick(true);
        assert!(!held.is_full());
        queue.set_sick(false);
        queue.taken(bytes, &[]);
        assert!(!held.is_full());
    }
}
