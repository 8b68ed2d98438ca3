//! The program: reads its flags, starts what it has to start, says what it found.
//!
//! Exit code 0: no unexplained difference; 1: at least one; 2: it could not compare.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it reports to people")]

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use mayfly_differential::{Options, Peer, Report, Told, compare};

/// Sends the same random requests to Mayfly and to a Redis and compares reply by reply.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// The Mayfly binary to start, or the address of one that runs; all its data is removed.
    #[arg(long, value_name = "FILE|ADDRESS")]
    mayfly: String,
    /// The Redis binary to start, or the address of one that runs; all its data is removed.
    #[arg(long, value_name = "FILE|ADDRESS", default_value = "redis-server")]
    redis: String,
    /// Seed of everything that is random; printed, so that a run can be had again.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How many commands to send to each.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    commands: usize,
    /// How many shards to start Mayfly with.
    #[arg(long, value_name = "N", default_value_t = 2)]
    shards: u16,
    /// Corrupts one reply of Mayfly's before it is compared, to see that this fails.
    #[arg(long)]
    mutate: bool,
    /// Stops after so many unexplained differences.
    #[arg(long, value_name = "N", default_value_t = 10)]
    differences_max: usize,
    /// Compares all data after so many bursts.
    #[arg(long, value_name = "N", default_value_t = 50)]
    check_every: usize,
    /// Prints every request with the number of its connection.
    #[arg(long)]
    trace: bool,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(report) => {
            println!("{report}");
            if report.unexplained == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("cannot compare: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(cli: &Cli) -> Result<Report> {
    let seed = cli.seed.unwrap_or_else(|| fastrand::u64(..));
    let mayfly = Peer::mayfly(&cli.mayfly, cli.shards)?;
    let redis = Peer::redis(&cli.redis)?;
    println!("seed {seed}: {} ({} shards) and {}", mayfly.name, cli.shards, redis.name);
    let Cli { commands, mutate, differences_max, check_every, .. } = *cli;
    let options = Options { seed, commands, mutate, differences_max, check_every };
    compare(mayfly.address, redis.address, options, &mut |told| {
        if cli.trace || !matches!(told, Told::Sent { .. }) {
            println!("{told}");
        }
    })
}
