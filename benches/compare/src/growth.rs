//! What a light client feels while the keyspace grows to many millions of keys.
//!
//! First the keys are written for the first time, then as many writes go to keys that are there: the difference
//! is what growth adds to the load itself.

use anyhow::Result;
use clap::Args;
use fastrand::Rng;
use serde_json::{Value, json};

use crate::Common;
use crate::light::LightClient;
use crate::load::{Keys, Load, latencies};
use crate::report;
use crate::requests::Template;
use crate::scrape::Scrape;
use crate::server::Server;

/// Flags of the measurement.
#[derive(Args)]
pub struct Options {
    /// Keys to write.
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    keys: u64,
    /// Connections that write.
    #[arg(long, value_name = "N", default_value_t = 8)]
    connections: usize,
    /// Depth of their pipelines.
    #[arg(long, value_name = "N", default_value_t = 16)]
    pipeline: usize,
}

/// Runs the measurement and prints its table.
pub fn run(common: &Common, options: &Options, _random: &mut Rng) -> Result<Value> {
    let keys = if common.quick { 20_000 } else { options.keys };
    let mut rows = Vec::new();
    let mut results = Vec::new();
    measure(&Server::redis(&common.redis)?, keys, options, &mut rows, &mut results)?;
    for &shards in &common.shards {
        measure(&Server::mayfly(common, shards)?, keys, options, &mut rows, &mut results)?;
    }
    println!(
        "HSET of {keys} keys over {} connections, pipelines of {}; beside it HGET once a millisecond",
        options.connections, options.pipeline
    );
    report::table(
        &["server", "writes", "ops/s", "light p50", "p99", "p99.9", "max", "longest away from mailbox"],
        &rows,
    );
    Ok(Value::Array(results))
}

fn measure(
    server: &Server,
    keys: u64,
    options: &Options,
    rows: &mut Vec<Vec<String>>,
    results: &mut Vec<Value>,
) -> Result<()> {
    let template = Template::new(&[&["HSET", "{key}", "f", "0123456789abcdef0123456789abcdef"]]);
    let mut load = Load::connect(server.address, options.connections)?;
    for writes in ["new keys", "the same keys"] {
        let (work, light) = LightClient::beside(server.address, || {
            load.run(&template, options.pipeline, Keys::Ascending(0..keys), None, &mut latencies())
        })?;
        let away = server.metrics.map(Scrape::take).transpose()?;
        let away = away.map(|scrape| scrape.max("mayfly_shard_busy_max_seconds"));
        let rate = work.operations as f64 / work.elapsed.as_secs_f64();
        let mut row = vec![server.name.clone(), writes.to_owned(), format!("{:.0} k", rate / 1e3)];
        row.extend(report::quantiles(&light));
        row.push(away.map_or(String::new(), |seconds| report::time((seconds * 1e9) as u64)));
        rows.push(row);
        results.push(json!({
            "server": server.name,
            "writes": writes,
            "operations_per_second": rate,
            "light_client_seconds": report::quantiles_json(&light),
            "longest_away_seconds_since_start": away,
        }));
    }
    Ok(())
}
