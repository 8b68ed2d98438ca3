//! Throughput, server CPU and latency, in short slices in random order.
//!
//! ```text
//!   round 1:  Mayfly 2 │ Redis │ Mayfly 1      ratios of this round: neighbours in time
//!   round 2:  Redis │ Mayfly 1 │ Mayfly 2      …
//! ```
//!
//! Reported are medians over all rounds: of each server's rate and CPU per operation, and of the ratios within
//! a round. Latency is from the sending of a pipeline to each of its replies, as the client saw it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use fastrand::Rng;
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::Common;
use crate::load::{Keys, Load, latencies};
use crate::report;
use crate::requests::Template;
use crate::server::{Kind, Server};
use crate::statistics::Median;

/// Flags of the comparison.
#[derive(Args)]
pub struct Options {
    /// Cases to run; by default all.
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "hsetex,hset,hget,ping")]
    cases: Vec<String>,
    /// Depths of the pipelines.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,16,64")]
    pipelines: Vec<usize>,
    /// Connections to each server.
    #[arg(long, value_name = "N", default_value_t = 50)]
    connections: usize,
    /// Number of keys, each with one field of 32 bytes.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    keys: u64,
    /// Rounds of every case and depth.
    #[arg(long, value_name = "N", default_value_t = 60)]
    rounds: usize,
    /// Length of one slice in ms.
    #[arg(long, value_name = "MS", default_value_t = 30)]
    slice: u64,
}

/// Slices before the first that counts.
const WARM_UP_ROUNDS: usize = 2;

/// What one server does under one load.
struct Contender {
    server: Server,
    load: Load,
}

/// The slices of one server in one case and depth.
struct Slices {
    rates: Vec<f64>,
    cpu_micros: Vec<f64>,
    latencies: Histogram<u64>,
}

/// Runs the comparison and prints its table.
pub fn run(common: &Common, options: &Options, random: &mut Rng) -> Result<Value> {
    let small = common.quick;
    let (keys, connections) = if small { (10_000, 10) } else { (options.keys, options.connections) };
    let (rounds, length) = if small { (5, 5) } else { (options.rounds, options.slice) };
    let mut contenders = Vec::new();
    for server in Server::start_all(common)? {
        let mut load = Load::connect(server.address, connections)?;
        let fill = template("hsetex", server.kind)?;
        load.run(&fill, 64, Keys::Ascending(0..keys), None, &mut latencies())?;
        contenders.push(Contender { server, load });
    }
    let mut rows = Vec::new();
    let mut results = Vec::new();
    for case in &options.cases {
        for &pipeline in &options.pipelines {
            let mut slices: Vec<Slices> = contenders
                .iter()
                .map(|_| Slices { rates: Vec::new(), cpu_micros: Vec::new(), latencies: latencies() })
                .collect();
            let mut order: Vec<usize> = (0..contenders.len()).collect();
            for round in 0..WARM_UP_ROUNDS + rounds {
                random.shuffle(&mut order);
                for &index in &order {
                    let keys = Keys::Random(random, keys);
                    let length = Duration::from_millis(length);
                    slice(&mut contenders[index], &mut slices[index], case, pipeline, keys, length)?;
                }
                if round + 1 == WARM_UP_ROUNDS {
                    slices.iter_mut().for_each(Slices::clear);
                }
            }
            for (contender, own) in contenders.iter().zip(&slices) {
                let (row, result) = summary(case, pipeline, &contender.server, own, &slices[0]);
                rows.push(row);
                results.push(result);
            }
        }
    }
    println!(
        "{keys} random keys, one field of 32 bytes, {connections} connections; {rounds} rounds of {length} ms \
         slices; [95 % interval of the median]"
    );
    report::table(
        &["case", "P", "server", "ops/s", "× Redis", "CPU µs/op", "× Redis", "p50", "p99", "p99.9", "max"],
        &rows,
    );
    Ok(Value::Array(results))
}

/// The operation of a case. Redis has no command that sets a field and the TTL of its hash: it gets two.
fn template(case: &str, kind: Kind) -> Result<Template> {
    const VALUE: &str = "0123456789abcdef0123456789abcdef";
    let hset: &[&str] = &["HSET", "{key}", "f", VALUE];
    Ok(match (case, kind) {
        ("hsetex", Kind::Mayfly) => Template::new(&[&["HSETEX", "{key}", "f", VALUE, "3600"]]),
        ("hsetex", Kind::Redis) => Template::new(&[hset, &["EXPIRE", "{key}", "3600"]]),
        ("hset", _) => Template::new(&[hset]),
        ("hget", _) => Template::new(&[&["HGET", "{key}", "f"]]),
        ("ping", _) => Template::new(&[&["PING"]]),
        _ => anyhow::bail!("no case {case}; there are hsetex, hset, hget and ping"),
    })
}

fn slice(
    contender: &mut Contender,
    slices: &mut Slices,
    case: &str,
    pipeline: usize,
    keys: Keys<'_>,
    length: Duration,
) -> Result<()> {
    let Contender { server, load } = contender;
    let template = template(case, server.kind)?;
    let before = server.cpu()?;
    let work = load
        .run(&template, pipeline, keys, Some(length), &mut slices.latencies)
        .with_context(|| format!("{}: {case}, pipeline {pipeline}", server.name))?;
    let cpu = server.cpu()? - before;
    ensure!(work.operations > 0, "{} answered nothing", server.name);
    slices.rates.push(work.operations as f64 / work.elapsed.as_secs_f64());
    slices.cpu_micros.push(cpu.as_secs_f64() * 1e6 / work.operations as f64);
    Ok(())
}

impl Slices {
    fn clear(&mut self) {
        self.rates.clear();
        self.cpu_micros.clear();
        self.latencies.reset();
    }
}

/// The row and the result of one server in one case.
fn summary(
    case: &str,
    pipeline: usize,
    server: &Server,
    own: &Slices,
    peer: &Slices,
) -> (Vec<String>, Value) {
    let ratio = |own: &[f64], peer: &[f64]| Median::of(own.iter().zip(peer).map(|(own, peer)| own / peer));
    let rate = Median::of(own.rates.iter().copied());
    let cpu = Median::of(own.cpu_micros.iter().copied());
    let rate_ratio = ratio(&own.rates, &peer.rates);
    let cpu_ratio = ratio(&own.cpu_micros, &peer.cpu_micros);
    let shown = |ratio: Median| match server.kind {
        Kind::Redis => "1".to_owned(),
        Kind::Mayfly => format!("{:.2} [{:.2} {:.2}]", ratio.value, ratio.low, ratio.high),
    };
    let mut row = vec![
        case.to_owned(),
        pipeline.to_string(),
        server.name.clone(),
        format!("{:.0} k", rate.value / 1e3),
        shown(rate_ratio),
        format!("{:.2}", cpu.value),
        shown(cpu_ratio),
    ];
    row.extend(report::quantiles(&own.latencies));
    let median = |median: Median| json!({ "median": median.value, "low": median.low, "high": median.high });
    let result = json!({
        "case": case,
        "pipeline": pipeline,
        "server": server.name,
        "operations_per_second": median(rate),
        "throughput_ratio": median(rate_ratio),
        "cpu_micros_per_operation": median(cpu),
        "cpu_ratio": median(cpu_ratio),
        "latency_seconds": report::quantiles_json(&own.latencies),
    });
    (row, result)
}
