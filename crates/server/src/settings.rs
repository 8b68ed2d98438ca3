//! The settings that a thread works with: what sessions and shards take from the config, taken anew when
//! `CONFIG SET` has changed it.

use std::sync::Arc;

use mayfly_command::{DiagnosticsOptions, TtlBounds, TtlRule, TtlRules};
use mayfly_config::{Config, MemoryConfig, MemoryPolicy, SlowConfig, TtlConfig, parse_ttl_rules};
use mayfly_engine::{MemoryOptions, SessionOptions, ShardOptions, TransactionLimits};
use mayfly_resp::RequestLimits;
use mayfly_store::{AccessPolicy, EvictionPolicy, StoreOptions};

use crate::host::ServerHost;

/// What one thread knows of the config.
#[derive(Debug)]
pub struct Settings {
    /// How often the config had been changed when it was taken.
    pub generation: u64,
    /// The config.
    pub config: Arc<Config>,
    /// Of it, the limits of sessions.
    pub session: SessionOptions,
}

impl Settings {
    /// Those that hold now.
    pub fn now(host: &ServerHost) -> Self {
        // Before the config: one that changes in between is taken again.
        let generation = host.generation();
        let config = host.config();
        Settings { generation, session: session_options(&config), config }
    }
}

/// The limits of sessions.
pub fn session_options(config: &Config) -> SessionOptions {
    let limits = &config.limits;
    SessionOptions {
        request: RequestLimits {
            words_max: limits.request_words_max as u32,
            bulk_bytes_max: limits.bulk_bytes_max as u32,
            inline_bytes_max: limits.inline_bytes_max as u32,
            request_bytes_max: limits.request_bytes_max as u32,
        },
        window: limits.pipeline_window,
        output_bytes_max: limits.output_bytes_max,
        transaction: TransactionLimits {
            calls_max: limits.transaction_calls_max,
            bytes_max: limits.transaction_bytes_max,
        },
        watched_keys_max: limits.watched_keys_max,
        monitor_bytes_max: limits.subscriber_bytes_max,
        tracked_prefixes_max: limits.tracked_prefixes_max,
    }
}

/// The limits of one of the shards of a process.
pub fn shard_options(config: &Config, host: &ServerHost) -> ShardOptions {
    ShardOptions {
        store: StoreOptions {
            databases: config.server.databases as u16,
            packed_fields_max: config.hash.packed_fields_max as u32,
            packed_bytes_max: config.hash.packed_bytes_max as u32,
            access: access_policy(&config.memory),
            hot_key_sample_calls: config.hot_keys.sample_calls,
        },
        slice_entries_max: config.expiry.slice_entries_max,
        output_bytes_max: config.limits.output_bytes_max,
        events: host.events.clone(),
        is_recording: !config.persistence.dir.is_empty(),
        tracked_keys_max: config.limits.tracked_keys_max.div_ceil(host.counters.len()),
        memory: MemoryOptions {
            bytes_max: config.memory.bytes_max,
            policy: eviction_policy(config.memory.policy),
            samples: config.memory.samples,
        },
        shared_memory: host.door.memory.clone(),
        ttl_rules: ttl_rules(&config.ttl).map(Arc::new),
    }
}

/// What is looked at as slow.
pub fn diagnostics_options(slow: &SlowConfig) -> DiagnosticsOptions {
    DiagnosticsOptions {
        slow_call_nanos_min: slow.log_micros_min.map(|micros| micros * 1_000),
        slow_log_entries_max: slow.log_entries_max,
        latency_millis_min: slow.latency_ms,
    }
}

/// The rules for TTLs, if there are any.
fn ttl_rules(ttl: &TtlConfig) -> Option<TtlRules> {
    let millis = |seconds: u64| seconds as i64 * 1_000;
    // They were checked when they were set.
    let rules = parse_ttl_rules(&ttl.rules).unwrap_or_default().into_iter().map(|rule| TtlRule {
        pattern: rule.pattern,
        database: rule.database,
        bounds: TtlBounds {
            default_ms: rule.default_seconds.map(millis),
            max_ms: rule.max_seconds.map(millis),
            is_required: rule.require,
            jitter_percent: rule.jitter_percent,
        },
    });
    let for_all = TtlBounds {
        default_ms: Some(millis(ttl.default_seconds)),
        max_ms: Some(millis(ttl.max_seconds)),
        is_required: Some(ttl.require),
        jitter_percent: Some(ttl.jitter_percent),
    };
    Some(TtlRules { rules: rules.collect(), for_all }).filter(|rules| !rules.is_empty())
}

fn eviction_policy(policy: MemoryPolicy) -> EvictionPolicy {
    match policy {
        MemoryPolicy::Noeviction => EvictionPolicy::Noeviction,
        MemoryPolicy::AllkeysRandom => EvictionPolicy::AllkeysRandom,
        MemoryPolicy::AllkeysLru => EvictionPolicy::AllkeysLru,
        MemoryPolicy::AllkeysLfu => EvictionPolicy::AllkeysLfu,
        MemoryPolicy::VolatileRandom => EvictionPolicy::VolatileRandom,
        MemoryPolicy::VolatileLru => EvictionPolicy::VolatileLru,
        MemoryPolicy::VolatileLfu => EvictionPolicy::VolatileLfu,
        MemoryPolicy::VolatileTtl => EvictionPolicy::VolatileTtl,
    }
}

fn access_policy(memory: &MemoryConfig) -> AccessPolicy {
    match memory.policy.is_by_frequency() {
        true => AccessPolicy::Frequency {
            log_factor: memory.lfu_log_factor,
            decay_minutes: memory.lfu_decay_minutes,
        },
        false => AccessPolicy::Recency,
    }
}
