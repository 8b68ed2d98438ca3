//! What a light client feels while the metrics of many shards are scraped, and how long a scrape takes.
//!
//! Mayfly alone, since no peer serves metrics itself. A load of so many operations a second keeps all shards at work; the
//! light client sends one HSETEX after the other. Slices with and without a scraper take turns in random order, and
//! what counts is the median of the slices: a machine that others use too changes from second to second.
//!
//! Scraper and load share the machine with the server, so on few cores the light client waits for them as well: the
//! difference to the slices without a scraper is an upper bound of what the server itself does.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use fastrand::Rng;
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::Common;
use crate::load::{Keys, LightClient, Load, Operation, latencies};
use crate::report::{self, Findings};
use crate::servers::{Scrape, Server};
use crate::statistics::median;

/// Flags of the measurement.
#[derive(Args, Clone)]
pub struct Options {
    /// Shards of the server that is scraped.
    #[arg(long = "scraped-shards", value_name = "N", default_value_t = 16)]
    shards: u16,
    /// Keys that the load is about; all hold a TTL.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    keys: u64,
    /// Operations a second of the load.
    #[arg(long, value_name = "N", default_value_t = 50_000)]
    rate: u64,
    /// Connections of the load.
    #[arg(long, value_name = "N", default_value_t = 8)]
    connections: usize,
    /// Depth of their pipelines.
    #[arg(long, value_name = "N", default_value_t = 16)]
    pipeline: usize,
    /// Length of a slice in ms.
    #[arg(long, value_name = "MS", default_value_t = 2_000)]
    slice: u64,
    /// Slices of each kind.
    #[arg(long, value_name = "N", default_value_t = 30)]
    rounds: usize,
}

/// The load is handed out in pieces this far apart.
const TICK: Duration = Duration::from_millis(2);
/// Longer than any run.
const TTL: &str = "86400";

/// Who scrapes during a slice.
#[derive(Clone, Copy)]
enum Scraper {
    /// Nobody.
    Nobody,
    /// A scrape a second, the shortest time that a Prometheus usually has between two.
    EverySecond,
    /// A scrape every 100 ms.
    Often,
    /// One scrape after the other.
    WithoutPause,
}

impl Scraper {
    const ALL: [Self; 4] = [Self::Nobody, Self::EverySecond, Self::Often, Self::WithoutPause];

    fn name(self) -> &'static str {
        match self {
            Scraper::Nobody => "none",
            Scraper::EverySecond => "every second",
            Scraper::Often => "every 100 ms",
            Scraper::WithoutPause => "without a pause",
        }
    }

    /// From the beginning of a scrape to that of the next, at least.
    fn period(self) -> Option<Duration> {
        match self {
            Scraper::Nobody => None,
            Scraper::EverySecond => Some(Duration::from_secs(1)),
            Scraper::Often => Some(Duration::from_millis(100)),
            Scraper::WithoutPause => Some(Duration::ZERO),
        }
    }
}

/// What the slices of one kind came to.
struct Samples {
    scraper: Scraper,
    scrapes: Histogram<u64>,
    bytes: usize,
    /// p50, p99 and maximum of the light client in each slice, in nanoseconds.
    light: [Vec<f64>; 3],
    /// Operations a second of the load in each slice.
    rates: Vec<f64>,
}

/// Runs the measurement and prints its table.
pub fn run(common: &Common, options: &Options, random: &mut Rng) -> Result<Value> {
    let mut options = options.clone();
    if common.quick {
        options = Options { keys: 1_000, rate: 5_000, slice: 150, rounds: 2, ..options };
    }
    ensure!(options.rounds > 0, "there is no slice");
    let recipe = common.lineup.mayfly()?.with_threads(options.shards);
    eprintln!("scrape: {}", recipe.label());
    let server = Server::start(&recipe)?;
    let mut all = Scraper::ALL.map(Samples::new);
    measure(&server, &options, random, &mut all)?;
    println!(
        "{} keys on {} shards, a load of {} operations a second; beside it a light client's HSETEX;\n\
         {} slices of {} ms of each kind, medians of slices",
        options.keys, options.shards, options.rate, options.rounds, options.slice
    );
    Ok(table(&server, &options, &mut all))
}

fn measure(server: &Server, options: &Options, random: &mut Rng, all: &mut [Samples]) -> Result<()> {
    let metrics = server.metrics.context("Mayfly serves no metrics")?;
    let operation = Operation::new(&[vec!["HSETEX", "key:{n}", "f", "0123456789abcdef", TTL]]);
    let mut load = Load::connect(server.address, options.connections)?;
    load.run(&operation, options.pipeline, Keys::Ascending(0..options.keys), None, &mut latencies())?;
    let length = Duration::from_millis(options.slice);
    // Every command has its metrics, and everybody has been at work, before the first slice that counts.
    for round in 0..=options.rounds {
        let mut order: Vec<usize> = (0..all.len()).collect();
        random.shuffle(&mut order);
        for index in order {
            let light = LightClient::sending(server.address, &["HSETEX", "light", "f", "v", TTL])?;
            let (scrapes, rate) = scraped(metrics, all[index].scraper, || {
                steady(&mut load, &operation, options, random, length)
            })?;
            let light = light.stop()?;
            if round > 0 {
                all[index].add(&scrapes, &light, rate)?;
            }
        }
    }
    Ok(())
}

