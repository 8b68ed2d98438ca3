//! What slices of several servers say about each other: estimates, paired ratios, table and JSON.

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use super::throughput::Point;
use crate::load::latencies;
use crate::report;
use crate::servers::Program;
use crate::statistics::{Estimate, Rounds, median};

/// The slices of one server, asked in one way, at one point.
pub struct Samples {
    /// Which program.
    pub program: Program,
    /// How many threads it was told to use.
    pub threads: u16,
    /// What reports call the server.
    pub server: String,
    /// The way in which it was asked.
    pub way: &'static str,
    /// Operations a second.
    pub rates: Rounds,
    /// Processor time of the server for one operation.
    pub cpu_micros: Rounds,
    /// All latencies.
    pub latencies: Histogram<u64>,
}

impl Samples {
    /// None yet.
    pub fn new(program: Program, threads: u16, server: String, way: &'static str) -> Self {
        let (rates, cpu_micros) = (Vec::new(), Vec::new());
        Samples { program, threads, server, way, rates, cpu_micros, latencies: latencies() }
    }

    /// What is added from now on comes from fresh processes.
    pub fn begin_process(&mut self) {
        self.rates.push(Vec::new());
        self.cpu_micros.push(Vec::new());
    }

    /// Adds a slice.
    pub fn add(&mut self, rate: f64, cpu_micros: f64) {
        self.rates.last_mut().expect("a process has begun").push(rate);
        self.cpu_micros.last_mut().expect("a process has begun").push(cpu_micros);
    }

    /// The median.
    pub fn rate(&self) -> f64 {
        median(&mut self.rates.concat())
    }
}

/// Programs that the others are set against, and what that column is called.
const BASELINES: [Program; 4] = [Program::Redis, Program::Valkey, Program::Kevy, Program::Echo];

/// Prints the table; returns the results.
pub fn report(measured: &[(Point, Vec<Samples>)], seed: u64) -> Value {
    let (mut rows, mut results) = (Vec::new(), Vec::new());
    for (point, all) in measured {
        let baselines = BASELINES.map(|program| best(all, program));
        for own in all {
            let ratios: Vec<_> = (BASELINES.iter().zip(baselines))
                .filter_map(|(program, other)| Some((*program, ratio(own, other?, seed))))
                .collect();
            rows.push(row(point, own, &ratios));
            results.push(result(point, own, &ratios, seed));
        }
    }
    let head = [
        "case",
        "P",
        "conns",
        "server",
        "by",
        "ops/s",
        "× Redis",
        "× Valkey",
        "CPU µs/op",
        "× Redis",
        "× Valkey",
        "p50",
        "p99",
        "p99.9",
    ];
    report::table(&head, &rows);
    println!(
        "\n× is against the way in which that peer is quickest. CPU is the server's own, by the kernel."
    );
    Value::Array(results)
}

/// A program asked in the way in which it is quickest.
fn best(all: &[Samples], program: Program) -> Option<&Samples> {
    let own = all.iter().filter(|samples| samples.program == program);
    own.max_by(|one, other| one.rate().total_cmp(&other.rate()))
}

/// Of throughput, and of processor time per operation.
struct Ratio {
    rate: Estimate,
    cpu: Estimate,
    latency: [f64; 3],
}

const QUANTILES: [f64; 3] = [0.5, 0.99, 0.999];

fn ratio(own: &Samples, other: &Samples, seed: u64) -> Ratio {
    let at = |samples: &Samples, quantile| samples.latencies.value_at_quantile(quantile) as f64;
    Ratio {
        rate: Estimate::of_ratios(&own.rates, &other.rates, seed),
        cpu: Estimate::of_ratios(&own.cpu_micros, &other.cpu_micros, seed),
        latency: QUANTILES.map(|quantile| at(own, quantile) / at(other, quantile)),
    }
}

fn row(point: &Point, own: &Samples, ratios: &[(Program, Ratio)]) -> Vec<String> {
    let shown = |program: Program, of: fn(&Ratio) -> Estimate| {
        let ratio = ratios.iter().find(|(other, _)| *other == program).map(|(_, ratio)| of(ratio));
        ratio.map_or_else(String::new, |Estimate { value, low, high }| {
            format!("{value:.2} [{low:.2} {high:.2}]")
        })
    };
    let mut row = vec![
        point.case.name().to_owned(),
        point.pipeline.to_string(),
        point.connections.to_string(),
        own.server.clone(),
        own.way.to_owned(),
        format!("{:.0} k", own.rate() / 1e3),
        shown(Program::Redis, |ratio| ratio.rate),
        shown(Program::Valkey, |ratio| ratio.rate),
        format!("{:.2}", median(&mut own.cpu_micros.concat())),
        shown(Program::Redis, |ratio| ratio.cpu),
        shown(Program::Valkey, |ratio| ratio.cpu),
    ];
    row.extend(QUANTILES.map(|quantile| report::time(own.latencies.value_at_quantile(quantile))));
    row
}

fn result(point: &Point, own: &Samples, ratios: &[(Program, Ratio)], seed: u64) -> Value {
    let against: Map<String, Value> = ratios
        .iter()
        .map(|(program, ratio)| {
            let [p50, p99, p999] = ratio.latency;
            let latency = json!({ "p50": p50, "p99": p99, "p999": p999 });
            let ratio =
                json!({ "throughput": estimate(ratio.rate), "cpu": estimate(ratio.cpu), "latency": latency });
            (program.name().to_owned(), ratio)
        })
        .collect();
    json!({
        "case": point.case.name(),
        "pipeline": point.pipeline,
        "connections": point.connections,
        "program": own.program.name(),
        "threads": own.threads,
        "server": own.server,
        "way": own.way,
        "operations_per_second": estimate(Estimate::of(&own.rates, seed)),
        "cpu_micros_per_operation": estimate(Estimate::of(&own.cpu_micros, seed)),
        "latency_seconds": report::quantiles_json(&own.latencies),
        "ratio_to_best_of": against,
    })
}

/// An estimate for programs.
pub fn estimate(estimate: Estimate) -> Value {
    json!({ "median": estimate.value, "low": estimate.low, "high": estimate.high })
}

#[cfg(test)]
mod tests {
    use super::{Program, Samples, best, ratio};

    fn samples(program: Program, way: &'static str, rates: &[f64]) -> Samples {
        let mut samples = Samples::new(program, 1, program.name().to_owned(), way);
        samples.begin_process();
        rates.iter().for_each(|&rate| samples.add(rate, 1e6 / rate));
        samples.latencies.record(1_000).unwrap();
        samples
    }

    #[test]
    fn a_peer_is_taken_by_its_quickest_way_and_round_by_round() {
        let all = [
            samples(Program::Redis, "slow", &[1e5, 1.1e5, 0.9e5]),
            samples(Program::Redis, "quick", &[2e5, 1e5, 3e5]),
            samples(Program::Mayfly, "own", &[8e5, 4e5, 12e5]),
        ];
        let redis = best(&all, Program::Redis).unwrap();
        assert_eq!(redis.way, "quick");
        let ratio = ratio(&all[2], redis, 1);
        assert_eq!((ratio.rate.low, ratio.rate.value, ratio.rate.high), (4.0, 4.0, 4.0));
        assert_eq!(ratio.cpu.value, 0.25);
        assert!(best(&all, Program::Kevy).is_none());
    }
}
