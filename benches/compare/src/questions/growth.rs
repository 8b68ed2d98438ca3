//! What a light client feels while the keyspace grows to many millions of keys.
//!
//! First the keys are written for the first time, then as many writes go to keys that are there: the difference
//! is what growth adds to the load itself.

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::{Common, finite, longest_away, longest_away_shown};
use crate::load::{Keys, LightClient, Load, Operation, latencies};
use crate::report::{self, Findings};
use crate::servers::{Recipe, Server};

/// Flags of the measurement.
#[derive(Args, Clone)]
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
pub fn run(common: &Common, options: &Options) -> Result<Value> {
    let keys = if common.quick { 20_000 } else { options.keys };
    let mut findings = Findings::default();
    for recipe in common.lineup.servers()? {
        eprintln!("growth: {}", recipe.label());
        measure(&recipe, keys, options, &mut findings)?;
    }
    println!(
        "HSET of {keys} keys over {} connections, pipelines of {}; beside it a light client's HGET",
        options.connections, options.pipeline
    );
    let head = ["server", "writes", "ops/s", "light p50", "p99", "p99.9", "max", "away from mailbox"];
    Ok(findings.table(&head))
}

fn measure(recipe: &Recipe, keys: u64, options: &Options, findings: &mut Findings) -> Result<()> {
    let server = Server::start(recipe)?;
    let operation = Operation::new(&[vec!["HSET", "key:{n}", "f", "0123456789abcdef0123456789abcdef"]]);
    let mut load = Load::connect(server.address, options.connections)?;
    for writes in ["new keys", "the same keys"] {
        let before = server.scrape()?;
        let (work, light) = LightClient::beside(server.address, || {
            load.run(&operation, options.pipeline, Keys::Ascending(0..keys), None, &mut latencies())
        })?;
        let away = longest_away(before.as_ref(), server.scrape()?.as_ref())?;
        let rate = work.operations as f64 / work.elapsed.as_secs_f64();
        let mut row = vec![server.name.clone(), writes.to_owned(), format!("{:.0} k", rate / 1e3)];
        row.extend(report::quantiles(&light));
        row.push(longest_away_shown(away));
        let result = json!({
            "server": server.name,
            "program": server.program.name(),
            "writes": writes,
            "keys": keys,
            "operations_per_second": rate,
            "light_client_seconds": report::quantiles_json(&light),
            "away_from_mailbox_seconds_at_most": finite(away),
        });
        findings.add(row, result);
    }
    Ok(())
}
