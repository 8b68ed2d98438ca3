//! How late keys expire while many others hold a TTL.
//!
//! [`watch`] says how a lag is seen from outside. A key of which nobody heard counts as later than everybody
//! waited. Mayfly tells its own view as well: the histogram `mayfly_shard_expiry_lag_seconds`, whose buckets give
//! upper bounds.

mod watch;

use anyhow::Result;
use clap::Args;
use fastrand::Rng;
use serde_json::{Value, json};

use super::{Common, finite};
use crate::load::{Operation, fill};
use crate::report::{self, Findings};
use crate::servers::{Program, Recipe, Scrape, Server, quantile_bound};

/// Flags of the measurement.
#[derive(Args, Clone)]
pub struct Options {
    /// Numbers of keys that hold a TTL of a day meanwhile, ascending.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "0,10000,100000,1000000,10000000")]
    others: Vec<u64>,
    /// Keys whose deadlines are watched.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    watched: u64,
    /// Over how many seconds their deadlines are spread.
    #[arg(long, value_name = "S", default_value_t = 10)]
    spread: u64,
    /// How many seconds after the last deadline to wait for events.
    #[arg(long, value_name = "S", default_value_t = 30)]
    patience: u64,
    /// How many ms the writing of the watched keys may take.
    #[arg(long, value_name = "MS", default_value_t = 5_000)]
    head_start: u64,
}

const LAG: &str = "mayfly_shard_expiry_lag_seconds";

/// Runs the measurement and prints its table.
pub fn run(common: &Common, options: &Options, random: &mut Rng) -> Result<Value> {
    let mut options = options.clone();
    if common.quick {
        options = Options { others: vec![0, 1_000], watched: 200, spread: 1, patience: 1, head_start: 500 };
    }
    let mut findings = Findings::default();
    for recipe in common.lineup.servers()? {
        measure(&recipe.with_events(), &options, random, &mut findings)?;
    }
    println!(
        "{} keys with deadlines spread over {} s; awaited until {} s after the last",
        options.watched, options.spread, options.patience
    );
    let head =
        ["server", "other keys with TTL", "seen by", "seen", "p50", "p99.9", "max", "inside: p99.9", "max"];
    Ok(findings.table(&head))
}

fn measure(recipe: &Recipe, options: &Options, random: &mut Rng, findings: &mut Findings) -> Result<()> {
    let server = Server::start(recipe)?;
    let mut written = 0;
    for &others in &options.others {
        eprintln!("lag: {}, {others} others", server.name);
        // Those of the last round are still there.
        let operation =
            Operation::new(&[vec!["HSET", "key:{n}", "f", "v"], vec!["EXPIRE", "key:{n}", "86400"]]);
        fill(server.address, &operation, written..others)?;
        written = others;
        let before = server.scrape()?;
        // It has no event for what expires.
        let by_size = server.program == Program::Kevy;
        let lags = if by_size { watch::removals } else { watch::events }(&server, options, random)?;
        let inside = inside(before.as_ref(), server.scrape()?.as_ref())?;
        let by = if by_size { "DBSIZE" } else { "event" };
        let seen = format!("{} of {}", lags.came.len(), lags.watched);
        let mut row = vec![server.name.clone(), others.to_string(), by.to_owned(), seen];
        row.extend([0.5, 0.999, 1.0].map(|quantile| match lags.quantile(quantile) {
            Some(lag) => report::time(lag),
            None => format!("> {} s", options.patience),
        }));
        row.extend(inside.map_or([String::new(), String::new()], |bounds| {
            bounds.map(|bound| format!("≤ {} ms", bound * 1e3))
        }));
        let seconds = |quantile| lags.quantile(quantile).map(|nanos| nanos as f64 / 1e9);
        let result = json!({
            "server": server.name,
            "program": server.program.name(),
            "others": others,
            "watched": lags.watched,
            "seen_by": by,
            "seen": lags.came.len(),
            "p50": seconds(0.5),
            "p999": seconds(0.999),
            "max": seconds(1.0),
            "waited_seconds": options.patience,
            "inside_p999_at_most": finite(inside.map(|[p999, _]| p999)),
            "inside_max_at_most": finite(inside.map(|[_, max]| max)),
        });
        findings.add(row, result);
    }
    Ok(())
}

/// Bounds of p99.9 and maximum from inside.
fn inside(before: Option<&Scrape>, after: Option<&Scrape>) -> Result<Option<[f64; 2]>> {
    let (Some(before), Some(after)) = (before, after) else {
        return Ok(None);
    };
    let (before, after) = (before.buckets(LAG)?, after.buckets(LAG)?);
    Ok(Some([0.999, 1.0].map(|quantile| quantile_bound(&before, &after, quantile))))
}
