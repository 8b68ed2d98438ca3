//! Mayfly beside its peers: the same load, the same run, and what one costs against the other.
//!
//! ```text
//!   benches/compare/run                  installs the peers and asks everything
//!   benches/compare/run storm            … or one question
//! ```
//!
//! Every question starts fresh processes of its own and ends them; one client process drives them all. Rooms:
//!
//! * [`questions`]: what is asked, a file each.
//! * [`servers`]: the processes; how they start, and what is read of them from outside.
//! * [`load`]: the load generator and the light client; [`cases`]: what it sends.
//! * [`statistics`]: paired ratios and their intervals; [`report`]: tables and JSON; [`plots`]: pictures;
//!   [`reach`]: how far the goals are reached.
//!
//! The load generator shares the machine with the servers. On few cores it bounds the throughput ratio from
//! above; the ratio of server CPU does not have that bound.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it measures time, waits, and reports to people"
)]

mod cases;
mod load;
mod plots;
mod questions;
mod reach;
mod report;
mod servers;
mod statistics;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use fastrand::Rng;
use serde_json::{Map, Value, json};

use questions::{
    Common, connections, durability, eviction, growth, idle, lag, large, memory, scaling, scrape, snapshot,
    storm, throughput, tuning,
};

/// Runs Mayfly and its peers side by side under the same load and prints the ratios.
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
    /// Everything below, and how far the goals are reached.
    All(throughput::Options),
    /// Throughput, server CPU and latency of commands.
    Throughput(throughput::Options),
    /// Memory of a key beyond its payload, and whether that of removed keys is used again.
    Memory(memory::Options),
    /// How late a subscriber hears of expired keys while many others hold a TTL.
    Lag(lag::Options),
    /// What a light client feels while many keys fall due in the same second.
    Storm(storm::Options),
    /// What a light client feels while the keyspace grows.
    Growth(growth::Options),
    /// What a light client feels while a hash of very many fields is removed.
    Large(large::Options),
    /// Memory and hits of a cache at maxmemory, by policy.
    Eviction(eviction::Options),
    /// What an idle connection costs.
    Connections(connections::Options),
    /// What an idle server with many keys uses.
    Idle(idle::Options),
    /// What a log of all changes costs, synced always, once a second or never.
    Durability(durability::Options),
    /// What a snapshot costs beside clients, in memory and on the disk; and how long a start takes.
    Snapshot(snapshot::Options),
    /// What a light client feels while the metrics of many shards are scraped, and how long a scrape takes.
    Scrape(scrape::Options),
    /// What more shards bring and cost.
    Scaling {
        /// Of the shards.
        #[command(flatten)]
        options: scaling::Options,
        /// Of the slices.
        #[command(flatten)]
        slices: throughput::Options,
    },
    /// Draws the results of an earlier run again and tells how far its goals are reached.
    Again {
        /// What --json wrote.
        file: PathBuf,
    },
    /// Serves as the ceiling.
    #[command(hide = true)]
    Echo,
}

fn main() -> Result<()> {
    let mut cli = Cli::parse();
    match &cli.question {
        Question::Echo => return servers::echo::serve(),
        Question::Again { file } => {
            let results = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
            return finish(&cli.common, &serde_json::from_str(&results)?);
        }
        _ => {}
    }
    let seed = cli.common.seed.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}");
    let mut record = Record::new(&cli.common, seed);
    ask(&cli.question, &mut cli.common, &mut Rng::with_seed(seed), &mut record)?;
    finish(&cli.common, &record.results)?;
    println!("\n{} questions answered", record.results["results"].as_object().map_or(0, Map::len));
    Ok(())
}

