//! With how many threads each peer is quickest on this machine.
//!
//! Each is tried with one thread and with two, more where there are more processors: HSET and HGET at all depths
//! of pipelines, in slices in random order. Its best is the largest geometric mean of throughput.

use anyhow::Result;
use fastrand::Rng;
use serde_json::{Value, json};

use super::Common;
use super::throughput::{self, Options, mean_rates};
use crate::cases::Case;
use crate::report;
use crate::servers::Recipe;

/// Tries the numbers of threads of every peer for which none was given, and settles them for what follows.
pub fn run(common: &mut Common, options: &Options, random: &mut Rng) -> Result<Value> {
    let options = if common.quick { options.clone().quick() } else { options.clone() };
    // A quarter of the effort: no figure but the choice comes of it.
    let options = Options {
        cases: vec![Case::Hset, Case::Hget],
        other_connections: Vec::new(),
        active: options.active / 4.0,
        processes: 1,
        ..options
    };
    let processors = std::thread::available_parallelism()?.get() as u16;
    let (mut rows, mut results) = (Vec::new(), Vec::new());
    for peer in common.lineup.peers()? {
        if common.lineup.threads_of(peer.program).is_some() {
            continue;
        }
        let numbers = (0..).map(|power| 1 << power).take_while(|&threads| threads <= processors);
        let recipes: Vec<Recipe> = numbers.map(|threads| peer.with_threads(threads)).collect();
        let rates = mean_rates(&throughput::measure(&recipes, &options, random)?);
        let tried = recipes.iter().zip(&rates);
        let best = tried
            .clone()
            .max_by(|(_, one), (_, other)| one.total_cmp(other))
            .map(|(recipe, _)| recipe.threads);
        common.lineup.settle_threads(peer.program, best.unwrap_or(1));
        for (recipe, rate) in tried {
            let taken = Some(recipe.threads) == best;
            let mark = if taken { "taken" } else { "" };
            rows.push(vec![
                recipe.label(),
                recipe.threads.to_string(),
                format!("{:.0} k", rate / 1e3),
                mark.to_owned(),
            ]);
            results.push(json!({
                "program": recipe.program.name(),
                "server": recipe.label(),
                "threads": recipe.threads,
                "operations_per_second": rate,
                "taken": taken,
            }));
        }
    }
    if results.is_empty() {
        return Ok(Value::Null);
    }
    println!("Threads of the peers: geometric mean of HSET and HGET at pipelines of {:?}", options.pipelines);
    report::table(&["server", "threads", "ops/s", ""], &rows);
    Ok(Value::Array(results))
}
