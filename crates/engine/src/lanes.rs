//! Replies in request order: one queue a shard, and the order to take from them.
//!
//! ```text
//!   order:  shard 0 ×3 │ local ×1 │ shard 1 ×2 │ shard 0 ×1 …
//!   lanes:  shard 0: ███▒…   local: █   shard 1: (nothing yet)      ─► 4 replies can go, the fifth waits
//! ```
//!
//! A reply that was asked for takes its place in `order` at once; it can leave when all before it have left.

use std::collections::VecDeque;

use crate::batch::Replies;

/// The lanes of one session.
#[derive(Debug, Default)]
pub struct Lanes {
    order: Queue<Run>,
    lanes: Vec<Queue<Chunk>>,
    waiting: usize,
    held_bytes: usize,
    muted: bool,
}

#[derive(Debug)]
struct Run {
    lane: u16,
    count: u32,
    /// The replies are dropped when their turn comes.
    muted: bool,
}

/// What is left of one batch's replies.
#[derive(Debug)]
struct Chunk {
    replies: Box<Replies>,
    next: usize,
}

impl Chunk {
    /// Where the next reply begins.
    fn start(&self) -> usize {
        self.next.checked_sub(1).map_or(0, |last| self.replies.ends[last])
    }

    fn left(&self) -> usize {
        self.replies.ends.len() - self.next
    }
}

/// A queue that seldom holds more than one: the first stands by itself.
#[derive(Debug)]
struct Queue<T> {
    first: Option<T>,
    /// Empty if there is no first.
    later: VecDeque<T>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Queue { first: None, later: VecDeque::new() }
    }
}

impl<T> Queue<T> {
    #[inline]
    fn push(&mut self, item: T) {
        match self.first {
            None => self.first = Some(item),
            Some(_) => self.later.push_back(item),
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        std::mem::replace(&mut self.first, self.later.pop_front())
    }

    #[inline]
    fn last_mut(&mut self) -> Option<&mut T> {
        self.later.back_mut().or(self.first.as_mut())
    }
}

impl Lanes {
    pub fn new(lanes: usize) -> Self {
        Lanes { lanes: (0..lanes).map(|_| Queue::default()).collect(), ..Lanes::default() }
    }

    /// Whether the replies that are expected from here on are dropped.
    pub fn mute(&mut self, muted: bool) {
        self.muted = muted;
    }

    /// One more reply will come on `lane`, after all that were expected before.
    #[inline]
    pub fn expect(&mut self, lane: u16) {
        self.waiting += 1;
        match self.order.last_mut() {
            Some(run) if run.lane == lane && run.muted == self.muted => run.count += 1,
            _ => self.order.push(Run { lane, count: 1, muted: self.muted }),
        }
    }

    /// Puts in something that answers no request, behind all replies that are expected so far, wanted or not.
    pub fn interject(&mut self, replies: Box<Replies>) {
        let muted = std::mem::replace(&mut self.muted, false);
        self.expect(replies.lane);
        self.muted = muted;
        self.put(replies);
    }

    /// Replies have come.
    #[inline]
    pub fn put(&mut self, replies: Box<Replies>) {
        self.held_bytes += replies.bytes.len();
        self.lanes[usize::from(replies.lane)].push(Chunk { replies, next: 0 });
    }

    /// Replies that were asked for and have not left.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Bytes of replies that came and cannot leave yet.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Appends to `out` every reply whose turn it is; `spent` gets each chunk that is used up.
    #[inline]
    pub fn drain(&mut self, out: &mut Vec<u8>, mut spent: impl FnMut(Box<Replies>)) {
        if self.waiting > 0 {
            match self.take_whole() {
                Some(replies) => {
                    out.extend_from_slice(&replies.bytes);
                    spent(replies);
                }
                None => self.drain_waiting(out, spent),
            }
        }
    }

