//! What can only be known by looking again and again: rates and peaks, for `INFO`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use mayfly_engine::ThreadCounters;

use crate::host::{Process, ServerHost};

/// How often is looked.
const EVERY: Duration = Duration::from_secs(1);

/// The latest look.
#[derive(Debug, Default)]
pub struct Samples {
    /// Commands in the last second.
    pub commands_per_second: AtomicU64,
    /// The most resident memory that was seen, in bytes.
    pub resident_bytes_max: AtomicU64,
}

/// Looks once a second until the process ends.
pub async fn sample(host: Arc<ServerHost>) {
    let mut before = 0;
    loop {
        tokio::time::sleep(EVERY).await;
        let now = host.total(ThreadCounters::calls);
        host.samples.commands_per_second.store(now - before, Relaxed);
        before = now;
        if let Some(process) = Process::read() {
            host.samples.resident_bytes_max.fetch_max(process.resident_bytes, Relaxed);
        }
    }
}
