//! How a lag is seen from outside: by events, or by how many keys are left.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use hdrhistogram::Histogram;

use super::super::unix_millis;
use super::Options;
use crate::load::latencies;
use crate::servers::{Asker, Server};

/// Between two looks at how many keys are left.
const LOOK_PAUSE: Duration = Duration::from_millis(2);

/// Lags of the events that came, in nanoseconds, among all that should have.
pub struct Lags {
    /// Of those that came.
    pub came: Histogram<u64>,
    /// How many should have come.
    pub watched: u64,
}

impl Lags {
    /// The lag within which so many of all watched keys were told; `None` if fewer were told at all.
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        let told = self.came.len() as f64 / self.watched as f64;
        (!self.came.is_empty() && quantile <= told).then(|| self.came.value_at_quantile(quantile / told))
    }
}

/// From the deadline of each key to when a subscriber read its event `expired`.
pub fn events(server: &Server, options: &Options, random: &mut Rng) -> Result<Lags> {
    let mut subscriber = Asker::connect(server.address)?;
    subscriber.ask(&["SUBSCRIBE", "__keyevent@0__:expired"])?;
    let mut deadlines = write_watched(server, options, random)?;
    let last = deadlines.values().max().copied().context("at least one key is watched")?;
    let mut came = latencies();
    let mut lines = BufReader::new(subscriber.into_socket());
    let mut line = String::new();
    while !deadlines.is_empty() {
        let left = (last + options.patience * 1_000).saturating_sub(unix_millis());
        if left == 0 {
            break;
        }
        lines.get_ref().set_read_timeout(Some(Duration::from_millis(left)))?;
        line.clear();
        match lines.read_line(&mut line) {
            Ok(0) => anyhow::bail!("{} closed the subscriber's connection", server.name),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error.into()),
        }
        if let Some(deadline) = deadlines.remove(line.trim_end()) {
            let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH)?;
            let lag = since_epoch.checked_sub(Duration::from_millis(deadline));
            came.record(
                lag.with_context(|| format!("{} told of {line:?} too early", server.name))?.as_nanos() as u64,
            )?;
        }
    }
    let mut asker = Asker::connect(server.address)?;
    for late in deadlines.keys() {
        // It must not disturb the next round.
        asker.ask_integer(&["DEL", late])?;
    }
    Ok(Lags { came, watched: options.watched })
}

/// From the k-th deadline to when `DBSIZE` had fallen by k, which is an upper bound: it holds the time between two
/// looks. For a server that counts keys until their memory is given back, and has no event.
pub fn removals(server: &Server, options: &Options, random: &mut Rng) -> Result<Lags> {
    let mut asker = Asker::connect(server.address)?;
    let written = write_watched(server, options, random)?;
    let mut deadlines: Vec<u64> = written.values().copied().collect();
    deadlines.sort_unstable();
    let last = deadlines.last().copied().context("at least one key is watched")?;
    let full = asker.ask_integer(&["DBSIZE"])?;
    let mut came = latencies();
    let mut seen = 0;
    while seen < deadlines.len() && unix_millis() < last + options.patience * 1_000 {
        std::thread::sleep(LOOK_PAUSE);
        let gone = (full - asker.ask_integer(&["DBSIZE"])?) as usize;
        for &deadline in &deadlines[seen.min(gone)..gone] {
            record(&mut came, deadline).with_context(|| format!("{} lost a key", server.name))?;
        }
        seen = gone;
    }
    for late in written.keys() {
        asker.ask_integer(&["DEL", late])?;
    }
    Ok(Lags { came, watched: options.watched })
}

/// Takes a key whose deadline was at a Unix millisecond as gone by now.
fn record(came: &mut Histogram<u64>, deadline: u64) -> Result<()> {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let lag = since_epoch.checked_sub(Duration::from_millis(deadline)).context("before its deadline")?;
    Ok(came.record(lag.as_nanos() as u64)?)
}

/// Writes the watched keys; returns their deadlines, Unix milliseconds.
fn write_watched(server: &Server, options: &Options, random: &mut Rng) -> Result<HashMap<String, u64>> {
    let first = unix_millis() + options.head_start;
    let mut asker = Asker::connect(server.address)?;
    let mut deadlines = HashMap::new();
    for number in 0..options.watched {
        let (key, deadline) = (format!("watched:{number}"), first + random.u64(..options.spread * 1_000));
        asker.ask_integer(&["HSET", &key, "f", "v"])?;
        asker.ask_integer(&["PEXPIREAT", &key, &deadline.to_string()])?;
        deadlines.insert(key, deadline);
    }
    ensure!(unix_millis() < first, "writing the watched keys took longer; give a longer --head-start");
    Ok(deadlines)
}

#[cfg(test)]
mod tests {
    use super::{Lags, latencies};

    #[test]
    fn a_key_that_nobody_told_of_is_later_than_all_others() {
        let mut came = latencies();
        for milliseconds in 1..=6 {
            came.record(milliseconds).unwrap();
        }
        let lags = Lags { came, watched: 10 };
        assert_eq!(lags.quantile(0.5), Some(5));
        assert_eq!(lags.quantile(0.6), Some(6));
        assert_eq!(lags.quantile(0.61), None);
        assert_eq!(Lags { came: latencies(), watched: 1 }.quantile(0.5), None);
    }
}
