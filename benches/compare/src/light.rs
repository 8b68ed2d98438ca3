//! The light client: one small request every millisecond on a connection of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use hdrhistogram::Histogram;

use crate::load::latencies;
use crate::server::Asker;

/// From one request to the next.
const PAUSE: Duration = Duration::from_millis(1);

/// A light client at work.
pub struct LightClient {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Histogram<u64>>>,
}

impl LightClient {
    /// Begins to ask `HGET` of a key that is not there.
    pub fn start(address: SocketAddr) -> Result<Self> {
        let mut asker = Asker::connect(address)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut times = latencies();
            while !stopped.load(Relaxed) {
                std::thread::sleep(PAUSE);
                let start = Instant::now();
                asker.ask(&["HGET", "light", "f"])?;
                // A wait that kept the next requests from being sent counts for those too.
                let waited = start.elapsed().as_nanos() as u64;
                times.record_correct(waited, PAUSE.as_nanos() as u64)?;
            }
            Ok(times)
        });
        Ok(LightClient { stop, thread })
    }

    /// Ends it and returns how long its requests took, in nanoseconds.
    pub fn stop(self) -> Result<Histogram<u64>> {
        self.stop.store(true, Relaxed);
        self.thread.join().map_err(|_| anyhow!("the light client panicked"))?
    }

    /// What it sees while `work` runs.
    pub fn beside<R>(address: SocketAddr, work: impl FnOnce() -> Result<R>) -> Result<(R, Histogram<u64>)> {
        let light = LightClient::start(address)?;
        let result = work();
        let times = light.stop();
        Ok((result?, times?))
    }
}
