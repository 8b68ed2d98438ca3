//! Which keys go when memory is short.
//!
//! ```text
//!   volatile-ttl      the nearest deadline of all, exactly                    database/nearest.rs
//!   …-lru, …-lfu      the best of a sample and of the best seen before        database/sample.rs, Pool
//!   …-random          any
//! ```
//!
//! As in Redis, lru and lfu look at a few keys at random (`maxmemory-samples`) and remember the best of those that did
//! not go: the pool makes five samples about as good as a list of all keys. Here: what goes next. Whether something has
//! to go is the caller's business, who knows the limit.

use crate::access::AccessPolicy;
use crate::database::{Database, Nearness};
use crate::entry::EntryId;
use crate::keyspace::Keyspace;
use crate::time::UnixMillis;

/// What is evicted when memory is short. Redis' names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum EvictionPolicy {
    /// Nothing.
    #[default]
    Noeviction,
    /// Any key.
    AllkeysRandom,
    /// The keys that were not used for longest.
    AllkeysLru,
    /// The keys that are used least often.
    AllkeysLfu,
    /// Any key with a deadline.
    VolatileRandom,
    /// Of the keys with a deadline those that were not used for longest.
    VolatileLru,
    /// Of the keys with a deadline those that are used least often.
    VolatileLfu,
    /// The keys whose deadlines are nearest.
    VolatileTtl,
}

impl EvictionPolicy {
    /// Whether keys without a deadline are safe.
    pub fn is_volatile(self) -> bool {
        use EvictionPolicy::*;
        matches!(self, VolatileRandom | VolatileLru | VolatileLfu | VolatileTtl)
    }

    fn is_random(self) -> bool {
        matches!(self, EvictionPolicy::AllkeysRandom | EvictionPolicy::VolatileRandom)
    }
}

/// What [`Keyspace::evict`] came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Eviction {
    /// A key was evicted.
    Evicted,
    /// The nearest deadline is being searched: it takes more steps.
    Searching,
    /// There is no key that the policy lets go.
    Nothing,
}

/// Candidates that are remembered, as many as in Redis.
const POOL_MAX: usize = 16;

/// Keys that were seen and would go next: worst first.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    policy: EvictionPolicy,
    candidates: Vec<Candidate>,
    /// The database that gives the next key at random.
    next_database: usize,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    /// The higher, the sooner it goes.
    score: u64,
    database: u16,
    /// Of its key.
    hash: u64,
}

impl Pool {
    fn add(&mut self, candidate: Candidate) {
        let Candidate { score, database, hash } = candidate;
        let is_known = |known: &Candidate| known.hash == hash && known.database == database;
        if self.candidates.iter().any(is_known) {
            return;
        }
        let place = self.candidates.partition_point(|known| known.score < score);
        if self.candidates.len() < POOL_MAX {
            self.candidates.insert(place, candidate);
        } else if place > 0 {
            self.candidates[..place].rotate_left(1);
            self.candidates[place - 1] = candidate;
        }
    }

    /// Forgets all candidates: what they say holds no more.
    pub(crate) fn clear(&mut self) {
        self.candidates.clear();
    }
}

/// How soon a key goes.
fn score(database: &Database, id: EntryId, access: AccessPolicy, now: UnixMillis) -> u64 {
    match access {
        AccessPolicy::Recency => database.idle_seconds(id, now),
        AccessPolicy::Frequency { .. } => u64::from(u8::MAX - database.frequency(id, now)),
    }
}