fn ask(question: &Question, common: &mut Common, random: &mut Rng, record: &mut Record) -> Result<()> {
    match question {
        Question::All(slices) => everything(common, slices, random, record),
        Question::Throughput(options) => {
            record.add("tuning", tuning::run(common, options, random)?)?;
            record.add("throughput", throughput::run(common, options, random)?)
        }
        Question::Memory(options) => record.add("memory", memory::run(common, options)?),
        Question::Lag(options) => record.add("lag", lag::run(common, options, random)?),
        Question::Storm(options) => record.add("storm", storm::run(common, options)?),
        Question::Growth(options) => record.add("growth", growth::run(common, options)?),
        Question::Large(options) => record.add("large", large::run(common, options)?),
        Question::Eviction(options) => record.add("eviction", eviction::run(common, options, random)?),
        Question::Connections(options) => record.add("connections", connections::run(common, options)?),
        Question::Idle(options) => record.add("idle", idle::run(common, options)?),
        Question::Durability(options) => record.add("durability", durability::run(common, options, random)?),
        Question::Snapshot(options) => add_snapshot(common, options, random, record),
        Question::Scrape(options) => record.add("scrape", scrape::run(common, options, random)?),
        Question::Scaling { options, slices } => {
            record.add("scaling", scaling::run(common, options, slices, random)?)
        }
        Question::Again { .. } | Question::Echo => Ok(()),
    }
}

fn everything(
    common: &mut Common,
    slices: &throughput::Options,
    random: &mut Rng,
    record: &mut Record,
) -> Result<()> {
    record.add("tuning", tuning::run(common, slices, random)?)?;
    record.add("throughput", throughput::run(common, slices, random)?)?;
    record.add("memory", memory::run(common, &defaults())?)?;
    record.add("connections", connections::run(common, &defaults())?)?;
    record.add("idle", idle::run(common, &defaults())?)?;
    record.add("lag", lag::run(common, &defaults(), random)?)?;
    record.add("storm", storm::run(common, &defaults())?)?;
    record.add("growth", growth::run(common, &defaults())?)?;
    record.add("large", large::run(common, &defaults())?)?;
    record.add("durability", durability::run(common, &defaults(), random)?)?;
    add_snapshot(common, &defaults(), random, record)?;
    record.add("eviction", eviction::run(common, &defaults(), random)?)?;
    record.add("scrape", scrape::run(common, &defaults(), random)?)?;
    record.add("scaling", scaling::run(common, &defaults(), slices, random)?)
}

/// One run answers two questions.
fn add_snapshot(
    common: &Common,
    options: &snapshot::Options,
    random: &mut Rng,
    record: &mut Record,
) -> Result<()> {
    let [snapshots, starts] = snapshot::run(common, options, random)?;
    record.add("snapshot", snapshots)?;
    record.add("restart", starts)
}

/// The flags of a question as they are if none is given.
fn defaults<O: Args>() -> O {
    let matches = O::augment_args(clap::Command::new("defaults")).get_matches_from(["defaults"]);
    // Every flag has a default, which clap has just filled in.
    O::from_arg_matches(&matches).expect("every flag has a default")
}

/// What is known so far, written after each question: a long run that breaks off keeps what it has.
struct Record {
    results: Value,
    path: Option<PathBuf>,
}

impl Record {
    fn new(common: &Common, seed: u64) -> Self {
        let results = json!({
            "seed": seed,
            "quick": common.quick,
            "machine": report::machine(),
            "results": Map::new(),
        });
        Record { results, path: common.json.clone() }
    }

    fn add(&mut self, question: &str, result: Value) -> Result<()> {
        if result.is_null() {
            return Ok(());
        }
        self.results["results"][question] = result;
        println!();
        match &self.path {
            Some(path) => write(path, &format!("{:#}\n", self.results)),
            None => Ok(()),
        }
    }
}

/// The goals and the pictures, of a run or of what an earlier one wrote.
fn finish(common: &Common, results: &Value) -> Result<()> {
    reach::print(&results["results"]);
    if let Some(directory) = &common.plots {
        std::fs::create_dir_all(directory)?;
        for (name, picture) in plots::all(&results["results"]) {
            write(&directory.join(name), &picture)?;
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| path.display().to_string())
}
