//! The limit of memory: `maxmemory`, split over the shards.
//!
//! ```text
//!                      leased, all shards together ≤ bytes_max
//!            ┌────────────────────┬───────────────┬─────────────────┐
//!   shard 0  │ used … │ rest      │               │                 │     a lease is what the shard uses,
//!            └────────────────────┴───────────────┴─────────────────┘     rounded up to whole steps
//! ```
//!
//! **No shard has a share.** Fixed shares would refuse writes on one shard while another has room. So a shard leases what
//! it uses, in steps, from one total that all see. A lease is never below what is used: while the total is within the
//! limit, memory is. Most calls change no lease and read one number. What is lost to rounding is at most a 64th of the
//! limit.
//!
//! **Who evicts.** A shard that is asked to write while the total is past the limit makes room first: it removes what is
//! due, frees what was removed, then evicts keys of its own. Keys lie on shards by their hash, so those of one are
//! as good a choice as those of all. Only when it has none left that the policy lets go do the others help
//! ([`Work::Relieve`](crate::Work)), in slices beside their own work; nobody waits for them, and the write runs. It
//! is refused when no shard has any.
//!
//! **How much at a time.** A call takes at most [`STEPS_MAX`] steps, of about a microsecond, and [`STEPS_FAR_MAX`] while
//! memory is past the limit by more than a 32nd. What is left then, the shard does in its slices of expiry.
//!
//! Counted is what keys, values, their index and their timers use ([`Keyspace::used_bytes`]). Room inside chunks of
//! memory that are partly used is not, since the next entries fill it; neither are buffers of clients, which have
//! limits of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use fastrand::Rng;
use mayfly_command::{Changes, Class, ShardId};
use mayfly_store::{Eviction, EvictionPolicy, Keyspace, UnixMillis};

/// Steps of a call: keys expired or evicted, pieces freed, entries looked at in the search for the nearest deadline.
const STEPS_MAX: usize = 256;
/// Steps of a call while memory is far past the limit.
const STEPS_FAR_MAX: usize = 4_096;
/// Past the limit by more than this part of it is far.
const FAR_PART: u64 = 32;
/// A lease is of whole steps: of this part of the limit over all shards, and at most so many bytes.
const LEASES: u64 = 64;
const LEASE_BYTES_MAX: u64 = 64 << 10;

/// What a write is answered while there is no room.
pub const OUT_OF_MEMORY: &str = "OOM command not allowed when used memory > 'maxmemory'.";

/// The limit, from the config.
#[derive(Clone, Debug, Default)]
pub struct MemoryOptions {
    /// Bytes that all shards together may use; 0: no limit.
    pub bytes_max: u64,
    /// What goes when they are used up.
    pub policy: EvictionPolicy,
    /// Keys that lru and lfu look at before one goes.
    pub samples: usize,
}

impl MemoryOptions {
    /// Whether there is a limit.
    #[inline]
    pub fn is_limited(&self) -> bool {
        self.bytes_max > 0
    }
}

/// What all shards of a process use together. Clones are the same.
#[derive(Clone, Debug)]
pub struct SharedMemory(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bytes_max: AtomicU64,
    /// Sum of all leases.
    leased: AtomicU64,
    places: Box<[Place]>,
}

/// What the others see of a shard.
#[derive(Debug, Default)]
struct Place {
    leased: AtomicU64,
    /// Keys that it could evict.
    evictable: AtomicU64,
    /// It was asked to help, and has not come to an end with it.
    is_called: AtomicBool,
}

impl Default for SharedMemory {
    /// That of a single shard.
    fn default() -> Self {
        SharedMemory::new(1)
    }
}

impl SharedMemory {
    /// That of so many shards.
    pub fn new(shards: u16) -> Self {
        SharedMemory(Arc::new(Shared {
            bytes_max: AtomicU64::new(0),
            leased: AtomicU64::new(0),
            places: (0..shards).map(|_| Place::default()).collect(),
        }))
    }

    /// Whether writes are refused at the moment: memory is past the limit and nothing can be evicted.
    pub fn is_full(&self) -> bool {
        self.excess() > 0 && !self.is_any_evictable()
    }

    fn is_any_evictable(&self) -> bool {
        self.0.places.iter().any(|place| place.evictable.load(Relaxed) > 0)
    }

    /// There is no limit any more.
    pub(crate) fn lift(&self) {
        self.0.bytes_max.store(0, Relaxed);
    }

    /// Bytes leased past the limit.
    fn excess(&self) -> u64 {
        match self.0.bytes_max.load(Relaxed) {
            0 => 0,
            bytes_max => self.0.leased.load(Relaxed).saturating_sub(bytes_max),
        }
    }

    /// Sets what a shard has leased.
    fn lease(&self, shard: ShardId, bytes: u64) {
        let before = self.0.places[shard.index()].leased.swap(bytes, Relaxed);
        self.0.leased.fetch_add(bytes.wrapping_sub(before), Relaxed);
    }
}

/// What came of making room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Room {
    /// There is room.
    Enough,
    /// Not yet: there are more keys to evict here.
    Later,
    /// Not yet: other shards have keys to evict, those at hand have none.
    Elsewhere,
    /// There is none, and no key may go.
    Nothing,
}

/// Keeps what shards use within the limit. It is there only where there is a limit.
#[derive(Clone, Copy)]
pub struct Keeper<'a> {
    options: &'a MemoryOptions,
    shared: &'a SharedMemory,
}

