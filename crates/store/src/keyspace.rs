//! One shard's data: its logical databases, and the reclaiming of what is expired or removed.

use crate::access::AccessPolicy;
use crate::database::{Database, ExpiryTurn};
use crate::eviction::Pool;
use crate::key::KeyHasher;
use crate::packed::PackedLimits;
use crate::sampling::Sampling;
use crate::stats::KeyspaceStats;
use crate::time::UnixMillis;

/// How a keyspace is set up.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Logical databases.
    pub databases: u16,
    /// Fields up to which a hash stays packed in one allocation.
    pub packed_fields_max: u32,
    /// Bytes up to which that allocation grows, key and all fields included.
    pub packed_bytes_max: u32,
    /// What is kept of the use of a hash.
    pub access: AccessPolicy,
    /// Calls for each one that is looked at to find hot keys; 0 looks at none.
    pub hot_key_sample_calls: u32,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions {
            databases: 16,
            packed_fields_max: 128,
            packed_bytes_max: 4096,
            access: AccessPolicy::default(),
            hot_key_sample_calls: 256,
        }
    }
}

impl StoreOptions {
    fn limits(&self) -> PackedLimits {
        PackedLimits {
            fields_max: self.packed_fields_max as usize,
            bytes_max: self.packed_bytes_max as usize,
        }
    }
}

/// What one [`Keyspace::reclaim`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reclaimed {
    /// Keys expired by the wheel.
    pub expired: usize,
    /// Steps taken: keys expired, entries placed again, pieces freed.
    pub steps: usize,
    /// There is more to do at the same time: call again at once.
    pub more: bool,
}

/// One shard's keyspace.
#[derive(Debug)]
pub struct Keyspace {
    databases: Vec<Database>,
    stats: KeyspaceStats,
    /// Databases from here on were never opened to change them: they are empty.
    touched: usize,
    access: AccessPolicy,
    /// The database that `reclaim` begins with, so that none waits for another for ever.
    first: usize,
    /// How often databases have changed places.
    swaps: u64,
    /// Keys that would be evicted next.
    pub(crate) pool: Pool,
    /// Which keys are called most.
    sampling: Sampling,
}

impl Keyspace {
    /// An empty keyspace. All keyspaces of a process share one hasher.
    #[allow(clippy::needless_pass_by_value)] // what a keyspace is made from is its own
    pub fn new(options: StoreOptions, hasher: KeyHasher) -> Self {
        let database = |_| Database::new(hasher.clone(), options.limits(), options.access);
        Keyspace {
            databases: (0..options.databases).map(database).collect(),
            stats: KeyspaceStats::default(),
            touched: 0,
            access: options.access,
            first: 0,
            swaps: 0,
            pool: Pool::default(),
            // Any number that differs from process to process.
            sampling: Sampling::new(options.hot_key_sample_calls, hasher.hash(b"sampling")),
        }
    }

    /// Changes the limits of packed hashes, for what is set from now on.
    pub fn set_packed_limits(&mut self, fields_max: u32, bytes_max: u32) {
        let limits = PackedLimits { fields_max: fields_max as usize, bytes_max: bytes_max as usize };
        self.databases.iter_mut().for_each(|database| database.set_limits(limits));
    }

    /// What is kept of the use of a hash.
    #[inline]
    pub fn access_policy(&self) -> AccessPolicy {
        self.access
    }

    /// Changes it, for uses from now on.
    #[inline]
    pub fn set_access_policy(&mut self, policy: AccessPolicy) {
        if policy != self.access {
            self.access = policy;
            self.pool.clear();
            self.databases.iter_mut().for_each(|database| database.set_access_policy(policy));
        }
    }

    /// Samples the calls of this shard. It goes where the data goes, so that who has the data knows its hot keys.
    #[inline]
    pub fn sampling_mut(&mut self) -> &mut Sampling {
        &mut self.sampling
    }

    /// Logical databases.
    pub fn databases(&self) -> u16 {
        self.databases.len() as u16
    }

    /// A database, by an index below [`databases`](Keyspace::databases).
    #[inline]
    pub fn database(&self, index: u16) -> &Database {
        &self.databases[usize::from(index)]
    }

    /// A database, by an index below [`databases`](Keyspace::databases).
    #[inline]
    pub fn database_mut(&mut self, index: u16) -> &mut Database {
        let index = usize::from(index);
        self.touched = self.touched.max(index + 1);
        &mut self.databases[index]
    }

    /// Two databases change places.
    pub fn swap_databases(&mut self, a: u16, b: u16) {
        self.touched = self.touched.max(usize::from(a.max(b)) + 1);
        self.databases.swap(usize::from(a), usize::from(b));
        self.pool.clear();
        self.swaps += u64::from(a != b);
    }

    /// How often two databases have changed places.
    pub fn swaps(&self) -> u64 {
        self.swaps
    }

    /// Removes all keys of a database: at once for every observer, the memory in pieces, by
    /// [`reclaim`](Keyspace::reclaim).
    pub fn flush(&mut self, index: u16) {
        self.database_mut(index).flush();
    }

    /// The earliest instant at which [`reclaim`](Keyspace::reclaim) has something to do; the epoch if it has
    /// already (something waits to be freed or reported), `None` if nothing is scheduled.
    pub fn next_reclaim(&self) -> Option<UnixMillis> {
        // Asked after every batch, while most applications stay in one database.
        let touched = &self.databases[..self.touched];
        if touched.iter().any(Database::has_remains) {
            return Some(UnixMillis(0));
        }
        touched.iter().filter_map(Database::next_turn).min()
    }

