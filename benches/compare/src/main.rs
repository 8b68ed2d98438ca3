//! Mayfly beside a real Redis: the same load, the same run, and what one costs against the other.
//!
//! ```text
//!   cargo build --release -p mayfly -p mayfly-compare
//!   target/release/mayfly-compare throughput                   HSETEX, HSET, HGET, PING; pipelines of 1, 16, 64
//!   target/release/mayfly-compare lag                          how late hashes are removed
//!   target/release/mayfly-compare growth                       what a light client feels while the keyspace grows
//!   target/release/mayfly-compare storm                        … and while a million keys fall due at once
//! ```
//!
//! Every run starts fresh processes of its own and ends them. One client process drives them in turn.
//!
//! * [`throughput`] compares in short slices in random order, because a machine that others use too changes
//!   from second to second: the ratio of two neighbouring slices says more than two long runs. Server CPU is what
//!   the kernel counted for all threads of the process.
//! * [`lag`], [`growth`] and [`storm`] treat one server after the other, each with the machine to itself.
//! * Beside them: [`server`]s, the [`load`] with its [`requests`] and [`replies`], the [`light`] client, what is
//!   [`scrape`]d from Mayfly's `/metrics`, [`statistics`], and the [`report`].
//!
//! The load generator shares the machine with the servers. On few cores it bounds the throughput ratio from
//! above; the ratio of server CPU does not have that bound.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it measures time, waits, and reports to people"
)]

mod growth;
mod lag;
mod light;
mod load;
mod replies;
mod report;
mod requests;
mod scrape;
mod server;
mod statistics;
mod storm;
mod throughput;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

/// Runs Mayfly and a Redis side by side under the same load and prints the ratios.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    question: Question,
    #[command(flatten)]
    common: Common,
}

#[derive(Subcommand)]
enum Question {
    /// Throughput, server CPU and latency of HSETEX (HSET and EXPIRE on Redis), HSET, HGET and PING.
    Throughput(throughput::Options),
    /// How late keys are removed while many others hold a TTL.
    Lag(lag::Options),
    /// What a light client feels while the keyspace grows.
    Growth(growth::Options),
    /// What a light client feels while many keys fall due in the same second.
    Storm(storm::Options),
}

/// What every question needs.
#[derive(Args, Clone)]
pub struct Common {
    /// The Mayfly binary; by default the one beside this program.
    #[arg(long, global = true, value_name = "FILE")]
    mayfly: Option<PathBuf>,
    /// The Redis binary.
    #[arg(long, global = true, value_name = "FILE", default_value = "redis-server")]
    redis: PathBuf,
    /// Numbers of shards to run Mayfly with, one after the other.
    #[arg(long, global = true, value_name = "N", value_delimiter = ',', default_value = "1,2")]
    shards: Vec<u16>,
    /// A small and short run, to see that everything works.
    #[arg(long, global = true)]
    quick: bool,
    /// Also writes the results to this file.
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Seed of the random keys and of the order of slices; printed with the results.
    #[arg(long, global = true, value_name = "N")]
    seed: Option<u64>,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let seed = cli.common.seed.unwrap_or_else(|| fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    println!("seed {seed}");
    let common = &cli.common;
    let results = match &cli.question {
        Question::Throughput(options) => throughput::run(common, options, &mut random),
        Question::Lag(options) => lag::run(common, options, &mut random),
        Question::Growth(options) => growth::run(common, options, &mut random),
        Question::Storm(options) => storm::run(common, options, &mut random),
    }?;
    if let Some(path) = &common.json {
        let results = serde_json::json!({ "seed": seed, "results": results });
        std::fs::write(path, format!("{results:#}\n"))?;
    }
    Ok(())
}
