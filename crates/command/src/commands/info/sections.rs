//! The sections of `INFO`: one function each.

use std::env::consts::{ARCH, OS};
use std::fmt::Display;
use std::time::Duration;

use super::Facts;
use crate::host::{LoadFacts, SnapshotKind};
use crate::imbalance::imbalance;

/// A section.
pub(super) struct Section {
    /// Its heading; its name in a request whatever the case.
    pub title: &'static str,
    pub shown: Shown,
    pub write: fn(&Facts, &mut String),
}

/// When a section is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// Unless others are named.
    ByDefault,
    /// When it or all are named.
    OnDemand,
}

/// All sections, in Redis' order.
pub(super) const SECTIONS: [Section; 13] = [
    Section { title: "Server", shown: Shown::ByDefault, write: server },
    Section { title: "Clients", shown: Shown::ByDefault, write: clients },
    Section { title: "Memory", shown: Shown::ByDefault, write: memory },
    Section { title: "Persistence", shown: Shown::ByDefault, write: persistence },
    Section { title: "Stats", shown: Shown::ByDefault, write: stats },
    Section { title: "Replication", shown: Shown::ByDefault, write: replication },
    Section { title: "CPU", shown: Shown::ByDefault, write: cpu },
    Section { title: "Modules", shown: Shown::ByDefault, write: |_, _| {} },
    Section { title: "Commandstats", shown: Shown::OnDemand, write: commandstats },
    Section { title: "Errorstats", shown: Shown::ByDefault, write: errorstats },
    Section { title: "Latencystats", shown: Shown::OnDemand, write: latencystats },
    Section { title: "Cluster", shown: Shown::ByDefault, write: cluster },
    Section { title: "Keyspace", shown: Shown::ByDefault, write: keyspace },
];

fn field(text: &mut String, name: &str, value: impl Display) {
    text.push_str(&format!("{name}:{value}\r\n"));
}

fn zeros(text: &mut String, names: &[&str]) {
    names.iter().for_each(|name| field(text, name, 0));
}

/// A number of bytes, and again for people to read.
fn bytes(text: &mut String, name: &str, value: u64) {
    field(text, name, value);
    field(text, &format!("{name}_human"), human(value));
}

/// `2.03M`, as Redis shows bytes.
pub(in crate::commands) fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["K", "M", "G", "T", "P"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while value >= 1024.0 && units.len() > 0 {
        value /= 1024.0;
        unit = units.next();
    }
    format!("{value:.2}{}", unit.unwrap_or(&""))
}

fn server(facts: &Facts, text: &mut String) {
    let host = &facts.host;
    field(text, "redis_version", crate::REDIS_VERSION);
    field(text, "mayfly_version", crate::MAYFLY_VERSION);
    field(text, "redis_git_sha1", "00000000");
    field(text, "redis_git_dirty", 0);
    field(text, "redis_build_id", 0);
    field(text, "redis_mode", "standalone");
    field(text, "os", format_args!("{OS} {ARCH}"));
    field(text, "arch_bits", usize::BITS);
    field(text, "process_id", host.process_id);
    field(text, "process_supervised", "no");
    field(text, "run_id", &host.run_id);
    field(text, "tcp_port", host.port);
    field(text, "server_time_usec", facts.now_ms.saturating_mul(1_000));
    field(text, "uptime_in_seconds", host.uptime_seconds);
    field(text, "uptime_in_days", host.uptime_seconds / 86_400);
    field(text, "executable", &host.executable);
    field(text, "config_file", &host.config_file);
    field(text, "mayfly_shards", facts.shards);
}

fn clients(facts: &Facts, text: &mut String) {
    field(text, "connected_clients", facts.host.connections);
    field(text, "cluster_connections", 0);
    field(text, "maxclients", facts.host.connections_max);
    field(text, "tracking_clients", facts.host.tracking_clients);
    field(text, "blocked_clients", facts.host.blocked_clients);
    field(text, "pubsub_clients", facts.host.listening_clients);
    field(text, "watching_clients", facts.host.watching_clients);
    field(text, "total_watched_keys", facts.host.watched_keys);
    zeros(
        text,
        &[
            "clients_in_timeout_table",
            "total_blocking_keys",
            "total_blocking_keys_on_nokey",
        ],
    );
}