/// Runs `work` while somebody scrapes, at least once; gives each scrape's time and size.
fn scraped<R>(
    metrics: SocketAddr,
    scraper: Scraper,
    work: impl FnOnce() -> Result<R>,
) -> Result<(Vec<(Duration, usize)>, R)> {
    let Some(period) = scraper.period() else { return Ok((Vec::new(), work()?)) };
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let scraping = scope.spawn(|| -> Result<Vec<(Duration, usize)>> {
            let mut scrapes = Vec::new();
            loop {
                let start = Instant::now();
                let length = Scrape::take(metrics)?.length();
                scrapes.push((start.elapsed(), length));
                if stop.load(Relaxed) {
                    return Ok(scrapes);
                }
                std::thread::sleep(period.saturating_sub(start.elapsed()));
            }
        });
        let result = work();
        stop.store(true, Relaxed);
        let scrapes = scraping.join().map_err(|_| anyhow!("the scraper panicked"))?;
        Ok((scrapes?, result?))
    })
}

/// So many operations a second, in even pieces; gives how many a second it were.
fn steady(
    load: &mut Load,
    operation: &Operation,
    options: &Options,
    random: &mut Rng,
    length: Duration,
) -> Result<f64> {
    let piece = (options.rate * TICK.as_millis() as u64 / 1_000).clamp(1, options.keys);
    let start = Instant::now();
    let (mut next, mut operations) = (start, 0);
    while start.elapsed() < length {
        let first = random.u64(..=options.keys - piece);
        let keys = Keys::Ascending(first..first + piece);
        operations += load.run(operation, options.pipeline, keys, None, &mut latencies())?.operations;
        // Whoever is late does not catch up.
        next = (next + TICK).max(Instant::now());
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(operations as f64 / start.elapsed().as_secs_f64())
}

impl Samples {
    fn new(scraper: Scraper) -> Self {
        Samples { scraper, scrapes: latencies(), bytes: 0, light: Default::default(), rates: Vec::new() }
    }

    /// Adds a slice.
    fn add(&mut self, scrapes: &[(Duration, usize)], light: &Histogram<u64>, rate: f64) -> Result<()> {
        for (took, bytes) in scrapes {
            self.scrapes.record(took.as_nanos() as u64)?;
            self.bytes = self.bytes.max(*bytes);
        }
        for (values, quantile) in self.light.iter_mut().zip([0.5, 0.99, 1.0]) {
            values.push(light.value_at_quantile(quantile) as f64);
        }
        self.rates.push(rate);
        Ok(())
    }
}

fn table(server: &Server, options: &Options, all: &mut [Samples]) -> Value {
    let calm: Vec<f64> = all[0].light[1].clone();
    let mut findings = Findings::default();
    for samples in all {
        let ratio = median_ratio(&samples.light[1], &calm);
        let [p50, p99, max] = samples.light.each_mut().map(|values| median(values));
        let rate = median(&mut samples.rates);
        let has_scrapes = !samples.scrapes.is_empty();
        let scrape = |quantile| samples.scrapes.value_at_quantile(quantile);
        let mut row = vec![samples.scraper.name().to_owned(), samples.scrapes.len().to_string()];
        row.extend([0.5, 0.99, 1.0].map(|quantile| match has_scrapes {
            true => report::time(scrape(quantile)),
            false => String::new(),
        }));
        row.push(if has_scrapes { format!("{} KiB", samples.bytes >> 10) } else { String::new() });
        row.extend([p50, p99, max].map(|nanos| report::time(nanos as u64)));
        row.push(format!("{ratio:.2}"));
        row.push(format!("{:.1} k", rate / 1e3));
        let result = json!({
            "server": server.name,
            "scraper": samples.scraper.name(),
            "keys": options.keys,
            "slices": options.rounds,
            "scrape_seconds": report::quantiles_json(&samples.scrapes),
            "scrape_bytes": samples.bytes,
            "light_client_seconds": { "p50": p50 / 1e9, "p99": p99 / 1e9, "max": max / 1e9 },
            "light_client_p99_ratio": ratio,
            "operations_per_second": rate,
        });
        findings.add(row, result);
    }
    let head = [
        "scraper",
        "scrapes",
        "a scrape: p50",
        "p99",
        "max",
        "size",
        "light p50",
        "p99",
        "max",
        "p99 × without",
        "load ops/s",
    ];
    findings.table(&head)
}

/// The median of the ratios of each round.
fn median_ratio(own: &[f64], other: &[f64]) -> f64 {
    median(&mut own.iter().zip(other).map(|(own, other)| own / other).collect::<Vec<_>>())
}