impl Keyspace {
    /// Evicts the key that is next by `policy`. lru and lfu go by what the [`AccessPolicy`] keeps, and look at about
    /// `samples` keys of each database; a search takes one of `steps` for every entry it looks at, everything else
    /// takes one. `on_evicted` is called with the database and the key before it goes.
    pub fn evict(
        &mut self,
        policy: EvictionPolicy,
        samples: usize,
        now: UnixMillis,
        random: u64,
        steps: &mut usize,
        on_evicted: &mut dyn FnMut(u16, &[u8]),
    ) -> Eviction {
        if self.pool.policy != policy {
            self.pool = Pool { policy, ..Pool::default() };
            self.forget_nearest();
        }
        let found = match policy {
            EvictionPolicy::Noeviction => None,
            EvictionPolicy::VolatileTtl => match self.nearest(steps) {
                Ok(found) => found,
                Err(Searching) => return Eviction::Searching,
            },
            policy if policy.is_random() => self.any(policy, now, random),
            policy => self.best(policy, samples, now, random),
        };
        *steps = steps.saturating_sub(1);
        let Some((index, id)) = found else { return Eviction::Nothing };
        on_evicted(index, self.database(index).key(id));
        self.database_mut(index).remove(id);
        self.stats_mut().evicted += 1;
        Eviction::Evicted
    }

    /// Forgets what would be evicted next: there is no limit any more.
    pub fn forget_candidates(&mut self) {
        self.pool.clear();
        self.forget_nearest();
    }

    /// Keys that a policy lets go.
    pub fn evictable(&self, policy: EvictionPolicy) -> usize {
        match policy {
            EvictionPolicy::Noeviction => 0,
            policy if policy.is_volatile() => self.used().map(Database::len_with_deadline).sum(),
            _ => self.used().map(Database::len).sum(),
        }
    }

    /// Removes one key that is due, if one is at hand; false if none is. What else the wheel has to do it does with
    /// [`Keyspace::reclaim`].
    pub fn expire_one(
        &mut self,
        now: UnixMillis,
        on_expired: &mut dyn FnMut(u16, &[u8], UnixMillis),
    ) -> bool {
        (0..self.used().count()).any(|index| self.expire_in(index, now, on_expired))
    }

    fn nearest(&mut self, steps: &mut usize) -> Result<Option<(u16, EntryId)>, Searching> {
        let mut nearest: Option<(u64, u16, EntryId)> = None;
        for index in 0..self.used().count() as u16 {
            match self.database_mut(index).nearest(steps) {
                Nearness::Nothing => {}
                Nearness::Searching => return Err(Searching),
                Nearness::Found(deadline, id) if nearest.is_none_or(|(other, ..)| deadline < other) => {
                    nearest = Some((deadline, index, id));
                }
                Nearness::Found(..) => {}
            }
        }
        Ok(nearest.map(|(_, index, id)| (index, id)))
    }

    /// Any key. The databases take turns, as in Redis.
    fn any(&mut self, policy: EvictionPolicy, now: UnixMillis, random: u64) -> Option<(u16, EntryId)> {
        let count = self.used().count();
        for turn in 0..count {
            let index = (self.pool.next_database + turn) % count;
            let mut seen = Vec::new();
            let database = self.database(index as u16);
            if database.is_empty() {
                continue;
            }
            database.sample(random, 1, policy.is_volatile(), now, &mut |id| seen.push(id));
            if !seen.is_empty() {
                self.pool.next_database = index + 1;
                return Some((index as u16, seen[(random % seen.len() as u64) as usize]));
            }
        }
        None
    }

    /// The best of a sample of each database and of those seen before.
    fn best(
        &mut self,
        policy: EvictionPolicy,
        samples: usize,
        now: UnixMillis,
        random: u64,
    ) -> Option<(u16, EntryId)> {
        let access = self.access_policy();
        let mut pool = std::mem::take(&mut self.pool);
        for (database, index) in self.used().zip(0..).filter(|(database, _)| !database.is_empty()) {
            database.sample(random, samples, policy.is_volatile(), now, &mut |id| {
                let hash = database.hash_of(id);
                pool.add(Candidate { score: score(database, id, access, now), database: index, hash });
            });
        }
        self.pool = pool;
        // Of those seen just now every one is as it was.
        while let Some(Candidate { score: seen, database: index, hash }) = self.pool.candidates.pop() {
            let database = self.database(index);
            let Some(number) = database.entry_of(hash) else { continue };
            let id = EntryId(number);
            let has_deadline = database.deadline(id).is_some();
            if score(database, id, access, now) >= seen && (has_deadline || !policy.is_volatile()) {
                return Some((index, id));
            }
        }
        None
    }
}

/// A search takes more steps.
struct Searching;