fn memory(facts: &Facts, text: &mut String) {
    let host = &facts.host;
    let used = facts.totals.used_bytes as u64;
    // The peak of the data alone is not kept: the peak of the process bounds it.
    let peak = host.resident_bytes_max.max(used);
    bytes(text, "used_memory", used);
    bytes(text, "used_memory_rss", host.resident_bytes);
    bytes(text, "used_memory_peak", peak);
    field(text, "used_memory_peak_perc", format_args!("{:.2}%", 100.0 * ratio(used, peak)));
    // What is accounted for is data with its index and its timers, and nothing of that before the first key.
    let dataset = used.saturating_sub(facts.totals.overhead_bytes as u64);
    field(text, "used_memory_overhead", used - dataset);
    field(text, "used_memory_startup", 0);
    field(text, "used_memory_dataset", dataset);
    field(text, "used_memory_dataset_perc", format_args!("{:.2}%", 100.0 * ratio(dataset, used)));
    // Room in memory that is shared by many entries, of which the next ones make use.
    field(text, "mayfly_vacant_bytes", facts.totals.held_bytes as u64 - used);
    bytes(text, "total_system_memory", host.machine_bytes);
    bytes(text, "used_memory_lua", 0);
    bytes(text, "used_memory_scripts", 0);
    field(text, "number_of_cached_scripts", 0);
    bytes(text, "maxmemory", host.memory_bytes_max);
    field(text, "maxmemory_policy", host.memory_policy);
    field(text, "mem_fragmentation_ratio", format_args!("{:.2}", ratio(host.resident_bytes, used)));
    field(text, "mem_clients_normal", host.client_bytes);
    field(text, "mem_allocator", "mimalloc");
    field(text, "mem_fragmentation_bytes", i128::from(host.resident_bytes) - i128::from(used));
    zeros(
        text,
        &[
            "mem_not_counted_for_evict",
            "mem_replication_backlog",
            "mem_total_replication_buffers",
            "mem_clients_slaves",
            "mem_cluster_links",
            "active_defrag_running",
        ],
    );
    field(text, "mem_aof_buffer", host.persistence.waiting_bytes);
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn persistence(facts: &Facts, text: &mut String) {
    let (now_ms, facts) = (facts.now_ms, &facts.host.persistence);
    let status = |has_failed: bool| if has_failed { "err" } else { "ok" };
    // -1 stands for what has not been.
    let seconds = |duration: Option<Duration>| duration.map_or(-1, |duration| duration.as_secs() as i64);
    let running_for = |kind| seconds(facts.running_for.filter(|_| facts.running == Some(kind)));
    field(text, "loading", u8::from(facts.is_loading));
    field(text, "async_loading", 0);
    field(text, "rdb_changes_since_last_save", facts.changes_since_save);
    field(text, "rdb_bgsave_in_progress", u8::from(facts.running == Some(SnapshotKind::Save)));
    field(text, "rdb_last_save_time", facts.last_save_seconds);
    field(text, "rdb_last_bgsave_status", status(facts.saves.failed_in_a_row > 0));
    field(text, "rdb_last_bgsave_time_sec", seconds(facts.saves.last));
    field(text, "rdb_current_bgsave_time_sec", running_for(SnapshotKind::Save));
    field(text, "rdb_saves", facts.saves.done);
    // There is no fork, and so no copy on write.
    field(text, "rdb_last_cow_size", 0);
    field(text, "rdb_last_load_keys_expired", facts.load.expired);
    field(text, "rdb_last_load_keys_loaded", facts.load.keys);
    field(text, "aof_enabled", u8::from(facts.is_enabled));
    field(text, "aof_rewrite_in_progress", u8::from(facts.running == Some(SnapshotKind::Rewrite)));
    field(text, "aof_rewrite_scheduled", u8::from(facts.scheduled == Some(SnapshotKind::Rewrite)));
    field(text, "aof_last_rewrite_time_sec", seconds(facts.rewrites.last));
    field(text, "aof_current_rewrite_time_sec", running_for(SnapshotKind::Rewrite));
    field(text, "aof_last_bgrewrite_status", status(facts.rewrites.failed_in_a_row > 0));
    field(text, "aof_rewrites", facts.rewrites.done);
    field(text, "aof_rewrites_consecutive_failures", facts.rewrites.failed_in_a_row);
    field(text, "aof_last_write_status", status(facts.is_sick));
    field(text, "aof_last_cow_size", 0);
    if facts.is_enabled {
        field(text, "aof_current_size", facts.snapshot_bytes + facts.log_bytes);
        field(text, "aof_base_size", facts.snapshot_bytes);
        field(text, "aof_pending_rewrite", u8::from(facts.scheduled.is_some()));
        field(text, "aof_buffer_length", facts.waiting_bytes);
        field(text, "aof_pending_bio_fsync", u8::from(facts.is_syncing));
        field(text, "aof_delayed_fsync", facts.delays);
    }
    if facts.is_loading {
        let load = &facts.load;
        field(text, "loading_start_time", load.began_seconds);
        field(text, "loading_total_bytes", load.total_bytes);
        field(text, "loading_loaded_bytes", load.loaded_bytes);
        field(text, "loading_loaded_perc", format_args!("{:.2}", load.loaded_percent()));
        field(text, "loading_eta_seconds", seconds_left(load, now_ms / 1_000));
    }
}

/// How long a start takes yet if it goes on as it began; 1 before the first byte, as in Redis.
fn seconds_left(load: &LoadFacts, now_seconds: i64) -> u64 {
    let elapsed = now_seconds.saturating_sub(load.began_seconds as i64).max(0) as u64;
    let left = u128::from(load.total_bytes - load.loaded_bytes.min(load.total_bytes));
    (u128::from(elapsed) * left).checked_div(u128::from(load.loaded_bytes)).map_or(1, |seconds| seconds as u64)
}

fn stats(facts: &Facts, text: &mut String) {
    let (host, totals) = (&facts.host, &facts.totals);
    field(text, "total_connections_received", host.connections_total);
    field(text, "total_commands_processed", host.commands_total);
    field(text, "instantaneous_ops_per_sec", host.commands_per_second);
    let uneven = [
        ("keys", imbalance(totals.shards.iter().map(|(keys, _)| *keys as f64))),
        ("bytes", imbalance(totals.shards.iter().map(|(_, bytes)| *bytes as f64))),
        ("calls", host.calls_imbalance),
    ];
    for (of, ratio) in uneven {
        field(text, &format!("mayfly_imbalance_{of}"), format_args!("{ratio:.2}"));
    }
    field(text, "total_net_input_bytes", host.input_bytes_total);
    field(text, "total_net_output_bytes", host.output_bytes_total);
    zeros(text, &["total_net_repl_input_bytes", "total_net_repl_output_bytes"]);
    field(text, "instantaneous_input_kbps", format_args!("{:.2}", host.input_kilobytes_per_second));
    field(text, "instantaneous_output_kbps", format_args!("{:.2}", host.output_kilobytes_per_second));
    field(text, "rejected_connections", host.connections_rejected);
    zeros(text, &["sync_full", "sync_partial_ok", "sync_partial_err", "expired_subkeys"]);
    field(text, "expired_keys", totals.expired_by_wheel + totals.expired_on_access);
    field(text, "mayfly_expired_by_wheel", totals.expired_by_wheel);
    field(text, "mayfly_expired_on_access", totals.expired_on_access);
    field(text, "mayfly_expiry_backlog", totals.backlog);
    field(text, "expired_stale_perc", "0.00");
    field(text, "expired_time_cap_reached_count", 0);
    field(text, "evicted_keys", totals.evicted);
    field(text, "evicted_clients", host.evicted_clients);
    field(text, "keyspace_hits", totals.hits);
    field(text, "keyspace_misses", totals.misses);
    zeros(
        text,
        &[
            "latest_fork_usec",
            "total_forks",
            "migrate_cached_sockets",
            "slave_expires_tracked_keys",
            "active_defrag_hits",
            "active_defrag_misses",
            "active_defrag_key_hits",
            "active_defrag_key_misses",
        ],
    );
    for (name, channels) in ["pubsub_channels", "pubsub_patterns", "pubsubshard_channels"].iter().zip(host.channels) {
        field(text, name, channels);
    }
    field(text, "client_output_buffer_limit_disconnections", host.output_overflows);
    field(text, "acl_access_denied_auth", host.denials.auth);
    field(text, "acl_access_denied_cmd", host.denials.commands);
    field(text, "acl_access_denied_key", host.denials.keys);
    field(text, "acl_access_denied_channel", host.denials.channels);
    field(text, "tracking_total_keys", host.tracked_keys);
    field(text, "tracking_total_items", host.tracked_items);
    field(text, "tracking_total_prefixes", host.tracked_prefixes);
    field(text, "total_error_replies", host.errors_total);
}

/// A master without replicas. Its identity is that of the process.
fn replication(facts: &Facts, text: &mut String) {
    field(text, "role", "master");
    field(text, "connected_slaves", 0);
    field(text, "master_failover_state", "no-failover");
    field(text, "master_replid", &facts.host.run_id);
    field(text, "master_replid2", "0".repeat(40));
    field(text, "master_repl_offset", 0);
    field(text, "second_repl_offset", -1);
    zeros(
        text,
        &[
            "repl_backlog_active",
            "repl_backlog_size",
            "repl_backlog_first_byte_offset",
            "repl_backlog_histlen",
        ],
    );
}

fn cpu(facts: &Facts, text: &mut String) {
    let seconds = [
        ("used_cpu_sys", facts.host.system_seconds),
        ("used_cpu_user", facts.host.user_seconds),
        ("used_cpu_sys_children", 0.0),
        ("used_cpu_user_children", 0.0),
    ];
    for (name, seconds) in seconds {
        field(text, name, format_args!("{seconds:.6}"));
    }
}

/// Commands that were refused before they ran are not told apart from those that never came.
fn commandstats(facts: &Facts, text: &mut String) {
    for command in &facts.host.commands {
        let per_call = if command.calls == 0 { 0.0 } else { command.micros as f64 / command.calls as f64 };
        text.push_str(&format!(
            "cmdstat_{}:calls={},usec={},usec_per_call={per_call:.2},rejected_calls=0,failed_calls={}\r\n",
            command.name, command.calls, command.micros, command.errors
        ));
    }
}

/// Only codes that were answered.
fn errorstats(facts: &Facts, text: &mut String) {
    for (code, count) in facts.host.errors_by_code.iter().filter(|(_, count)| *count > 0) {
        field(text, &format!("errorstat_{code}"), format_args!("count={count}"));
    }
}

/// Calls are counted by powers of two, with the exact mean of each: a percentile is the mean of those that took
/// about as long. Equal calls in a row share one measurement.
fn latencystats(facts: &Facts, text: &mut String) {
    for command in &facts.host.commands {
        let [median, high, highest] = [500, 990, 999].map(|per_mille| percentile(&command.nanos, per_mille));
        text.push_str(&format!(
            "latency_percentiles_usec_{}:p50={median:.3},p99={high:.3},p99.9={highest:.3}\r\n",
            command.name
        ));
    }
}

/// The microseconds that so many of a thousand calls did not take longer than.
fn percentile(nanos: &[(u64, u64)], per_mille: u64) -> f64 {
    let all: u64 = nanos.iter().map(|(calls, _)| calls).sum();
    let wanted = (all * per_mille).div_ceil(1_000);
    let mut seen = 0;
    let reached = nanos.iter().find(|(calls, _)| {
        seen += calls;
        *calls > 0 && seen >= wanted
    });
    reached.map_or(0.0, |(calls, sum)| *sum as f64 / *calls as f64 / 1_000.0)
}

fn cluster(_: &Facts, text: &mut String) {
    field(text, "cluster_enabled", 0);
}

/// A line for each database that is not empty.
fn keyspace(facts: &Facts, text: &mut String) {
    for (index, database) in
        facts.totals.databases.iter().enumerate().filter(|(_, database)| database.keys > 0)
    {
        text.push_str(&format!(
            "db{index}:keys={},expires={},avg_ttl={},subexpiry=0\r\n",
            database.keys,
            database.with_deadline,
            database.average_ttl_ms()
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_mean_of_its_bucket() {
        let nanos = [(0, 0), (90, 90_000), (9, 45_000), (1, 70_000)];
        assert_eq!([500, 900, 990, 999].map(|wanted| percentile(&nanos, wanted)), [1.0, 1.0, 5.0, 70.0]);
        assert_eq!((percentile(&[(0, 0)], 500), percentile(&[(1, 3_000)], 999)), (0.0, 3.0));
    }

    #[test]
    fn a_start_goes_on_as_it_began() {
        let load = LoadFacts { began_seconds: 100, total_bytes: 1_000, loaded_bytes: 250, ..LoadFacts::default() };
        assert_eq!((seconds_left(&load, 110), load.loaded_percent()), (30, 25.0));
        assert_eq!(seconds_left(&LoadFacts { loaded_bytes: 0, ..load }, 110), 1);
        assert_eq!(seconds_left(&LoadFacts { loaded_bytes: 1_000, ..load }, 99), 0);
    }

    #[test]
    fn bytes_read_as_in_redis() {
        for (bytes, expected) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (2_131_528, "2.03M"),
            (25_276_530_688, "23.54G"),
            (1 << 40, "1.00T"),
            (u64::MAX, "16384.00P"),
        ] {
            assert_eq!(human(bytes), expected);
        }
    }
}
