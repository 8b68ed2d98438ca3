//! The queue from all shards to the disk's thread.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::measures::Measures;
use super::snapshots::Snapshots;
use crate::inbox::ShardPeer;
use crate::shard::Resume;

/// With so many bytes in the queue the disk's thread begins at once instead of gathering more.
const GATHER_BYTES_MAX: usize = 1 << 20;

/// Bytes of slices that may wait before shards make more.
const SLICES_BYTES_MAX: usize = 4 << 20;

/// What the disk's thread is told besides records.
#[derive(Debug)]
pub enum Order {
    /// Begin a snapshot. Databases had changed places so often before this was said.
    Begin(u64),
    /// A record for the snapshot of this generation.
    Slice(u64, Vec<u8>),
    /// A shard has handed out all its keys.
    End(u64),
    /// It is worth nothing: two databases have changed places.
    Swapped(u64),
    /// Look anew at what is to be done by itself.
    Look,
}

/// Records on their way to the disk, and how far it is with them.
#[derive(Debug)]
pub struct Queue {
    /// Whether replies wait for the disk.
    pub is_always: bool,
    waiting: Mutex<Waiting>,
    bell: Condvar,
    /// Records that the disk has for certain, of all that were ever handed over.
    synced: AtomicU64,
    /// So much waits for the disk that clients are read no further.
    is_full: AtomicBool,
    /// The disk takes nothing at the moment.
    is_sick: AtomicBool,
    /// Which snapshots are asked for or under way.
    pub snapshots: Snapshots,
    /// When the last one was finished, or the process was started; Unix seconds.
    pub last_save_seconds: AtomicI64,
    /// Changes that the last snapshot has, of all that this process has recorded.
    pub changes_saved: AtomicU64,
    /// What is measured on the way.
    pub measures: Measures,
    /// Times that it became full.
    delays: AtomicU64,
    bytes_max: usize,
    /// Of each shard, whether it holds something back.
    holding: Vec<AtomicBool>,
}

/// What waits for the disk's thread.
#[derive(Debug, Default)]
struct Waiting {
    bodies: Vec<Vec<u8>>,
    orders: Vec<Order>,
    /// Bytes of slices among them.
    slices_bytes: usize,
    /// What all bodies take that are not in the log; see [`held_bytes`].
    bytes: usize,
    /// Records that were ever handed over.
    handed: u64,
    /// The disk's thread waits for the bell.
    is_asleep: bool,
    /// Nothing comes any more.
    is_over: bool,
}

/// What a body takes in the queue: many are short, and what holds them counts as much.
pub fn held_bytes(body: &Vec<u8>) -> usize {
    size_of::<Vec<u8>>() + body.capacity()
}

impl Queue {
    /// An empty one for so many shards, of which about so many bytes may wait.
    pub fn new(shards: u16, is_always: bool, bytes_max: usize) -> Self {
        Queue {
            is_always,
            waiting: Mutex::default(),
            bell: Condvar::new(),
            synced: AtomicU64::new(0),
            is_full: AtomicBool::new(false),
            is_sick: AtomicBool::new(false),
            snapshots: Snapshots::default(),
            last_save_seconds: AtomicI64::new(0),
            changes_saved: AtomicU64::new(0),
            measures: Measures::new(shards),
            delays: AtomicU64::new(0),
            bytes_max,
            holding: (0..shards).map(|_| AtomicBool::new(false)).collect(),
        }
    }

    /// Hands a record over, behind those that it belongs together with, and says its number.
    pub fn hand(&self, before: &mut Vec<Vec<u8>>, body: Vec<u8>) -> u64 {
        let mut waiting = self.lock();
        let was_idle = waiting.bodies.is_empty();
        for body in before.drain(..).chain([body]) {
            waiting.bytes += held_bytes(&body);
            waiting.bodies.push(body);
            waiting.handed += 1;
        }
        let number = waiting.handed;
        if waiting.bytes > self.bytes_max && !self.is_full.swap(true, Relaxed) {
            self.delays.fetch_add(1, Relaxed);
        }
        let rings = waiting.is_asleep && (was_idle || waiting.bytes > GATHER_BYTES_MAX);
        drop(waiting);
        if rings {
            self.bell.notify_one();
        }
        number
    }

