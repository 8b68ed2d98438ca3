//! The hot and the big keys of all shards in one order, for commands and for whoever else shows them.

use std::cmp::Reverse;

use mayfly_store::{BigKey, HotKey, Keyspace, UnixMillis};

/// What a shard knows of its hot keys.
#[derive(Debug)]
pub struct ShardHotKeys {
    keys: Vec<HotKey>,
    /// Calls of all keys, counted like those of each.
    calls: f64,
    /// The time in which they were counted.
    seconds: f64,
}

impl ShardHotKeys {
    /// At most `count` of this shard at `now`.
    pub fn of(keyspace: &mut Keyspace, count: usize, now: UnixMillis) -> Self {
        let hot_keys = keyspace.sampling_mut().hot_keys(now);
        ShardHotKeys {
            keys: hot_keys.top(count),
            calls: hot_keys.total(),
            seconds: hot_keys.window_seconds(now),
        }
    }
}

/// A hot key among those of all shards.
#[derive(Debug)]
pub struct RankedHotKey {
    /// Number of its shard.
    pub shard: u16,
    /// The key.
    pub key: HotKey,
    /// Calls a second.
    pub calls_per_second: f64,
    /// Of the calls of all keys of all shards, in percent.
    pub calls_percent: f64,
}

/// The keys that are called most, at most `count`, most first.
pub fn hottest(shards: impl IntoIterator<Item = (u16, ShardHotKeys)>, count: usize) -> Vec<RankedHotKey> {
    let (mut ranked, mut all) = (Vec::new(), 0.0);
    for (shard, ShardHotKeys { keys, calls, seconds }) in shards {
        all += calls / seconds;
        ranked.extend(keys.into_iter().map(|key| RankedHotKey {
            shard,
            calls_per_second: key.count / seconds,
            calls_percent: 0.0,
            key,
        }));
    }
    ranked.sort_by(|a, b| b.calls_per_second.total_cmp(&a.calls_per_second));
    ranked.truncate(count);
    for hot in &mut ranked {
        hot.calls_percent = 100.0 * hot.calls_per_second / all;
    }
    ranked
}

/// The hashes of most bytes, at most `count`, largest first, with the number of their shard.
pub fn largest(shards: impl IntoIterator<Item = (u16, Vec<BigKey>)>, count: usize) -> Vec<(u16, BigKey)> {
    let keys = shards.into_iter().flat_map(|(shard, keys)| keys.into_iter().map(move |key| (shard, key)));
    let mut ranked: Vec<_> = keys.collect();
    ranked.sort_by_key(|(_, key)| Reverse(key.bytes));
    ranked.truncate(count);
    ranked
}