    /// One slice of expiry and freeing, of at most `steps_max` steps: a key expired, an entry of the wheel placed
    /// again, a piece of something large freed. What is due comes first. With nothing to do at `now` it does
    /// nothing.
    ///
    /// Calls `on_expired` with the database, the key and the deadline of every key that expires; first, outside
    /// the count of steps, for those that accesses have found
    /// (see [`take_expired_on_access`](Keyspace::take_expired_on_access)).
    pub fn reclaim(
        &mut self,
        now: UnixMillis,
        steps_max: usize,
        on_expired: &mut dyn FnMut(u16, &[u8], UnixMillis),
    ) -> Reclaimed {
        self.take_expired_on_access(on_expired);
        let mut done = Reclaimed::default();
        let count = self.databases.len();
        self.first = (self.first + 1) % count.max(1);
        for index in (self.first..count).chain(0..self.first) {
            let database = &mut self.databases[index];
            while done.steps < steps_max {
                match database.turn(now, &mut |key, deadline| on_expired(index as u16, key, deadline)) {
                    ExpiryTurn::Idle => break,
                    ExpiryTurn::Placed => {}
                    ExpiryTurn::Expired(deadline) => {
                        done.expired += 1;
                        self.stats.expiry_lag.count(now.ticks().saturating_sub(deadline.ticks()));
                    }
                }
                done.steps += 1;
            }
        }
        done.steps += self.free_pieces(steps_max - done.steps);
        self.stats.expired_by_wheel += done.expired as u64;
        done.more = done.steps >= steps_max && self.next_reclaim().is_some_and(|next| next <= now);
        done
    }

    /// Takes wheels that are ahead of the time back to it: what is due is judged by `now` from here on. For who has
    /// put back what was kept under a clock that was ahead.
    pub fn turn_back(&mut self, now: UnixMillis) {
        self.databases.iter_mut().for_each(|database| database.turn_back(now));
    }

    /// Frees at most so many pieces of what was removed; how many it were. Part of
    /// [`reclaim`](Keyspace::reclaim), alone for who may not let anything expire.
    pub fn free_pieces(&mut self, pieces_max: usize) -> usize {
        let mut pieces = 0;
        for database in &mut self.databases {
            while pieces < pieces_max && database.free_piece() {
                pieces += 1;
            }
        }
        pieces
    }

    /// Reports the keys that accesses have found past their deadline, before the wheel came to them: database,
    /// key and deadline. [`reclaim`](Keyspace::reclaim) does it, too; a caller that wants the event in order with
    /// its commands asks after each of them.
    pub fn take_expired_on_access(&mut self, on_expired: &mut dyn FnMut(u16, &[u8], UnixMillis)) {
        for (database, index) in self.databases.iter_mut().zip(0..) {
            for (key, deadline) in database.take_expired_on_access() {
                self.stats.expired_on_access += 1;
                on_expired(index, &key, deadline);
            }
        }
    }

    /// What this shard has counted; keys expired on access count when they are reported.
    pub fn stats(&self) -> &KeyspaceStats {
        &self.stats
    }

    /// The counters, to be drained or reset.
    pub fn stats_mut(&mut self) -> &mut KeyspaceStats {
        &mut self.stats
    }

    /// Bytes allocated for all databases, see [`Database::bytes`]. In constant time.
    pub fn bytes(&self) -> usize {
        self.databases.iter().map(Database::bytes).sum()
    }

    /// Of the [`bytes`](Keyspace::bytes) those that hold something: what a limit of memory is compared with. The rest
    /// is room for the next entries, see [`Database::vacant_bytes`].
    #[inline]
    pub fn used_bytes(&self) -> usize {
        self.used().map(|database| database.bytes() - database.vacant_bytes()).sum()
    }

    /// The databases that may hold something.
    pub(crate) fn used(&self) -> impl Iterator<Item = &Database> {
        self.databases[..self.touched].iter()
    }

    /// Removes a key of a database that is due, if the wheel has one at hand.
    pub(crate) fn expire_in(
        &mut self,
        index: usize,
        now: UnixMillis,
        on_expired: &mut dyn FnMut(u16, &[u8], UnixMillis),
    ) -> bool {
        let expired =
            self.databases[index].turn(now, &mut |key, deadline| on_expired(index as u16, key, deadline));
        let ExpiryTurn::Expired(deadline) = expired else { return false };
        self.stats.expiry_lag.count(now.ticks().saturating_sub(deadline.ticks()));
        self.stats.expired_by_wheel += 1;
        true
    }

    /// Keeps no keys in the order of their deadlines any more.
    pub(crate) fn forget_nearest(&mut self) {
        self.databases.iter_mut().for_each(Database::forget_nearest);
    }

    /// Keys that are due at `now` and not yet removed. An upper bound: a key whose deadline has moved later while
    /// its slot in the wheel comes due counts until it is placed again.
    pub fn backlog(&self, now: UnixMillis) -> usize {
        self.databases.iter().map(|database| database.backlog(now)).sum()
    }

    /// Asserts all invariants of the crate, in time proportional to the content; between commands only.
    pub fn check(&self) {
        self.databases.iter().for_each(Database::check);
    }
}
