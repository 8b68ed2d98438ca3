//! What is asked of the servers: each question starts fresh processes, prints a table and returns its results.
//!
//! * [`throughput`] compares side by side, in short slices in random order, because a machine that others use too
//!   changes from second to second: the ratio of two neighbouring slices says more than two long runs.
//!   [`tuning`], [`scaling`] and [`durability`] are the same with other servers; [`comparison`] says what the slices say.
//! * All others treat one server after the other, each with the machine to itself.

pub mod comparison;
pub mod connections;
pub mod durability;
pub mod eviction;
pub mod growth;
pub mod idle;
pub mod lag;
pub mod large;
pub mod memory;
pub mod scaling;
pub mod scrape;
pub mod snapshot;
pub mod storm;
pub mod throughput;
pub mod tuning;

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::Value;

use crate::report;
use crate::servers::lineup::Lineup;
use crate::servers::{Scrape, quantile_bound};

/// What every question needs.
#[derive(Args, Clone)]
pub struct Common {
    /// Which servers take part.
    #[command(flatten)]
    pub lineup: Lineup,
    /// A small and short run, to see that everything works.
    #[arg(long, global = true)]
    pub quick: bool,
    /// Also writes the results to this file.
    #[arg(long, global = true, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Also draws the results, into this directory.
    #[arg(long, global = true, value_name = "DIR")]
    pub plots: Option<PathBuf>,
    /// Seed of the random keys and of the order of slices; printed with the results.
    #[arg(long, global = true, value_name = "N")]
    pub seed: Option<u64>,
}

/// Now, in milliseconds since 1970.
fn unix_millis() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// The longest that a shard of Mayfly was away from its mailbox between two scrapes: the bound of the bucket.
fn longest_away(before: Option<&Scrape>, after: Option<&Scrape>) -> anyhow::Result<Option<f64>> {
    const BUSY: &str = "mayfly_shard_busy_seconds";
    let (Some(before), Some(after)) = (before, after) else {
        return Ok(None);
    };
    Ok(Some(quantile_bound(&before.buckets(BUSY)?, &after.buckets(BUSY)?, 1.0)))
}

/// The same, for people; nothing for the peers, who do not tell.
fn longest_away_shown(seconds: Option<f64>) -> String {
    seconds.map_or_else(String::new, |seconds| format!("≤ {}", report::time((seconds * 1e9) as u64)))
}

/// A number of seconds for programs, which know no infinity.
fn finite(seconds: Option<f64>) -> Value {
    seconds.filter(|seconds| seconds.is_finite()).into()
}
