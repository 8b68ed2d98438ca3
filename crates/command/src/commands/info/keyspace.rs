//! What the shards hold and have counted, summed up.

use mayfly_store::{Database, Keyspace, UnixMillis};

use crate::host::ShardFacts;

/// Sums over all shards.
pub(super) struct Totals {
    pub used_bytes: usize,
    pub held_bytes: usize,
    /// Of the bytes used those of index and timers.
    pub overhead_bytes: usize,
    pub expired_by_wheel: u64,
    pub expired_on_access: u64,
    pub evicted: u64,
    pub backlog: usize,
    pub hits: u64,
    pub misses: u64,
    pub databases: Vec<DatabaseTotals>,
    /// Keys and bytes in use of each shard.
    pub shards: Vec<(usize, usize)>,
}

/// Sums of one logical database.
#[derive(Clone, Copy, Default)]
pub(super) struct DatabaseTotals {
    pub keys: usize,
    pub with_deadline: usize,
    ttl_sum_ms: u128,
}

impl Totals {
    pub fn new(databases: u16) -> Self {
        Totals {
            used_bytes: 0,
            held_bytes: 0,
            overhead_bytes: 0,
            expired_by_wheel: 0,
            expired_on_access: 0,
            evicted: 0,
            backlog: 0,
            hits: 0,
            misses: 0,
            databases: vec![DatabaseTotals::default(); usize::from(databases)],
            shards: Vec::new(),
        }
    }

    /// Adds one shard.
    pub fn add(&mut self, keyspace: &Keyspace, now: UnixMillis) {
        self.backlog += keyspace.backlog(now);
        let stats = keyspace.stats();
        let used_bytes = keyspace.used_bytes();
        let keys = (0..keyspace.databases()).map(|index| keyspace.database(index).len());
        self.shards.push((keys.sum(), used_bytes));
        self.used_bytes += used_bytes;
        self.held_bytes += keyspace.bytes();
        self.expired_by_wheel += stats.expired_by_wheel;
        self.expired_on_access += stats.expired_on_access;
        self.evicted += stats.evicted;
        self.hits += stats.hits;
        self.misses += stats.misses;
        for (totals, index) in self.databases.iter_mut().zip(0..keyspace.databases()) {
            let database = keyspace.database(index);
            self.overhead_bytes += database.index_bytes() + database.timer_bytes();
            totals.add(database, now);
        }
    }

    /// Takes away what was counted before the statistics were reset.
    pub fn subtract(&mut self, before: ShardFacts) {
        self.expired_by_wheel -= before.expired_by_wheel;
        self.expired_on_access -= before.expired_on_access;
        self.evicted -= before.evicted;
        self.hits -= before.hits;
        self.misses -= before.misses;
    }
}

impl DatabaseTotals {
    /// Mean time to live of the keys that have a deadline.
    pub fn average_ttl_ms(&self) -> u128 {
        self.ttl_sum_ms.checked_div(self.with_deadline as u128).unwrap_or(0)
    }

    fn add(&mut self, database: &Database, now: UnixMillis) {
        let (keys, with_deadline) = (database.live_len(now), database.len_with_deadline());
        // Every key that is due has a deadline; what is left of its time is next to nothing.
        self.with_deadline += with_deadline - (database.len() - keys);
        self.keys += keys;
        self.ttl_sum_ms += u128::from(database.average_ttl_ms(now)) * with_deadline as u128;
    }
}
