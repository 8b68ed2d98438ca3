//! What can only be known by looking again and again: rates and peaks, for `INFO`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use mayfly_command::imbalance;
use mayfly_engine::ThreadCounters;

use crate::host::{Process, ServerHost};

/// How often is looked.
const EVERY: Duration = Duration::from_secs(1);

/// The latest look.
#[derive(Debug, Default)]
pub struct Samples {
    /// Commands in the last second.
    pub commands_per_second: AtomicU64,
    /// Bytes received in the last second.
    pub input_bytes_per_second: AtomicU64,
    /// Bytes sent in the last second.
    pub output_bytes_per_second: AtomicU64,
    /// How uneven the calls of the last seconds were over the shards: the bits of a double, 0 before the first look.
    calls_imbalance: AtomicU64,
    /// The most resident memory that was seen, in bytes.
    pub resident_bytes_max: AtomicU64,
}

impl Samples {
    /// How uneven the calls of the last seconds were over the shards.
    pub fn calls_imbalance(&self) -> f64 {
        f64::from_bits(self.calls_imbalance.load(Relaxed)).max(1.0)
    }
}

/// What a look leaves of the calls before it: the last ten seconds have two thirds of the weight.
const CALLS_KEPT: f64 = 0.9;
/// Calls of a shard in these seconds below which shards are not compared: few fall anywhere.
const CALLS_MIN: f64 = 100.0;

/// The calls of each shard in the last seconds.
struct RecentCalls(Vec<(u64, f64)>);

impl RecentCalls {
    /// Takes what each shard has run since the start; how uneven it was in the last seconds.
    fn look(&mut self, totals: impl Iterator<Item = u64>) -> f64 {
        for ((before, recent), now) in self.0.iter_mut().zip(totals) {
            *recent = *recent * CALLS_KEPT + now.saturating_sub(*before) as f64;
            *before = now;
        }
        let recent = || self.0.iter().map(|(_, recent)| *recent);
        if recent().sum::<f64>() < CALLS_MIN * self.0.len() as f64 { 1.0 } else { imbalance(recent()) }
    }
}

/// Looks once a second until the process ends.
pub async fn sample(host: Arc<ServerHost>) {
    let mut before = (0, 0, 0);
    let mut recent = RecentCalls(vec![(0, 0.0); host.counters.len()]);
    loop {
        tokio::time::sleep(EVERY).await;
        let now = (
            host.total(ThreadCounters::calls),
            host.total(|thread| thread.input_bytes.get()),
            host.total(|thread| thread.output_bytes.get()),
        );
        host.samples.commands_per_second.store(now.0 - before.0, Relaxed);
        host.samples.input_bytes_per_second.store(now.1 - before.1, Relaxed);
        host.samples.output_bytes_per_second.store(now.2 - before.2, Relaxed);
        before = now;
        let uneven = recent.look(host.counters.iter().map(|thread| thread.batch_calls.sum()));
        host.samples.calls_imbalance.store(uneven.to_bits(), Relaxed);
        if let Some(process) = Process::read() {
            host.samples.resident_bytes_max.fetch_max(process.resident_bytes, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_uneven_while_they_are_and_few_are_not_compared() {
        let mut recent = RecentCalls(vec![(0, 0.0); 2]);
        assert_eq!(recent.look([100, 0].into_iter()), 1.0, "few calls");
        assert!(recent.look([10_100, 0].into_iter()) > 1.9);
        assert_eq!(recent.look([10_100, 0].into_iter()), 2.0, "the last seconds count");
        let mut calls = [10_100, 0];
        for _ in 0..60 {
            calls = [calls[0] + 500, calls[1] + 500];
            recent.look(calls.into_iter());
        }
        assert!(recent.look(calls.into_iter()) < 1.01, "and no more");
    }
}