impl<'a> Keeper<'a> {
    /// The keeper of a limit, if there is one.
    #[inline]
    pub fn of(options: &'a MemoryOptions, shared: &'a SharedMemory) -> Option<Self> {
        options.is_limited().then_some(Keeper { options, shared })
    }

    /// Notes what a shard uses; whether memory is within the limit.
    pub fn is_within(self, shard: ShardId, keyspace: &Keyspace) -> bool {
        let shared = &*self.shared.0;
        let step = (self.options.bytes_max / LEASES / shared.places.len() as u64).clamp(1, LEASE_BYTES_MAX);
        let wanted = (keyspace.used_bytes() as u64).next_multiple_of(step);
        if wanted != shared.places[shard.index()].leased.load(Relaxed) {
            self.shared.lease(shard, wanted);
        }
        self.shared.excess() == 0
    }

    /// Notes what a shard uses, and what it could give.
    pub fn note(self, shard: ShardId, keyspace: &Keyspace) {
        self.is_within(shard, keyspace);
        let (evictable, place) =
            (keyspace.evictable(self.options.policy) as u64, &self.shared.0.places[shard.index()]);
        if evictable != place.evictable.load(Relaxed) {
            place.evictable.store(evictable, Relaxed);
        }
    }

    /// Begins to keep a shard to the limit.
    pub fn begin(self, shard: ShardId) {
        self.shared.0.bytes_max.store(self.options.bytes_max, Relaxed);
        self.uncall(shard);
    }

    /// Makes room on the shards at hand before a write.
    pub fn make_room(self, task: &mut MakeRoom<'_>, keyspaces: &mut [(ShardId, &mut Keyspace)]) -> Room {
        let is_far = self.shared.excess() > self.options.bytes_max / FAR_PART;
        let mut steps = if is_far { STEPS_FAR_MAX } else { STEPS_MAX };
        self.evict(task, keyspaces, &mut steps)
    }

    /// One slice of making room on a shard beside its own work; it is over unless this says [`Room::Later`].
    pub fn relieve(
        self,
        task: &mut MakeRoom<'_>,
        shard: ShardId,
        keyspace: &mut Keyspace,
        steps: &mut usize,
    ) -> Room {
        if self.is_within(shard, keyspace) {
            self.uncall(shard);
            return Room::Enough;
        }
        let room = match self.evict_own(task, shard, keyspace, steps) {
            Eviction::Nothing => Room::Nothing,
            _ if self.is_within(shard, keyspace) => Room::Enough,
            _ => Room::Later,
        };
        if room != Room::Later {
            self.uncall(shard);
        }
        room
    }

    /// The shards that are to help, since the ones at hand have nothing to evict. Each is named until it has helped.
    pub fn call_helpers(self) -> impl Iterator<Item = ShardId> {
        let places = self.shared.0.places.iter().enumerate();
        let able = places.filter(|(_, place)| place.evictable.load(Relaxed) > 0);
        let called = able.filter(|(_, place)| !place.is_called.swap(true, Relaxed));
        called.map(|(index, _)| ShardId(index as u16))
    }

    fn uncall(self, shard: ShardId) {
        self.shared.0.places[shard.index()].is_called.store(false, Relaxed);
    }

    fn evict(
        self,
        task: &mut MakeRoom<'_>,
        keyspaces: &mut [(ShardId, &mut Keyspace)],
        steps: &mut usize,
    ) -> Room {
        // From the one that uses most.
        keyspaces.sort_by_key(|(_, keyspace)| std::cmp::Reverse(keyspace.used_bytes()));
        for (shard, keyspace) in keyspaces {
            match self.evict_own(task, *shard, keyspace, steps) {
                Eviction::Nothing => {}
                _ if self.shared.excess() == 0 => return Room::Enough,
                _ => return Room::Later,
            }
        }
        if self.shared.is_any_evictable() { Room::Elsewhere } else { Room::Nothing }
    }

    /// Evicts keys of one shard, until memory is within the limit, the steps are used up or nothing is left.
    fn evict_own(
        self,
        task: &mut MakeRoom<'_>,
        shard: ShardId,
        keyspace: &mut Keyspace,
        steps: &mut usize,
    ) -> Eviction {
        let MemoryOptions { policy, samples, .. } = *self.options;
        while *steps > 0 {
            let (now, changes) = (task.now, &mut *task.changes);
            let mut expired =
                |database, key: &[u8], _| changes.report(database, Class::Expired, "expired", key);
            // What is due goes first, then what is gone already.
            let is_reclaimed = keyspace.expire_one(now, &mut expired) || keyspace.free_pieces(1) > 0;
            if is_reclaimed {
                *steps -= 1;
            } else {
                let random = task.random.u64(..);
                let mut evicted = |database, key: &[u8]| changes.evict(database, key);
                match keyspace.evict(policy, samples, now, random, steps, &mut evicted) {
                    Eviction::Evicted => {}
                    other => {
                        // The others see whether it has any left.
                        self.note(shard, keyspace);
                        return other;
                    }
                }
            }
            if self.is_within(shard, keyspace) {
                break;
            }
        }
        Eviction::Evicted
    }
}

/// What it takes to make room.
pub struct MakeRoom<'a> {
    /// The instant of the batch.
    pub now: UnixMillis,
    /// Where it is told what goes.
    pub changes: &'a mut Changes,
    /// Chance.
    pub random: &'a mut Rng,
}
