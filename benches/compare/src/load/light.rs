//! The light client: one small request after the other, each after a short pause, on a connection of its own.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use hdrhistogram::Histogram;

use super::latencies;
use crate::servers::Asker;

/// From a reply to the next request.
const PAUSE: Duration = Duration::from_micros(250);

/// A light client at work.
pub struct LightClient {
    shared: Arc<Shared>,
    thread: JoinHandle<Result<()>>,
}

struct Shared {
    stop: AtomicBool,
    times: Mutex<Histogram<u64>>,
}

impl LightClient {
    /// Begins to ask `HGET` of a key that is not there.
    pub fn start(address: SocketAddr) -> Result<Self> {
        LightClient::sending(address, &["HGET", "light", "f"])
    }

    /// Begins to send this request.
    pub fn sending(address: SocketAddr, request: &'static [&'static str]) -> Result<Self> {
        let mut asker = Asker::connect(address)?;
        let shared = Arc::new(Shared { stop: AtomicBool::new(false), times: Mutex::new(latencies()) });
        let own = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            while !own.stop.load(Relaxed) {
                std::thread::sleep(PAUSE);
                let start = Instant::now();
                asker.ask(request)?;
                // A wait that kept the next requests from being sent counts for those too.
                let waited = start.elapsed().as_nanos() as u64;
                let mut times = own.times.lock().unwrap_or_else(PoisonError::into_inner);
                times.record_correct(waited, PAUSE.as_nanos() as u64)?;
            }
            Ok(())
        });
        Ok(LightClient { shared, thread })
    }

    /// How long its requests took since the start or the last look, in nanoseconds.
    pub fn look(&self) -> Histogram<u64> {
        let mut times = self.shared.times.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut times, latencies())
    }

    /// Ends it after the request under way; returns what was not looked at.
    pub fn stop(self) -> Result<Histogram<u64>> {
        self.shared.stop.store(true, Relaxed);
        let LightClient { shared, thread } = self;
        thread.join().map_err(|_| anyhow!("the light client panicked"))??;
        let mut times = shared.times.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::replace(&mut times, latencies()))
    }

    /// What it sees while `work` runs.
    pub fn beside<R>(address: SocketAddr, work: impl FnOnce() -> Result<R>) -> Result<(R, Histogram<u64>)> {
        let light = LightClient::start(address)?;
        let result = work();
        let times = light.stop();
        Ok((result?, times?))
    }
}
