//! Runs the simulation from a seed, or from many seeds one after the other.

use std::process::ExitCode;

use clap::Parser;
use mayfly_sim::{Fault, Run};

/// Sessions and shards of Mayfly under a virtual clock, against a model.
#[derive(Parser, Debug)]
struct Arguments {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of seeds, one run each.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Steps of a run.
    #[arg(long, default_value_t = 20_000)]
    steps: u64,
    /// Number of shards.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    shards: u16,
    /// Plant a fault, to see it found.
    #[arg(long)]
    fault: Option<Fault>,
}

#[allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]
fn main() -> ExitCode {
    let Arguments { seed: first, seeds, steps, shards, fault } = Arguments::parse();
    for seed in first..first.saturating_add(seeds) {
        let run = Run { seed, shards, steps, fault };
        // Where panics abort, nobody else says how to repeat them.
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            report(panic);
            eprintln!("  {run}");
        }));
        match run.run() {
            Ok(summary) => println!("{run}\n  {summary:?}"),
            Err(failure) => {
                eprintln!("{failure}");
                return ExitCode::FAILURE;
            }
        }
        drop(std::panic::take_hook());
    }
    ExitCode::SUCCESS
}