    /// Tells the disk's thread something.
    pub fn order(&self, order: Order) {
        let mut waiting = self.lock();
        if let Order::Slice(_, body) = &order {
            waiting.slices_bytes += body.len();
        }
        waiting.orders.push(order);
        drop(waiting);
        self.bell.notify_one();
    }

    /// Whether shards may make more slices.
    pub fn has_room_for_slices(&self) -> bool {
        self.lock().slices_bytes < SLICES_BYTES_MAX
    }

    /// Bytes that records take which are not in the log.
    pub fn waiting_bytes(&self) -> u64 {
        self.lock().bytes as u64
    }

    /// Times that clients were read no further since too much waited.
    pub fn delays(&self) -> u64 {
        self.delays.load(Relaxed)
    }

    /// The number of the record that was handed over last.
    pub fn handed(&self) -> u64 {
        self.lock().handed
    }

    /// The number of the last record that the disk has.
    pub fn synced(&self) -> u64 {
        self.synced.load(SeqCst)
    }

    /// Whether clients are to be read no further.
    pub fn is_full(&self) -> bool {
        // Of a sick disk nobody waits: writes are refused, and reads go on.
        self.is_full.load(Relaxed) && !self.is_sick()
    }

    /// Whether the disk takes nothing at the moment.
    pub fn is_sick(&self) -> bool {
        self.is_sick.load(Relaxed)
    }

    /// For the disk's thread: says how the disk is.
    pub fn set_sick(&self, is_sick: bool) {
        self.is_sick.store(is_sick, Relaxed);
    }

    /// Says whether a shard's thread holds something back, and is to be woken by a sync.
    pub fn is_holding(&self, shard: usize, holds: bool) {
        self.holding[shard].store(holds, SeqCst);
    }

    /// Says that nothing more comes.
    pub fn end(&self) {
        self.lock().is_over = true;
        self.bell.notify_one();
    }

    /// For the disk's thread: waits until there is something, at most so long; then gathers for a while, unless that is
    /// zero, and takes it all. False at the end.
    pub fn take(
        &self,
        into: &mut Vec<Vec<u8>>,
        orders: &mut Vec<Order>,
        patience: Option<Duration>,
        gather: Duration,
    ) -> bool {
        let mut waiting = self.lock();
        waiting.is_asleep = true;
        let is_idle = |waiting: &mut Waiting| {
            waiting.bodies.is_empty() && waiting.orders.is_empty() && !waiting.is_over
        };
        waiting = match patience {
            None => self.bell.wait_while(waiting, is_idle).unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                let result = self.bell.wait_timeout_while(waiting, patience, is_idle);
                result.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        if !gather.is_zero() && !waiting.bodies.is_empty() {
            let has_room = |waiting: &mut Waiting| waiting.bytes <= GATHER_BYTES_MAX && !waiting.is_over;
            let result = self.bell.wait_timeout_while(waiting, gather, has_room);
            waiting = result.unwrap_or_else(PoisonError::into_inner).0;
        }
        waiting.is_asleep = false;
        std::mem::swap(&mut waiting.bodies, into);
        std::mem::swap(&mut waiting.orders, orders);
        waiting.slices_bytes = 0;
        !waiting.is_over || !into.is_empty()
    }

    /// For the disk's thread: waits for a while. False where nothing more comes, and so nobody has time to wait.
    pub fn rest(&self, duration: Duration) -> bool {
        let goes_on = |waiting: &mut Waiting| !waiting.is_over;
        let result = self.bell.wait_timeout_while(self.lock(), duration, goes_on);
        !result.unwrap_or_else(PoisonError::into_inner).0.is_over
    }

    /// For the disk's thread: bodies that take so many bytes (see [`held_bytes`]) are in the log. Lets clients be read
    /// again.
    pub fn taken(&self, bytes: usize, shards: &[ShardPeer]) {
        let mut waiting = self.lock();
        waiting.bytes -= bytes;
        let has_room = waiting.bytes <= self.bytes_max / 2;
        drop(waiting);
        if has_room && self.is_full.swap(false, Relaxed) {
            for shard in shards {
                shard.address.do_send(Resume);
            }
        }
    }

    /// For the disk's thread: the disk has all records up to this number. Wakes who waits for it.
    pub fn has_synced(&self, number: u64, shards: &[ShardPeer]) {
        self.synced.store(number, SeqCst);
        for (shard, holding) in shards.iter().zip(&self.holding) {
            if holding.load(SeqCst) {
                shard.wake();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
