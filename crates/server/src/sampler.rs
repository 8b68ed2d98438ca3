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
    /// Bytes received in the last second.
    pub input_bytes_per_second: AtomicU64,
    /// Bytes sent in the last second.
    pub output_bytes_per_second: AtomicU64,
    /// The most resident memory that was seen, in bytes.
    pub resident_bytes_max: AtomicU64,
}

/// Looks once a second until the process ends.
pub async fn sample(host: Arc<ServerHost>) {
    let mut before = (0, 0, 0);
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
        if let Some(process) = Process::read() {
            host.samples.resident_bytes_max.fetch_max(process.resident_bytes, Relaxed);
        }
    }
}
