//! What a light client feels while many keys fall due in the same second, and how soon they are gone.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use clap::Args;
use serde_json::{Value, json};

use super::{Common, finite, longest_away, longest_away_shown, unix_millis};
use crate::load::{LightClient, Operation, fill};
use crate::report::{self, Findings};
use crate::servers::{Program, Recipe, Server};

/// Flags of the measurement.
#[derive(Args, Clone)]
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
    /// Seconds that the light client runs before the storm.
    #[arg(long, value_name = "S", default_value_t = 5.0)]
    calm: f64,
}

/// Between two looks at how many keys are left.
const LOOK_PAUSE: Duration = Duration::from_millis(10);

/// Runs the measurement and prints its table.
pub fn run(common: &Common, options: &Options) -> Result<Value> {
    let mut options = options.clone();
    if common.quick {
        options = Options { keys: 10_000, lead: 2, patience: 1, calm: 0.3 };
    }
    let mut findings = Findings::default();
    for recipe in common.lineup.servers()? {
        eprintln!("storm: {}", recipe.label());
        measure(&recipe, &options, &mut findings)?;
    }
    println!("{} keys due in the same second; beside it a light client's HGET", options.keys);
    let head = [
        "server",
        "keys gone after",
        "a second and shard",
        "away from mailbox",
        "light p50 before",
        "p99",
        "max",
        "during: p50",
        "p99",
        "max",
        "p99 during/before",
    ];
    Ok(findings.table(&head))
}

fn measure(recipe: &Recipe, options: &Options, findings: &mut Findings) -> Result<()> {
    let server = Server::start(recipe)?;
    let deadline = unix_millis() / 1_000 + options.lead;
    let due = UNIX_EPOCH + Duration::from_secs(deadline);
    let until_due = || due.duration_since(SystemTime::now()).unwrap_or_default();
    let text = deadline.to_string();
    let operation = Operation::new(&[vec!["HSET", "key:{n}", "f", "v"], vec!["EXPIREAT", "key:{n}", &text]]);
    fill(server.address, &operation, 0..options.keys)?;
    let calm = Duration::from_secs_f64(options.calm);
    ensure!(until_due() > calm, "{}: writing took too long; give a longer --lead", server.name);

    std::thread::sleep(until_due() - calm);
    let light = LightClient::start(server.address)?;
    let metrics = server.scrape()?;
    std::thread::sleep(until_due());
    let before = light.look();
    let (after, left) = wait_until_gone(&server, due, options.patience)?;
    let during = light.stop()?;
    let away = longest_away(metrics.as_ref(), server.scrape()?.as_ref())?;

    let shards = if server.program == Program::Mayfly { f64::from(server.threads) } else { 1.0 };
    let rate = (options.keys - left) as f64 / after.as_secs_f64() / shards;
    let p99 = during.value_at_quantile(0.99) as f64 / before.value_at_quantile(0.99) as f64;
    let mut row = vec![server.name.clone()];
    row.push(if left == 0 { format!("{after:.2?}") } else { format!("{left} left after {after:.0?}") });
    row.extend([format!("{:.0} k", rate / 1e3), longest_away_shown(away)]);
    for times in [&before, &during] {
        let [p50, p99, _, max] = report::quantiles(times);
        row.extend([p50, p99, max]);
    }
    row.push(format!("{p99:.2}"));
    let result = json!({
        "server": server.name,
        "program": server.program.name(),
        "keys": options.keys,
        "keys_left": left,
        "seconds": after.as_secs_f64(),
        "keys_a_second_and_shard": rate,
        "away_from_mailbox_seconds_at_most": finite(away),
        "light_client_seconds_before": report::quantiles_json(&before),
        "light_client_seconds_during": report::quantiles_json(&during),
        "light_client_p99_ratio": p99,
    });
    findings.add(row, result);
    Ok(())
}

/// How long after the deadline nothing was held any more, or how many keys still were when nobody waits longer.
fn wait_until_gone(server: &Server, due: SystemTime, patience: u64) -> Result<(Duration, u64)> {
    loop {
        let (held, after) = (server.held_keys()?, due.elapsed().unwrap_or_default());
        if held == 0 || after >= Duration::from_secs(patience) {
            return Ok((after, held));
        }
        std::thread::sleep(LOOK_PAUSE);
    }
}
