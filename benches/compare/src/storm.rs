//! What a light client feels while many keys fall due in the same second, and how soon they are gone.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use clap::Args;
use fastrand::Rng;
use serde_json::{Value, json};

use crate::Common;
use crate::light::LightClient;
use crate::load::{Keys, Load, latencies};
use crate::report;
use crate::requests::Template;
use crate::scrape::Scrape;
use crate::server::{Asker, Server};

/// Flags of the measurement.
#[derive(Args)]
pub struct Options {
    /// Keys that fall due.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    keys: u64,
    /// Seconds to write them in, before they fall due.
    #[arg(long, value_name = "S", default_value_t = 30)]
    lead: u64,
    /// Seconds to wait until they are gone.
    #[arg(long, value_name = "S", default_value_t = 60)]
    patience: u64,
}

/// How long the light client runs before the storm.
const CALM: Duration = Duration::from_secs(3);
/// Between two looks at how many keys are left.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// Runs the measurement and prints its table.
pub fn run(common: &Common, options: &Options, _random: &mut Rng) -> Result<Value> {
    let mut options = Options { ..*options };
    if common.quick {
        options = Options { keys: 10_000, lead: 5, patience: 10 };
    }
    let mut rows = Vec::new();
    let mut results = Vec::new();
    measure(&Server::redis(&common.redis)?, &options, &mut rows, &mut results)?;
    for &shards in &common.shards {
        measure(&Server::mayfly(common, shards)?, &options, &mut rows, &mut results)?;
    }
    println!("{} keys due in the same millisecond; beside it HGET once a millisecond", options.keys);
    report::table(&["server", "when", "light p50", "p99", "p99.9", "max", "keys gone after"], &rows);
    Ok(Value::Array(results))
}

fn measure(
    server: &Server,
    options: &Options,
    rows: &mut Vec<Vec<String>>,
    results: &mut Vec<Value>,
) -> Result<()> {
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + options.lead;
    let due = UNIX_EPOCH + Duration::from_secs(deadline);
    let text = deadline.to_string();
    let template = Template::new(&[&["HSET", "{key}", "f", "v"], &["EXPIREAT", "{key}", &text]]);
    let keys = Keys::Ascending(0..options.keys);
    Load::connect(server.address, 8)?.run(&template, 64, keys, None, &mut latencies())?;
    let left = due.duration_since(SystemTime::now()).unwrap_or_default();
    ensure!(left > CALM, "{}: writing took too long; give a longer --lead", server.name);

    std::thread::sleep(left - CALM);
    let ((), before) = LightClient::beside(server.address, || {
        std::thread::sleep(due.duration_since(SystemTime::now()).unwrap_or_default());
        Ok(())
    })?;
    let (gone, during) = LightClient::beside(server.address, || wait_until_gone(server, options))?;
    for (when, times, gone) in [("before", before, None), ("during", during, Some(gone))] {
        let gone = gone.map(|gone| gone.map_or_else(|| "not yet".to_owned(), |time| format!("{time:.2?}")));
        let mut row = vec![server.name.clone(), when.to_owned()];
        row.extend(report::quantiles(&times));
        row.push(gone.clone().unwrap_or_default());
        rows.push(row);
        results.push(json!({
            "server": server.name,
            "when": when,
            "light_client_seconds": report::quantiles_json(&times),
            "keys_gone_after": gone,
        }));
    }
    Ok(())
}

/// How long it takes until nothing is held any more; `None` if that is longer than anybody waits.
fn wait_until_gone(server: &Server, options: &Options) -> Result<Option<Duration>> {
    let start = Instant::now();
    let mut asker = Asker::connect(server.address)?;
    while start.elapsed() < Duration::from_secs(options.patience) {
        // DBSIZE of Redis counts what is still held; Mayfly's does not count what is due.
        let held = match server.metrics {
            Some(metrics) => Scrape::take(metrics)?.sum("mayfly_shard_keys") as u64,
            None => asker.ask_integer(&["DBSIZE"]).context("DBSIZE of Redis")?,
        };
        if held == 0 {
            return Ok(Some(start.elapsed()));
        }
        std::thread::sleep(LOOK_PAUSE);
    }
    Ok(None)
}
