//! What a server uses while nobody asks and many keys hold a TTL.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::Common;
use crate::load::{Operation, fill};
use crate::report::Findings;
use crate::servers::{Recipe, Server};

/// Flags of the measurement.
#[derive(Args, Clone)]
pub struct Options {
    /// Keys that hold a TTL of an hour.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    keys: u64,
    /// Seconds to look on.
    #[arg(long, value_name = "S", default_value_t = 20.0)]
    seconds: f64,
}

/// Runs the measurement and prints its table.
pub fn run(common: &Common, options: &Options) -> Result<Value> {
    let mut options = options.clone();
    if common.quick {
        options = Options { keys: 10_000, seconds: 0.5 };
    }
    let mut findings = Findings::default();
    for recipe in common.lineup.servers()? {
        eprintln!("idle: {}", recipe.label());
        measure(&recipe, &options, &mut findings)?;
    }
    println!("Idle for {} s while {} keys hold a TTL", options.seconds, options.keys);
    Ok(findings.table(&["server", "of a core"]))
}

fn measure(recipe: &Recipe, options: &Options, findings: &mut Findings) -> Result<()> {
    let server = Server::start(recipe)?;
    let operation = Operation::new(&[vec!["HSET", "key:{n}", "f", "v"], vec!["EXPIRE", "key:{n}", "3600"]]);
    fill(server.address, &operation, 0..options.keys)?;
    // What the writes left to do may be done first.
    std::thread::sleep(Duration::from_secs_f64(options.seconds / 10.0));
    let before = server.cpu()?;
    std::thread::sleep(Duration::from_secs_f64(options.seconds));
    let share = (server.cpu()? - before).as_secs_f64() / options.seconds;
    let row = vec![server.name.clone(), format!("{:.2} %", share * 100.0)];
    let result = json!({
        "server": server.name,
        "program": server.program.name(),
        "keys": options.keys,
        "share_of_a_core": share,
    });
    findings.add(row, result);
    Ok(())
}
