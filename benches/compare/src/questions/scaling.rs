//! What more shards bring, and what the hand-over between them costs.
//!
//! The last processor is the load's, the others are Mayfly's: with N shards it gets as many of them as it has
//! shards. So on a machine with two processors all shards share one; then the rise of processor time per operation
//! is the price of the hand-over alone, and on a larger machine the throughput says what the shards bring.

use anyhow::Result;
use clap::Args;
use fastrand::Rng;
use serde_json::{Value, json};

use super::Common;
use super::throughput::{self, Options as Slices};
use crate::cases::Case;
use crate::report::Findings;
use crate::servers::Recipe;
use crate::servers::process::stay_on;
use crate::statistics::Estimate;

/// Flags of the measurement.
#[derive(Args, Clone)]
pub struct Options {
    /// Numbers of shards; the first is what the others are set against.
    #[arg(long = "of", value_name = "N", value_delimiter = ',', default_value = "1,2,4,8")]
    numbers: Vec<u16>,
}

/// Runs the measurement and prints its table. The load stays on its processor, so run it last.
pub fn run(common: &Common, options: &Options, slices: &Slices, random: &mut Rng) -> Result<Value> {
    let slices = if common.quick { slices.clone().quick() } else { slices.clone() };
    let slices = Slices { cases: vec![Case::SetAndTtl, Case::Hget], other_connections: Vec::new(), ..slices };
    let processors = std::thread::available_parallelism()?.get();
    let cores = |shards: u16| usize::from(shards).min(processors - 1).max(1);
    let mayfly = common.lineup.mayfly()?;
    let recipes: Vec<Recipe> = (options.numbers.iter())
        .map(|&shards| mayfly.with_threads(shards).on_processors(format!("0-{}", cores(shards) - 1)))
        .collect();
    stay_on(processors - 1)?;
    let measured = throughput::measure(&recipes, &slices, random)?;

    let seed = random.u64(..);
    let mut findings = Findings::default();
    for (point, samples) in &measured {
        for own in samples {
            let rate = Estimate::of(&own.rates, seed);
            let cpu = Estimate::of(&own.cpu_micros, seed);
            let rates = Estimate::of_ratios(&own.rates, &samples[0].rates, seed);
            let cpus = Estimate::of_ratios(&own.cpu_micros, &samples[0].cpu_micros, seed);
            let a_core = rate.value / cores(own.threads) as f64;
            let shown = |ratio: Estimate| format!("{:.2} [{:.2} {:.2}]", ratio.value, ratio.low, ratio.high);
            let row = vec![
                point.case.name().to_owned(),
                point.pipeline.to_string(),
                own.threads.to_string(),
                cores(own.threads).to_string(),
                format!("{:.0} k", rate.value / 1e3),
                format!("{:.0} k", a_core / 1e3),
                shown(rates),
                format!("{:.2}", cpu.value),
                shown(cpus),
            ];
            let result = json!({
                "case": point.case.name(),
                "pipeline": point.pipeline,
                "shards": own.threads,
                "processors": cores(own.threads),
                "operations_per_second": rate.value,
                "operations_per_second_and_processor": a_core,
                "throughput_ratio": rates.value,
                "cpu_micros_per_operation": cpu.value,
                "cpu_ratio": cpus.value,
            });
            findings.add(row, result);
        }
    }
    println!("Mayfly by number of shards; the load has a processor of its own");
    let head =
        ["case", "P", "shards", "processors", "ops/s", "a processor", "× first", "CPU µs/op", "× first"];
    Ok(findings.table(&head))
}
