//! What one shard answers when it is measured.

use mayfly_engine::{Shard, ShardGauges};
use mayfly_store::{Forecast, UnixMillis};

/// How far the forecast of what falls due looks ahead: its label, and milliseconds.
pub const HORIZONS: [(&str, u64); 3] = [("1s", 1_000), ("1m", 60_000), ("1h", 3_600_000)];

/// Entries that a shard looks at for it: at most 300 µs, when none of them is in a cache.
const FORECAST_STEPS_MAX: usize = 2_048;

/// What one shard held and had counted at one moment.
#[derive(Clone, Default, Debug)]
pub struct ShardSample {
    /// What it holds.
    pub gauges: ShardGauges,
    /// Messages on their way to it.
    pub queue_depth: u64,
    /// Look-ups to read that found their key, since the start.
    pub hits: u64,
    /// Look-ups to read that found none, since the start.
    pub misses: u64,
    /// Keys removed by the wheel, since the start.
    pub expired_by_wheel: u64,
    /// Keys removed by an access, since the start.
    pub expired_on_access: u64,
    /// Keys evicted, since the start.
    pub evicted: u64,
    /// Lags in milliseconds with their counts, since the sample before.
    pub lags: Vec<(u64, u64)>,
    /// What falls due within each of [`HORIZONS`].
    pub forecasts: [Forecast; HORIZONS.len()],
}

impl ShardSample {
    /// Measures a shard; `None` while its keyspace is away with a step over several shards.
    pub fn take<A: Clone>(shard: &mut Shard<A>, now: UnixMillis, queue_depth: u64) -> Option<Self> {
        let gauges = shard.gauges(now)?;
        let keyspace = shard.keyspace_mut()?;
        let forecasts = keyspace.forecast(now, HORIZONS.map(|(_, ms)| ms), FORECAST_STEPS_MAX);
        let stats = keyspace.stats_mut();
        let mut lags = Vec::new();
        stats.expiry_lag.drain(&mut |lag, count| lags.push((lag, count)));
        Some(ShardSample {
            gauges,
            queue_depth,
            hits: stats.hits,
            misses: stats.misses,
            expired_by_wheel: stats.expired_by_wheel,
            expired_on_access: stats.expired_on_access,
            evicted: stats.evicted,
            lags,
            forecasts,
        })
    }
}
