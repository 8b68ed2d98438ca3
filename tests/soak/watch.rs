//! What is looked at from outside: memory, descriptors, counters.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::harness::{Server, eventually};
use crate::{LIMITS_BYTES, Shared, TELL_EVERY};

const MIB: u64 = 1 << 20;
/// This part of the run is the warm-up, but no more than so long, and as long as each limit has its first turn.
const WARM_UP_PART: u32 = 5;
const WARM_UP_MAX: Duration = Duration::from_secs(300);
/// After the warm-up the process may hold so much more than it held at most before.
const GROWTH_PERCENT_MAX: u64 = 25;
const GROWTH_BYTES_MAX: u64 = 32 * MIB;
/// What the data may use past their limit: a write is not cut in two.
const EXCESS_PERCENT_MAX: u64 = 10;
/// Descriptors beside those of clients that come and go with log segments, snapshots and scrapes, and of clients that
/// are on their way.
const DESCRIPTORS_BESIDE: usize = 64;

/// What was seen so far.
pub struct Watch {
    start: Instant,
    warm_up: Duration,
    /// The most that the process held in the warm-up.
    resident_max: u64,
    resident: u64,
    /// What the data may use.
    limit: u64,
    /// What it used at the last look.
    used: u64,
    descriptors: usize,
    /// Values of everything that may only grow.
    counters: HashMap<String, f64>,
    series: HashMap<String, f64>,
    requests: u64,
}

impl Watch {
    /// Begins with a server that nobody has asked for anything.
    pub fn begin(server: &Server, length: Duration) -> Self {
        Watch {
            start: Instant::now(),
            warm_up: (length / WARM_UP_PART).min(WARM_UP_MAX).max(TELL_EVERY * LIMITS_BYTES.len() as u32),
            resident_max: 0,
            resident: 0,
            limit: LIMITS_BYTES[0],
            used: 0,
            descriptors: server.descriptors(),
            counters: HashMap::new(),
            series: HashMap::new(),
            requests: 0,
        }
    }

    /// The limit of memory is about to be another.
    pub fn limit_is(&mut self, bytes: u64) {
        self.limit = bytes;
    }

    /// Looks whether everything holds.
    pub fn look(&mut self, server: &Server) {
        self.resident = server.resident_bytes() as u64;
        if self.start.elapsed() < self.warm_up {
            self.resident_max = self.resident_max.max(self.resident);
        } else {
            let allowed =
                self.resident_max + (self.resident_max * GROWTH_PERCENT_MAX / 100).max(GROWTH_BYTES_MAX);
            let resident = self.resident / MIB;
            assert!(self.resident <= allowed, "{resident} MiB are resident, {} MiB allowed", allowed / MIB);
        }
        let (status, text) = server.http_get("/metrics");
        assert_eq!(status, "HTTP/1.1 200 OK");
        self.read(&text);
        let used = self.sum("mayfly_shard_used_bytes") as u64;
        // A lower limit lets what was there before go bit by bit; what is past it never grows.
        let allowed = self.used.max(self.limit + self.limit * EXCESS_PERCENT_MAX / 100);
        assert!(used <= allowed, "{used} bytes are in use, {} the look before", self.used);
        self.used = used;
        assert_eq!(self.sum("mayfly_disk_sick"), 0.0, "the disk takes everything");
        assert_eq!(self.sum("mayfly_snapshot_failures_total"), 0.0, "every snapshot is finished");
        let (open, clients) = (server.descriptors(), self.sum("mayfly_connections") as usize);
        assert!(
            open <= self.descriptors + clients + DESCRIPTORS_BESIDE,
            "{open} descriptors, {clients} clients"
        );
    }

    /// After everybody has gone.
    pub fn is_as_before(&mut self, server: &Server, descriptors: usize) {
        eventually("no client is left", || (server.scrape().sum("mayfly_connections") == 0.0).then_some(()));
        // A snapshot that is under way has files open.
        eventually("no descriptor is left", || {
            (server.scrape().sum("mayfly_snapshot_in_progress") == 0.0
                && server.descriptors() <= descriptors + 2)
                .then_some(())
        });
        eventually("what is past its deadline is given back", || {
            (server.scrape().sum("mayfly_shard_expiry_backlog_keys") == 0.0).then_some(())
        });
    }

    /// How it goes, in a line.
    pub fn tell(&mut self, shared: &Shared) {
        let requests = shared.requests.load(Relaxed);
        println!(
            "{:>5.1} min: {} requests ({} since the last line), {} OOM, {} seen gone, {} messages, {} keys, {} MiB used, {} MiB \
             resident, {} expired, {} evicted, {} snapshots, {} connections accepted",
            self.start.elapsed().as_secs_f64() / 60.0,
            requests,
            requests - self.requests,
            shared.refused.load(Relaxed),
            shared.expired.load(Relaxed),
            shared.messages.load(Relaxed),
            self.sum("mayfly_shard_keys"),
            self.sum("mayfly_shard_used_bytes") as u64 / MIB,
            self.resident / MIB,
            self.sum("mayfly_shard_expired_keys_total"),
            self.sum("mayfly_shard_evicted_keys_total"),
            self.sum("mayfly_snapshots_total"),
            self.sum("mayfly_connections_accepted_total"),
        );
        self.requests = requests;
    }

    /// Takes all values; those that count have not fallen.
    fn read(&mut self, text: &str) {
        self.series.clear();
        let mut counting: HashMap<&str, bool> = HashMap::new();
        for line in text.lines() {
            if let Some(declared) = line.strip_prefix("# TYPE ") {
                let (name, kind) = declared.split_once(' ').expect("a name and a type");
                counting.insert(name, matches!(kind, "counter" | "histogram"));
                continue;
            }
            let Some((series, value)) = line.rsplit_once(' ').filter(|_| !line.starts_with('#')) else {
                continue;
            };
            let value: f64 = value.parse().expect("a sample ends with a number");
            self.series.insert(series.to_owned(), value);
            let name = series.split('{').next().unwrap_or(series);
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
            if counting.get(name).or_else(|| counting.get(base.unwrap_or(name))).is_some_and(|counts| *counts)
            {
                let before = self.counters.insert(series.to_owned(), value).unwrap_or(0.0);
                assert!(value >= before, "{series} has fallen from {before} to {value}");
            }
        }
    }

    fn sum(&self, name: &str) -> f64 {
        let is_of = |series: &str| {
            series.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'))
        };
        self.series.iter().filter(|(series, _)| is_of(series)).map(|(_, value)| value).sum()
    }
}
