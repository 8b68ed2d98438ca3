//! What Prometheus reads: the table of all metrics, and where each value comes from.
//!
//! Counting costs the hot path a plain addition ([`mayfly_engine::ThreadCounters`], [`KeyspaceStats`]). Values
//! become metrics only when somebody scrapes: [`exporter`] collects them, one message to each shard.
//!
//! A new metric is one entry in [`METRICS`]; its help, type, labels and README row come from there. Process
//! metrics (`process_*`) are those of the `metrics-process` crate.

pub mod exporter;
mod histogram;
mod sample;

use std::sync::atomic::Ordering::Relaxed;

use mayfly_engine::{CommandCounters, Tally, ThreadCounters};
use mayfly_store::Forecast;

use crate::durability::{Measures, Queue};
use crate::host::ServerHost;
pub use sample::ShardSample;

/// One metric.
pub struct Metric {
    /// Its name, with `_total` for a counter.
    pub name: &'static str,
    /// What it says, in one sentence.
    pub help: &'static str,
    /// Its type, labels, and where its values come from.
    pub source: Source,
}

/// Where the values of a metric come from. The name says the label: a shard, a command, or none.
pub enum Source {
    /// Gauge of what a shard holds, label `shard`.
    ShardGauge(fn(&ShardSample) -> f64),
    /// Gauge of what falls due on a shard, labels `shard` and `within`.
    ShardForecast(fn(&Forecast) -> f64),
    /// Counter of a shard's keyspace, label `shard`, and a fixed second label.
    ShardCounter(fn(&ShardSample) -> u64, Option<(&'static str, &'static str)>),
    /// Gauges of how uneven the shards are, label `of`: keys, bytes and calls.
    Imbalance,
    /// Histogram of how late keys were removed, in seconds, label `shard`.
    ShardLag,
    /// Gauge of a shard's thread, label `shard`.
    ThreadGauge(fn(&ThreadCounters) -> f64),
    /// Counter of a shard's thread, label `shard`.
    ThreadCounter(fn(&ThreadCounters) -> u64),
    /// Histogram of a shard's thread, label `shard`: the tally, its unit in that of the metric, the buckets.
    ThreadHistogram(fn(&ThreadCounters) -> &Tally, f64, &'static [f64]),
    /// Counter of a command, label `command`.
    CommandCounter(fn(&CommandCounters) -> u64),
    /// Histogram of the seconds a command took, label `command`.
    CommandSeconds(&'static [f64]),
    /// Gauge of the process.
    ProcessGauge(fn(&ServerHost) -> f64),
    /// Gauges of the process, one for each value of this label.
    ProcessGauges(&'static str, fn(&ServerHost) -> Vec<(&'static str, f64)>),
    /// Counter of the process.
    ProcessCounter(fn(&ServerHost) -> u64),
    /// Histogram of the disk's thread, without a label: the tally, its unit in that of the metric, the buckets.
    DiskHistogram(fn(&Measures) -> &Tally, f64, &'static [f64]),
    /// Gauge of the way to the disk; 0 without a folder.
    DiskGauge(fn(&Queue) -> f64),
    /// Counter of the way to the disk; 0 without a folder.
    DiskCounter(fn(&Queue) -> u64),
    /// The gauge 1 with the build in its labels.
    BuildInfo,
}

const NANO: f64 = 1e-9;

/// Buckets of the expiry lag in seconds; the promise is 0.01.
const LAG_SECONDS: &[f64] =
    &[0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0];
/// Buckets of what takes microseconds when all is well, in seconds.
const SHORT_SECONDS: &[f64] =
    &[1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 0.1, 1.0];
/// Buckets of what takes nanoseconds when all is well, in seconds.
const COMMAND_SECONDS: &[f64] =
    &[1e-7, 2.5e-7, 5e-7, 1e-6, 2.5e-6, 5e-6, 1e-5, 5e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0];
/// Buckets of what a disk does, in seconds.
const DISK_SECONDS: &[f64] =
    &[1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Buckets of a batch's length in calls.
const CALLS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// Every metric of Mayfly's own.
pub const METRICS: &[Metric] = &[
    Metric {
        name: "mayfly_build_info",
        help: "1; the labels say the version and the Redis version it answers as.",
        source: Source::BuildInfo,
    },
    Metric {
        name: "mayfly_uptime_seconds",
        help: "Time since the start.",
        source: Source::ProcessGauge(|host| host.clock.uptime().as_secs_f64()),
    },
    Metric {
        name: "mayfly_slow_calls_total",
        help: "Calls that took slow.log_micros_min or longer, whether or not they are still in SLOWLOG.",
        source: Source::ProcessCounter(|host| host.diagnostics.slow_calls()),
    },
    Metric {
        name: "mayfly_config_reloads_total",
        help: "Times that the config was read again on SIGHUP.",
        source: Source::ProcessCounter(|host| host.reloads.done.load(Relaxed)),
    },
    Metric {
        name: "mayfly_config_reloads_failed_total",
        help: "Times that SIGHUP changed nothing, since the config or a file that it names was wrong.",
        source: Source::ProcessCounter(|host| host.reloads.failed.load(Relaxed)),
    },
    Metric {
        name: "mayfly_connections",
        help: "Open client connections.",
        source: Source::ProcessGauge(|host| host.clients.connected() as f64),
    },
    Metric {
        name: "mayfly_connections_accepted_total",
        help: "Client connections accepted.",
        source: Source::ProcessCounter(|host| host.clients.accepted()),
    },
    Metric {
        name: "mayfly_connections_rejected_total",
        help: "Client connections turned away at the limit.",
        source: Source::ProcessCounter(|host| host.clients.rejected()),
    },
    Metric {
        name: "mayfly_connections_overflowed_total",
        help: "Client connections closed because they did not read their replies.",
        source: Source::ProcessCounter(|host| {
            host.total(|thread| thread.output_overflows.get()) + host.clients.slow_closed_total()
        }),
    },
    Metric {
        name: "mayfly_connections_evicted_total",
        help: "Client connections closed for the memory that all of them held together.",
        source: Source::ProcessCounter(|host| host.clients.evicted_total()),
    },
    Metric {
        name: "mayfly_connections_held_bytes",
        help: "Bytes of requests not carried out and of replies not sent that connections hold.",
        source: Source::ProcessGauge(|host| host.clients.memory_bytes() as f64),
    },
    Metric {
        name: "mayfly_connection_pauses_total",
        help: "Times that a connection was not read further because its window or its output was full.",
        source: Source::ProcessCounter(|host| host.total(|thread| thread.pauses.get())),
    },
    Metric {
        name: "mayfly_tls_handshakes_total",
        help: "TLS handshakes that were done.",
        source: Source::ProcessCounter(|host| host.tls.done.load(Relaxed)),
    },
    Metric {
        name: "mayfly_tls_handshakes_failed_total",
        help: "TLS handshakes that failed: no certificate or a wrong one, no common version, too slow, no TLS at all.",
        source: Source::ProcessCounter(|host| host.tls.failed.load(Relaxed)),
    },
    Metric {
        name: "mayfly_tls_handshakes_under_way",
        help: "TLS handshakes that have begun and are not done.",
        source: Source::ProcessGauge(|host| host.tls.under_way.load(Relaxed) as f64),
    },
    Metric {
        name: "mayfly_tls_certificate_expiry_seconds",
        help: "When the first certificate of tls.cert_file (server) and of tls.ca_cert_file (authority) expires, in Unix \
               seconds; 0 without one.",
        source: Source::ProcessGauges("certificate", |host| {
            let expiry = host.tls.expiry();
            vec![("server", expiry.server_seconds as f64), ("authority", expiry.authority_seconds as f64)]
        }),
    },
    Metric {
        name: "mayfly_input_bytes_total",
        help: "Bytes received from clients.",
        source: Source::ProcessCounter(|host| host.total(|thread| thread.input_bytes.get())),
    },
    Metric {
        name: "mayfly_output_bytes_total",
        help: "Bytes sent to clients.",
        source: Source::ProcessCounter(|host| host.total(|thread| thread.output_bytes.get())),
    },
    Metric {
        name: "mayfly_protocol_errors_total",
        help: "Connections that broke the protocol.",
        source: Source::ProcessCounter(|host| host.total(|thread| thread.protocol_errors.get())),
    },
    Metric {
        name: "mayfly_refused_requests_total",
        help: "Requests refused before they ran: unknown command, wrong arity, not authenticated.",
        source: Source::ProcessCounter(|host| host.total(|thread| thread.refused.get())),
    },
    Metric {
        name: "mayfly_denied_logins_total",
        help: "Log-ins that failed.",
        source: Source::ProcessCounter(|host| host.access.denials().auth),
    },
    Metric {
        name: "mayfly_denied_commands_total",
        help: "Requests refused because their user may not run the command.",
        source: Source::ProcessCounter(|host| host.access.denials().commands),
    },
    Metric {
        name: "mayfly_denied_keys_total",
        help: "Requests refused because their user may not touch a key.",
        source: Source::ProcessCounter(|host| host.access.denials().keys),
    },
    Metric {
        name: "mayfly_denied_channels_total",
        help: "Requests refused because their user may not use a channel.",
        source: Source::ProcessCounter(|host| host.access.denials().channels),
    },
    Metric {
        name: "mayfly_memory_limit_bytes",
        help: "Bytes that the data of all shards may use; 0 without a limit.",
        source: Source::ProcessGauge(|host| host.config().memory.bytes_max as f64),
    },
    Metric {
        name: "mayfly_shard_keys",
        help: "Keys held.",
        source: Source::ShardGauge(|sample| sample.gauges.keys as f64),
    },
    Metric {
        name: "mayfly_shard_keys_with_ttl",
        help: "Keys held that have a deadline.",
        source: Source::ShardGauge(|sample| sample.gauges.keys_with_deadline as f64),
    },
    Metric {
        name: "mayfly_shard_held_bytes",
        help: "Bytes held by keys and values, by the shard's own accounting.",
        source: Source::ShardGauge(|sample| sample.gauges.bytes as f64),
    },
    Metric {
        name: "mayfly_shard_used_bytes",
        help: "Of the bytes held those that maxmemory counts: the rest is room for the next entries.",
        source: Source::ShardGauge(|sample| sample.gauges.used_bytes as f64),
    },
    Metric {
        name: "mayfly_shard_expiry_backlog_keys",
        help: "Keys past their deadline whose memory is not yet given back; clients see none of them.",
        source: Source::ShardGauge(|sample| sample.gauges.backlog as f64),
    },
    Metric {
        name: "mayfly_shard_forecast_keys",
        help: "Keys that fall due within 1s, 1m and 1h if nothing is written; exact for few, else from a sample.",
        source: Source::ShardForecast(|forecast| forecast.keys.round()),
    },
    Metric {
        name: "mayfly_shard_forecast_bytes",
        help: "Bytes that fall due within 1s, 1m and 1h if nothing is written; exact for few, else from a sample.",
        source: Source::ShardForecast(|forecast| forecast.bytes.round()),
    },
    Metric {
        name: "mayfly_shard_queue_depth",
        help: "Messages to the shard that it has not taken, and batches that wait for a step over several shards.",
        source: Source::ShardGauge(|sample| (sample.queue_depth + sample.gauges.waiting) as f64),
    },
    Metric {
        name: "mayfly_shard_commands_total",
        help: "Commands that ran on the shard's thread.",
        source: Source::ThreadCounter(ThreadCounters::calls),
    },
    Metric {
        name: "mayfly_imbalance_ratio",
        help: "The largest shard to the mean of all, of keys, of bytes used and of calls of the last seconds: 1 is even.",
        source: Source::Imbalance,
    },
    Metric {
        name: "mayfly_shard_hits_total",
        help: "Look-ups to read that found their key.",
        source: Source::ShardCounter(|sample| sample.hits, None),
    },
    Metric {
        name: "mayfly_shard_misses_total",
        help: "Look-ups to read that found no key.",
        source: Source::ShardCounter(|sample| sample.misses, None),
    },
    Metric {
        name: "mayfly_shard_expired_keys_total",
        help: "Keys removed because their time had come, by the timer wheel or by an access before it.",
        source: Source::ShardCounter(|sample| sample.expired_by_wheel, Some(("reason", "wheel"))),
    },
    Metric {
        name: "mayfly_shard_expired_keys_total",
        help: "Keys removed because their time had come, by the timer wheel or by an access before it.",
        source: Source::ShardCounter(|sample| sample.expired_on_access, Some(("reason", "access"))),
    },
    Metric {
        name: "mayfly_shard_evicted_keys_total",
        help: "Keys removed because memory was used up.",
        source: Source::ShardCounter(|sample| sample.evicted, None),
    },
    Metric {
        name: "mayfly_shard_expiry_lag_seconds",
        help: "Time from a key's deadline to its removal by the wheel.",
        source: Source::ShardLag,
    },
    Metric {
        name: "mayfly_shard_batch_calls",
        help: "Calls in a batch: what one read burst brought to the shard.",
        source: Source::ThreadHistogram(|thread| &thread.batch_calls, 1.0, CALLS),
    },
    Metric {
        name: "mayfly_shard_joints_total",
        help: "Steps over several shards that ended on this one.",
        source: Source::ThreadCounter(|thread| thread.joints.get()),
    },
    Metric {
        name: "mayfly_shard_busy_seconds",
        help: "Time that one batch or one slice of expiry kept the shard from its mailbox.",
        source: Source::ThreadHistogram(|thread| &thread.busy_nanos, NANO, SHORT_SECONDS),
    },
    Metric {
        name: "mayfly_shard_busy_max_seconds",
        help: "The longest time since the start that the shard was away from its mailbox.",
        source: Source::ThreadGauge(|thread| thread.busy_nanos_max.get() as f64 * NANO),
    },
    Metric {
        name: "mayfly_shard_tracked_keys",
        help: "Keys remembered for clients that cache them.",
        source: Source::ThreadGauge(|thread| thread.tracked_keys.get() as f64),
    },
    Metric {
        name: "mayfly_shard_invalidations_total",
        help: "Messages to clients that keys in their caches have changed.",
        source: Source::ThreadCounter(|thread| thread.invalidations.get()),
    },
    Metric {
        name: "mayfly_command_calls_total",
        help: "Calls of a command.",
        source: Source::CommandCounter(|command| command.calls.get()),
    },
    Metric {
        name: "mayfly_command_errors_total",
        help: "Calls of a command that answered an error.",
        source: Source::CommandCounter(|command| command.errors.get()),
    },
    Metric {
        name: "mayfly_command_duration_seconds",
        help: "Time a call of a command took; calls of one command in a row count with their mean.",
        source: Source::CommandSeconds(COMMAND_SECONDS),
    },
    Metric {
        name: "mayfly_log_records_total",
        help: "Records that went into the log.",
        source: Source::DiskCounter(|queue| queue.measures.records.get()),
    },
    Metric {
        name: "mayfly_log_bytes",
        help: "Bytes of the log behind the last snapshot.",
        source: Source::DiskGauge(|queue| queue.measures.log_bytes.get() as f64),
    },
    Metric {
        name: "mayfly_log_waiting_bytes",
        help: "Bytes of memory that changes take which are not known to be on the disk.",
        source: Source::DiskGauge(|queue| {
            (queue.waiting_bytes() + queue.measures.unsynced_bytes.get()) as f64
        }),
    },
    Metric {
        name: "mayfly_log_sync_seconds",
        help: "Time that one sync of the log took, with what it wrote.",
        source: Source::DiskHistogram(|measures| &measures.sync_nanos, NANO, DISK_SECONDS),
    },
    Metric {
        name: "mayfly_log_sync_failures_total",
        help: "Syncs of the log that failed.",
        source: Source::DiskCounter(|queue| queue.measures.sync_failures.get()),
    },
    Metric {
        name: "mayfly_log_delays_total",
        help: "Times that clients were read no further since too much waited for the disk.",
        source: Source::DiskCounter(Queue::delays),
    },
    Metric {
        name: "mayfly_disk_sick",
        help: "1 while the disk takes nothing and writes are refused, else 0.",
        source: Source::DiskGauge(|queue| f64::from(u8::from(queue.is_sick()))),
    },
    Metric {
        name: "mayfly_snapshot_in_progress",
        help: "1 while a snapshot is asked for or under way, else 0.",
        source: Source::DiskGauge(|queue| f64::from(u8::from(queue.snapshots.running().is_some()))),
    },
    Metric {
        name: "mayfly_snapshots_total",
        help: "Snapshots that were finished.",
        source: Source::DiskCounter(|queue| queue.measures.both(|facts| facts.done)),
    },
    Metric {
        name: "mayfly_snapshot_failures_total",
        help: "Snapshots that failed.",
        source: Source::DiskCounter(|queue| queue.measures.both(|facts| facts.failed)),
    },
    Metric {
        name: "mayfly_snapshot_last_time_seconds",
        help: "When the last snapshot was finished, in Unix seconds; 0 before the first of this process.",
        source: Source::DiskGauge(|queue| queue.last_save_seconds.load(Relaxed) as f64),
    },
    Metric {
        name: "mayfly_snapshot_last_duration_seconds",
        help: "Time that the last snapshot took.",
        source: Source::DiskGauge(|queue| queue.measures.last_snapshot_nanos.get() as f64 * NANO),
    },
    Metric {
        name: "mayfly_snapshot_bytes",
        help: "Bytes of the last snapshot.",
        source: Source::DiskGauge(|queue| queue.measures.snapshot_bytes.get() as f64),
    },
    Metric {
        name: "mayfly_changes_since_snapshot",
        help: "Changes behind the beginning of the last snapshot: fields set and removed, deadlines set, keys removed.",
        source: Source::ProcessGauge(|host| host.changes_since_save() as f64),
    },
    Metric {
        name: "mayfly_load_seconds",
        help: "Time that the start took to load the folder; 0 while it does.",
        source: Source::DiskGauge(|queue| queue.measures.load.took_nanos.load(Relaxed) as f64 * NANO),
    },
    Metric {
        name: "mayfly_load_records",
        help: "Records that the start has read.",
        source: Source::DiskGauge(|queue| queue.measures.load.records() as f64),
    },
    Metric {
        name: "mayfly_load_expired_keys",
        help: "Keys that the start has dropped since their deadline was past.",
        source: Source::DiskGauge(|queue| queue.measures.load.sum(|shard| shard.expired.get()) as f64),
    },
    Metric {
        name: "mayfly_load_torn_bytes",
        help: "Bytes that the start has cut off at an end that was being written.",
        source: Source::DiskGauge(|queue| queue.measures.load.torn_bytes.load(Relaxed) as f64),
    },
];

impl Source {
    /// The metric's type, as Prometheus names it.
    pub fn kind(&self) -> &'static str {
        match self {
            Source::ShardGauge(_)
            | Source::ShardForecast(_)
            | Source::ThreadGauge(_)
            | Source::ProcessGauge(_)
            | Source::ProcessGauges(..)
            | Source::DiskGauge(_)
            | Source::Imbalance
            | Source::BuildInfo => "gauge",
            Source::ShardCounter(..)
            | Source::ThreadCounter(_)
            | Source::CommandCounter(_)
            | Source::ProcessCounter(_)
            | Source::DiskCounter(_) => "counter",
            Source::ShardLag
            | Source::ThreadHistogram(..)
            | Source::DiskHistogram(..)
            | Source::CommandSeconds(_) => "histogram",
        }
    }

    /// Its labels.
    pub fn labels(&self) -> &'static str {
        match self {
            Source::ShardCounter(_, Some(_)) => "shard, reason",
            Source::ShardForecast(_) => "shard, within",
            Source::ShardGauge(_)
            | Source::ShardCounter(..)
            | Source::ShardLag
            | Source::ThreadGauge(_)
            | Source::ThreadCounter(_)
            | Source::ThreadHistogram(..) => "shard",
            Source::CommandCounter(_) | Source::CommandSeconds(_) => "command",
            Source::BuildInfo => "version, redis_version",
            Source::ProcessGauges(label, _) => label,
            Source::Imbalance => "of",
            Source::ProcessGauge(_)
            | Source::ProcessCounter(_)
            | Source::DiskGauge(_)
            | Source::DiskCounter(_)
            | Source::DiskHistogram(..) => "",
        }
    }
}

/// The README's table of metrics, in Markdown.
pub fn markdown() -> String {
    let mut text = String::from("| metric | type | labels | what it says |\n|---|---|---|---|\n");
    let mut last = "";
    for metric in METRICS {
        if metric.name != last {
            let Metric { name, help, source } = metric;
            text.push_str(&format!("| `{name}` | {} | {} | {help} |\n", source.kind(), source.labels()));
            last = name;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_their_type_and_unit_as_prometheus_asks() {
        for Metric { name, help, source } in METRICS {
            assert!(name.starts_with("mayfly_") && help.ends_with('.'), "{name}");
            assert_eq!(source.kind() == "counter", name.ends_with("_total"), "{name}");
        }
    }
}