    /// The replies to one batch if they are all that is waited for, as they mostly are: they leave whole.
    #[inline]
    fn take_whole(&mut self) -> Option<Box<Replies>> {
        let run = self.order.first.as_ref()?;
        let lane = &mut self.lanes[usize::from(run.lane)];
        let chunk = lane.first.as_ref()?;
        let is_all = run.count as usize == self.waiting && chunk.replies.ends.len() == self.waiting;
        if !is_all || chunk.next > 0 || run.muted {
            return None;
        }
        (self.waiting, self.held_bytes, self.order.first) = (0, 0, None);
        lane.pop().map(|chunk| chunk.replies)
    }

    fn drain_waiting(&mut self, out: &mut Vec<u8>, mut spent: impl FnMut(Box<Replies>)) {
        while let Some(run) = &mut self.order.first {
            let lane = &mut self.lanes[usize::from(run.lane)];
            let Some(chunk) = &mut lane.first else {
                return;
            };
            let taken = chunk.left().min(run.count as usize);
            let start = chunk.start();
            chunk.next += taken;
            let bytes = &chunk.replies.bytes[start..chunk.start()];
            if !run.muted {
                out.extend_from_slice(bytes);
            }
            self.held_bytes -= bytes.len();
            self.waiting -= taken;
            run.count -= taken as u32;
            let is_run_over = run.count == 0;
            if chunk.left() == 0
                && let Some(chunk) = lane.pop()
            {
                spent(chunk.replies);
            }
            if is_run_over {
                self.order.pop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replies(lane: u16, texts: &[&str]) -> Box<Replies> {
        let mut replies = Box::new(Replies { lane, ..Replies::default() });
        for text in texts {
            replies.bytes.extend_from_slice(text.as_bytes());
            replies.ends.push(replies.bytes.len());
        }
        replies
    }

    fn drained(lanes: &mut Lanes) -> String {
        let mut out = Vec::new();
        lanes.drain(&mut out, |_| {});
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn replies_leave_in_request_order_whatever_order_they_come_in() {
        let mut lanes = Lanes::new(3);
        for lane in [0, 0, 2, 1, 0, 1] {
            lanes.expect(lane);
        }
        lanes.put(replies(1, &["d", "f"]));
        assert_eq!(drained(&mut lanes), "");
        lanes.put(replies(0, &["a", "b", "e"]));
        assert_eq!(drained(&mut lanes), "ab");
        assert_eq!((lanes.waiting(), lanes.held_bytes()), (4, 3));
        lanes.put(replies(2, &["c"]));
        assert_eq!(drained(&mut lanes), "cdef");
        assert_eq!((lanes.waiting(), lanes.held_bytes()), (0, 0));
    }

    #[test]
    fn muted_replies_are_dropped_in_their_turn() {
        let mut lanes = Lanes::new(2);
        for (lane, muted) in [(0, false), (0, true), (1, true), (0, false)] {
            lanes.mute(muted);
            lanes.expect(lane);
        }
        lanes.put(replies(0, &["a", "b", "d"]));
        assert_eq!(drained(&mut lanes), "a");
        lanes.put(replies(1, &["c"]));
        assert_eq!(drained(&mut lanes), "d");
        assert_eq!((lanes.waiting(), lanes.held_bytes()), (0, 0));
    }

    #[test]
    fn an_interjection_waits_for_the_replies_before_it() {
        let mut lanes = Lanes::new(2);
        lanes.expect(0);
        lanes.mute(true);
        lanes.interject(replies(1, &["x"]));
        lanes.expect(0);
        lanes.put(replies(0, &["a"]));
        assert_eq!(drained(&mut lanes), "ax");
    }

    #[test]
    fn a_lane_may_answer_in_several_chunks() {
        let mut lanes = Lanes::new(1);
        for _ in 0..4 {
            lanes.expect(0);
        }
        lanes.put(replies(0, &["a"]));
        lanes.put(replies(0, &["b", "c"]));
        assert_eq!(drained(&mut lanes), "abc");
        lanes.put(replies(0, &["d"]));
        assert_eq!(drained(&mut lanes), "d");
    }
}
