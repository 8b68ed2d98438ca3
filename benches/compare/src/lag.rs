//! How late keys are removed while many others hold a TTL.
//!
//! Mayfly is measured twice: from inside by its histogram `mayfly_shard_expiry_lag_seconds`, whose buckets give
//! upper bounds, and from outside by scraping its counter of removed keys again and again: the k-th removal seen
//! less the k-th deadline. The second holds the time of a scrape and the pause between two, so it is an upper
//! bound too. Redis is measured by a subscriber to its event `expired`.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use clap::Args;
use fastrand::Rng;
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::Common;
use crate::load::{Keys, Load, latencies};
use crate::report;
use crate::requests::Template;
use crate::scrape::{Scrape, quantile_bound};
use crate::server::{Asker, Server};

/// Flags of the measurement.
#[derive(Args)]
pub struct Options {
    /// Keys that hold a TTL of an hour meanwhile.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    others: u64,
    /// Keys whose deadlines are watched.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    watched: u64,
    /// Over how many seconds their deadlines are spread.
    #[arg(long, value_name = "S", default_value_t = 20)]
    spread: u64,
    /// How many seconds after the last deadline to wait for removals.
    #[arg(long, value_name = "S", default_value_t = 40)]
    patience: u64,
}

/// From the writing of the watched keys to the first deadline.
const HEAD_START_MS: u64 = 2_000;
/// Between two scrapes.
const SCRAPE_PAUSE: Duration = Duration::from_millis(2);
const LAG: &str = "mayfly_shard_expiry_lag_seconds";
const EXPIRED: &str = "mayfly_shard_expired_keys_total";

/// Runs the measurement and prints its table.
pub fn run(common: &Common, options: &Options, random: &mut Rng) -> Result<Value> {
    let mut options = Options { ..*options };
    if common.quick {
        options = Options { others: 10_000, watched: 50, spread: 1, patience: 2 };
    }
    let mut rows = Vec::new();
    let mut results = Vec::new();
    let mut add = |server: &str, how: &str, found: [String; 5], result: Value| {
        rows.push([server.to_owned(), how.to_owned()].into_iter().chain(found).collect::<Vec<_>>());
        results.push(json!({ "server": server, "measured": how, "result": result }));
    };
    let redis = Server::redis(&common.redis)?;
    let times = events(&redis, &options, random)?;
    add(&redis.name, "event expired", shown(&times, &options), result(&times));
    drop(redis);
    for &shards in &common.shards {
        let server = Server::mayfly(common, shards)?;
        let (inside, outside) = removals(&server, &options, random)?;
        add(&server.name, "outside", shown(&outside, &options), result(&outside));
        let [median, p999, max] = inside.map(|bound| format!("≤ {} ms", bound * 1e3));
        let found = [shown(&outside, &options)[0].clone(), median, String::new(), p999, max];
        let [median, p999, max] = inside;
        add(&server.name, "inside", found, json!({ "p50": median, "p999": p999, "max": max }));
    }
    println!(
        "{} keys with deadlines spread over {} s, while {} others hold a TTL; waited {} s after the last deadline",
        options.watched, options.spread, options.others, options.patience
    );
    report::table(&["server", "measured", "removed", "median", "p99", "p99.9", "max"], &rows);
    Ok(Value::Array(results))
}

fn shown(times: &Histogram<u64>, options: &Options) -> [String; 5] {
    let removed = format!("{} of {}", times.len(), options.watched);
    let [p50, p99, p999, max] = report::quantiles(times);
    [removed, p50, p99, p999, max]
}

fn result(times: &Histogram<u64>) -> Value {
    report::quantiles_json(times)
}

/// Lags of Redis' events.
fn events(server: &Server, options: &Options, random: &mut Rng) -> Result<Histogram<u64>> {
    server.ask(&["CONFIG", "SET", "notify-keyspace-events", "Ex"])?;
    fill(server, options)?;
    let mut subscriber = Asker::connect(server.address)?;
    subscriber.ask(&["SUBSCRIBE", "__keyevent@0__:expired"])?;
    let deadlines = write_watched(server, options, random)?;
    let last = deadlines.values().max().copied().context("at least one key is watched")?;
    let mut times = latencies();
    let mut lines = BufReader::new(subscriber.into_socket());
    while times.len() < options.watched {
        let left = (last + options.patience * 1_000).saturating_sub(unix_millis());
        if left == 0 {
            break;
        }
        lines.get_ref().set_read_timeout(Some(Duration::from_millis(left)))?;
        let mut line = String::new();
        match lines.read_line(&mut line) {
            Ok(_) => {}
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock) => break,
            Err(error) => return Err(error.into()),
        }
        if let Some(deadline) = deadlines.get(line.trim_end()) {
            record(&mut times, *deadline)?;
        }
    }
    Ok(times)
}

/// Lags of Mayfly's removals: the bounds of median, p99.9 and maximum from inside, all from outside.
fn removals(server: &Server, options: &Options, random: &mut Rng) -> Result<([f64; 3], Histogram<u64>)> {
    let metrics = server.metrics.context("Mayfly serves metrics")?;
    fill(server, options)?;
    let before = Scrape::take(metrics)?;
    let mut deadlines: Vec<u64> = write_watched(server, options, random)?.into_values().collect();
    deadlines.sort_unstable();
    let last = deadlines.last().copied().context("at least one key is watched")?;
    let mut times = latencies();
    let mut seen = 0;
    while seen < deadlines.len() && unix_millis() < last + options.patience * 1_000 {
        std::thread::sleep(SCRAPE_PAUSE);
        let removed = (Scrape::take(metrics)?.sum(EXPIRED) - before.sum(EXPIRED)) as usize;
        for deadline in &deadlines[seen..removed] {
            record(&mut times, *deadline)?;
        }
        seen = removed;
    }
    let (before, after) = (before.buckets(LAG)?, Scrape::take(metrics)?.buckets(LAG)?);
    Ok(([0.5, 0.999, 1.0].map(|quantile| quantile_bound(&before, &after, quantile)), times))
}

/// Gives the others their TTL.
fn fill(server: &Server, options: &Options) -> Result<()> {
    let template = Template::new(&[&["HSET", "{key}", "f", "v"], &["EXPIRE", "{key}", "3600"]]);
    let keys = Keys::Ascending(0..options.others);
    Load::connect(server.address, 8)?.run(&template, 64, keys, None, &mut latencies())?;
    Ok(())
}

/// Writes the watched keys; returns their deadlines, Unix milliseconds.
fn write_watched(server: &Server, options: &Options, random: &mut Rng) -> Result<HashMap<String, u64>> {
    let first = unix_millis() + HEAD_START_MS;
    let mut asker = Asker::connect(server.address)?;
    let mut deadlines = HashMap::new();
    for number in 0..options.watched {
        let (key, deadline) = (format!("watched:{number}"), first + random.u64(..options.spread * 1_000));
        asker.ask_integer(&["HSET", &key, "f", "v"])?;
        asker.ask_integer(&["PEXPIREAT", &key, &deadline.to_string()])?;
        deadlines.insert(key, deadline);
    }
    ensure!(unix_millis() < first, "writing the watched keys took longer than {HEAD_START_MS} ms");
    Ok(deadlines)
}

fn record(times: &mut Histogram<u64>, deadline_millis: u64) -> Result<()> {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let lag = since_epoch.saturating_sub(Duration::from_millis(deadline_millis));
    times.record(lag.as_nanos() as u64)?;
    Ok(())
}

fn unix_millis() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
