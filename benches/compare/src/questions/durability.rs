//! What it costs to keep changes on the disk: a field and the TTL of its key, set with and without a log behind it.
//!
//! Slices in random order, as in [`super::throughput`], but longer, so that a sync of each second falls into one, with a
//! rest behind each: what a server does late, on its own or by the disk, is counted as its own and over before the next
//! server's turn. Neither Mayfly nor Redis takes snapshots by itself meanwhile; that is another question.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use fastrand::Rng;
use serde_json::{Value, json};

use super::Common;
use super::comparison::{Samples, estimate};
use super::throughput::{self, Manner, Options as Slices};
use crate::cases::Case;
use crate::report::{self, Findings};
use crate::servers::persistence::place;
use crate::servers::{Persistence, Program, Recipe};
use crate::statistics::Estimate;

/// Flags of the measurement.
#[derive(Args, Clone)]
pub struct Options {
    /// Depths of the pipelines.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,16")]
    pipelines: Vec<usize>,
    /// Connections to each server.
    #[arg(long, value_name = "N", default_value_t = 50)]
    connections: usize,
    /// Number of keys.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    keys: u64,
    /// Fresh processes of every server with fresh folders, one after the other.
    #[arg(long, value_name = "N", default_value_t = 3)]
    processes: usize,
    /// Length of one slice in ms.
    #[arg(long, value_name = "MS", default_value_t = 1_500)]
    slice: u64,
    /// Rest behind each slice in ms.
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    rest: u64,
    /// How long every server is active for one row of the table, in seconds.
    #[arg(long, value_name = "S", default_value_t = 18.0)]
    active: f64,
}

/// Each program by what it keeps, the first of it without.
const LINES: [(Program, Persistence); 7] = [
    (Program::Mayfly, Persistence::Without),
    (Program::Mayfly, Persistence::Never),
    (Program::Mayfly, Persistence::Everysec),
    (Program::Mayfly, Persistence::Always),
    (Program::Redis, Persistence::Without),
    (Program::Redis, Persistence::Everysec),
    (Program::Redis, Persistence::Always),
];

/// Runs the comparison and prints its table.
pub fn run(common: &Common, options: &Options, random: &mut Rng) -> Result<Value> {
    let place = place()?;
    let slices = slices(options, common.quick);
    let (mayfly, redis) = (common.lineup.mayfly()?, common.lineup.redis()?);
    let recipes = LINES.map(|(program, persistence)| {
        let recipe = if program == Program::Mayfly { &mayfly } else { &redis };
        recipe.keeping(persistence)
    });
    let measured = throughput::measure(&recipes, &slices, random)?;
    let seed = random.u64(..);
    let mut findings = Findings::default();
    for (point, all) in &measured {
        for index in 0..all.len() {
            add(point.pipeline, &recipes, all, index, seed, &mut findings);
        }
    }
    println!(
        "A field and the TTL of its key, set with and without a log; {} random keys, {} connections, folders in {place};\n\
         slices of {} ms, {} rounds with each of {} fresh processes of every server; no snapshots meanwhile;\n\
         [95 % interval, bootstrap over processes and rounds]",
        slices.keys,
        slices.connections,
        slices.slice,
        slices.rounds_per_process(),
        slices.processes
    );
    let head = [
        "P",
        "server",
        "fsync",
        "ops/s",
        "× own without",
        "× Redis with the same",
        "CPU µs/op",
        "× own without",
        "× Redis with the same",
        "p50",
        "p99",
        "p99.9",
    ];
    Ok(findings.table(&head))
}

fn slices(options: &Options, is_quick: bool) -> Slices {
    let manner = Manner {
        is_set_and_ttl_only: true,
        warm_up_rounds: 1,
        settle: Duration::from_millis(if is_quick { 1 } else { options.rest }),
    };
    let slices = Slices {
        cases: vec![Case::SetAndTtl],
        pipelines: options.pipelines.clone(),
        connections: options.connections,
        other_connections: Vec::new(),
        keys: options.keys,
        processes: options.processes,
        slice: options.slice,
        active: options.active,
        manner,
    };
    if is_quick { Slices { other_connections: Vec::new(), ..slices.quick() } } else { slices }
}

fn add(
    pipeline: usize,
    recipes: &[Recipe],
    all: &[Samples],
    index: usize,
    seed: u64,
    findings: &mut Findings,
) {
    let (recipe, own) = (&recipes[index], &all[index]);
    let other = |program, persistence| {
        let place =
            recipes.iter().position(|other| (other.program, other.persistence) == (program, persistence));
        place.map(|place| &all[place])
    };
    let without = other(recipe.program, Persistence::Without);
    let redis = other(Program::Redis, recipe.persistence);
    let [rate, cpu]: [fn(&Samples) -> &crate::statistics::Rounds; 2] =
        [|samples| &samples.rates, |samples| &samples.cpu_micros];
    let ratio = |of: fn(&Samples) -> &crate::statistics::Rounds, other: Option<&Samples>| {
        other.map(|other| Estimate::of_ratios(of(own), of(other), seed))
    };
    let [rates, cpus] = [rate, cpu].map(|of| [ratio(of, without), ratio(of, redis)]);
    let shown = |ratio: Option<Estimate>| {
        ratio.map_or_else(String::new, |Estimate { value, low, high }| {
            format!("{value:.2} [{low:.2} {high:.2}]")
        })
    };
    let for_programs = |ratio: Option<Estimate>| ratio.map_or(Value::Null, estimate);
    let micros = Estimate::of(&own.cpu_micros, seed);
    let mut row = vec![pipeline.to_string(), own.server.clone(), recipe.persistence.name().to_owned()];
    row.push(format!("{:.1} k", own.rate() / 1e3));
    row.extend(rates.map(shown));
    row.push(format!("{:.2}", micros.value));
    row.extend(cpus.map(shown));
    row.extend(report::quantiles(&own.latencies).into_iter().take(3));
    let [[rate_own, rate_redis], [cpu_own, cpu_redis]] = [rates, cpus].map(|pair| pair.map(for_programs));
    let result = json!({
        "pipeline": pipeline,
        "program": own.program.name(),
        "server": own.server,
        "way": own.way,
        "fsync": recipe.persistence.name(),
        "operations_per_second": estimate(Estimate::of(&own.rates, seed)),
        "cpu_micros_per_operation": estimate(micros),
        "latency_seconds": report::quantiles_json(&own.latencies),
        "ratio_to_own_without": { "throughput": rate_own, "cpu": cpu_own },
        "ratio_to_redis_with_the_same": { "throughput": rate_redis, "cpu": cpu_redis },
    });
    findings.add(row, result);
}

#[cfg(test)]
mod tests {
    use super::{LINES, Persistence, Program};

    #[test]
    fn every_line_has_one_without_to_be_set_against() {
        for (program, persistence) in LINES {
            assert!(LINES.contains(&(program, Persistence::Without)));
            persistence.check(program).unwrap();
        }
        assert!(Persistence::Snapshots.check(Program::Mayfly).is_err());
    }
}
