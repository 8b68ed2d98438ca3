//! How much memory stays in use at `maxmemory`, and how many reads still hit, by policy.
//!
//! A cache in front of twice as much data as fits: every hash is written once, then keys are read as popular things are
//! (Zipf), and each miss writes the hash, with a TTL. Redis' limit counts buffers and its own overhead too, Mayfly's counts data.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use fastrand::Rng;
use serde_json::{Value, json};

use super::Common;
use crate::load::encode;
use crate::report::Findings;
use crate::servers::{Asker, Program, Recipe, Server};

/// Flags of the measurement.
#[derive(Args, Clone)]
pub struct Options {
    /// The limit in MiB.
    #[arg(long = "limit", value_name = "MIB", default_value_t = 1024)]
    limit_mib: u64,
    /// Bytes of a value.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    value_bytes: usize,
    /// Reads for each key that there is, half of them before the hits are counted.
    #[arg(long, value_name = "N", default_value_t = 6)]
    reads_a_key: u64,
    /// How uneven the popularity of keys is; 0 is even.
    #[arg(long, value_name = "EXPONENT", default_value_t = 0.99)]
    zipf: f64,
    /// The policies.
    #[arg(long, value_name = "POLICY", value_delimiter = ',', default_value = POLICIES)]
    policies: Vec<String>,
}

const POLICIES: &str = "noeviction,allkeys-lru,allkeys-lfu,allkeys-random,volatile-lru,volatile-lfu,volatile-random,volatile-ttl";
/// How much data there is, in limits.
const DATA: u64 = 2;
/// Reads that are sent at once.
const PIPELINE: u64 = 64;
/// The shortest and the longest TTL in seconds; none comes due meanwhile.
const TTL_SECONDS: std::ops::Range<u64> = 10_000..100_000;

/// Runs the measurement and prints its table.
pub fn run(common: &Common, options: &Options, random: &mut Rng) -> Result<Value> {
    let mut options = options.clone();
    if common.quick {
        (options.limit_mib, options.reads_a_key) = (4, 2);
    }
    let limit = options.limit_mib << 20;
    let keys = limit * DATA / options.value_bytes as u64;
    let popularity = Zipf::new(keys, options.zipf);
    let seed = random.u64(..);
    let mut findings = Findings::default();
    for policy in &options.policies {
        for recipe in common.lineup.servers()? {
            if recipe.program == Program::Kevy {
                continue;
            }
            eprintln!("eviction: {policy}, {}", recipe.label());
            // The same reads for every server.
            let mut reads = Rng::with_seed(seed);
            measure(&recipe, policy, limit, &options, &popularity, &mut reads, &mut findings)?;
        }
    }
    println!(
        "A cache of {} MiB for {keys} hashes of {} bytes: each is written, then {} reads a key by Zipf {}, a miss writes",
        options.limit_mib, options.value_bytes, options.reads_a_key, options.zipf
    );
    let head = [
        "policy",
        "server",
        "hits",
        "resident / limit",
        "used / limit",
        "keys",
        "evicted",
        "refused",
        "reads/s",
    ];
    Ok(findings.table(&head))
}

fn measure(
    recipe: &Recipe,
    policy: &str,
    limit: u64,
    options: &Options,
    popularity: &Zipf,
    random: &mut Rng,
    findings: &mut Findings,
) -> Result<()> {
    let server = Server::start(recipe)?;
    let set = ["CONFIG", "SET", "maxmemory", &limit.to_string(), "maxmemory-policy", policy];
    let answer = server.ask(&set)?;
    ensure!(answer == "+OK\r\n", "{} answered {answer:?} to {set:?}", server.name);
    let keys = popularity.keys();
    let reads = keys * options.reads_a_key;
    let mut cache = Cache::connect(server.address, &"v".repeat(options.value_bytes))?;
    for first in (0..keys).step_by(PIPELINE as usize) {
        cache.write(&(first..keys.min(first + PIPELINE)).collect::<Vec<_>>())?;
    }
    cache.read(reads / 2, popularity, random)?;
    let before = (cache.hits, cache.misses);
    let start = Instant::now();
    cache.read(reads - reads / 2, popularity, random)?;
    let elapsed = start.elapsed();
    let (hits, misses) = (cache.hits - before.0, cache.misses - before.1);
    let hit_rate = hits as f64 / (hits + misses).max(1) as f64;
    let (resident, used) = (server.resident_bytes()?, info(&server, "memory", "used_memory")?);
    let evicted = info(&server, "stats", "evicted_keys")?;
    let held = Asker::connect(server.address)?.ask_integer(&["DBSIZE"])?;
    let of_limit = |bytes: u64| bytes as f64 / limit as f64;
    let rate = (hits + misses) as f64 / elapsed.as_secs_f64();
    let row = vec![
        policy.to_owned(),
        server.name.clone(),
        format!("{:.1} %", 100.0 * hit_rate),
        format!("{:.2}", of_limit(resident)),
        format!("{:.3}", of_limit(used)),
        held.to_string(),
        evicted.to_string(),
        cache.refused.to_string(),
        format!("{:.0} k", rate / 1e3),
    ];
    let result = json!({
        "policy": policy,
        "server": server.name,
        "program": server.program.name(),
        "limit_bytes": limit,
        "keys": keys,
        "hit_rate": hit_rate,
        "resident_bytes": resident,
        "used_bytes": used,
        "held_keys": held,
        "evicted_keys": evicted,
        "refused_writes": cache.refused,
        "reads_per_second": rate,
    });
    findings.add(row, result);
    Ok(())
}

/// A number that `INFO` tells.
fn info(server: &Server, section: &str, name: &str) -> Result<u64> {
    let info = server.ask(&["INFO", section])?;
    let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Ok(value.with_context(|| format!("INFO {section} has no {name}"))?.trim().parse()?)
}

/// Which key is read next: the one of rank r with a probability that falls as r to the exponent.
struct Zipf {
    /// The probability of all ranks up to this one, times a constant.
    cumulated: Vec<f64>,
}

impl Zipf {
    fn new(keys: u64, exponent: f64) -> Self {
        let mut sum = 0.0;
        let cumulated = (1..=keys.max(1)).map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        });
        Zipf { cumulated: cumulated.collect() }
    }

    fn keys(&self) -> u64 {
        self.cumulated.len() as u64
    }

    /// A key; the popular ones lie anywhere among all.
    fn draw(&self, random: &mut Rng) -> u64 {
        let all = self.cumulated.last().copied().unwrap_or(0.0);
        let place = random.f64() * all;
        let rank = self.cumulated.partition_point(|sum| *sum <= place) as u64;
        // A prime that is no divisor of any number of keys at hand makes this one-to-one.
        rank.min(self.keys() - 1) * 1_000_000_007 % self.keys()
    }
}

/// A client that reads through a cache.
struct Cache {
    socket: TcpStream,
    value: String,
    input: Vec<u8>,
    /// Up to where the input is read.
    read_to: usize,
    hits: u64,
    misses: u64,
    refused: u64,
}

/// How long a server may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(60);

impl Cache {
    fn connect(address: SocketAddr, value: &str) -> Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(SILENCE_MAX))?;
        let value = value.to_owned();
        Ok(Cache { socket, value, input: Vec::new(), read_to: 0, hits: 0, misses: 0, refused: 0 })
    }

    /// Reads so many times; what is not there is written.
    fn read(&mut self, count: u64, popularity: &Zipf, random: &mut Rng) -> Result<()> {
        for first in (0..count).step_by(PIPELINE as usize) {
            let keys: Vec<u64> =
                (first..count.min(first + PIPELINE)).map(|_| popularity.draw(random)).collect();
            let mut request = Vec::new();
            keys.iter().for_each(|key| encode(&["HGET", &name(*key), "f"], &mut request));
            self.socket.write_all(&request)?;
            let mut missing = Vec::new();
            for key in keys {
                match self.reply()?.as_slice() {
                    b"$-1" => missing.push(key),
                    line if line.starts_with(b"$") => self.hits += 1,
                    line => bail!("HGET was answered {}", String::from_utf8_lossy(line)),
                }
            }
            self.misses += missing.len() as u64;
            self.write(&missing)?;
        }
        Ok(())
    }

    fn write(&mut self, keys: &[u64]) -> Result<()> {
        let mut request = Vec::new();
        for key in keys {
            let ttl = TTL_SECONDS.start + key % (TTL_SECONDS.end - TTL_SECONDS.start);
            encode(&["HSET", &name(*key), "f", &self.value], &mut request);
            encode(&["EXPIRE", &name(*key), &ttl.to_string()], &mut request);
        }
        self.socket.write_all(&request)?;
        for _ in 0..2 * keys.len() {
            match self.reply()?.as_slice() {
                line if line.starts_with(b":") => {}
                line if line.starts_with(b"-OOM") => self.refused += 1,
                line => bail!("a write was answered {}", String::from_utf8_lossy(line)),
            }
        }
        Ok(())
    }

    /// The first line of the next reply; a string behind it is passed over.
    fn reply(&mut self) -> Result<Vec<u8>> {
        loop {
            let input = &self.input[self.read_to..];
            if let Some(end) = input.windows(2).position(|pair| pair == b"\r\n") {
                let line = input[..end].to_vec();
                let length = line.strip_prefix(b"$").and_then(|number| std::str::from_utf8(number).ok());
                let whole = match length.and_then(|number| number.parse::<usize>().ok()) {
                    Some(length) => end + 2 + length + 2,
                    None => end + 2,
                };
                if input.len() >= whole {
                    self.read_to += whole;
                    return Ok(line);
                }
            }
            self.input.drain(..self.read_to);
            self.read_to = 0;
            let mut bytes = [0; 64 * 1024];
            let length = self.socket.read(&mut bytes)?;
            ensure!(length > 0, "the server closed the connection");
            self.input.extend_from_slice(&bytes[..length]);
        }
    }
}

fn name(key: u64) -> String {
    format!("item:{key:010}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn popular_keys_are_drawn_as_often_as_zipf_says_and_every_rank_is_another_key() {
        let zipf = Zipf::new(1_000, 1.0);
        let mut random = Rng::with_seed(5);
        let mut counts = vec![0_u32; 1_000];
        for _ in 0..100_000 {
            counts[zipf.draw(&mut random) as usize] += 1;
        }
        counts.sort_unstable_by(|one, other| other.cmp(one));
        // The sum of 1/r up to 1000 is 7.485.
        assert!((12_500..14_300).contains(&counts[0]), "{}", counts[0]);
        assert!((6_100..7_300).contains(&counts[1]), "{}", counts[1]);
        assert!(counts.iter().filter(|count| **count > 0).count() > 900);
        assert_eq!(Zipf::new(7, 0.0).keys(), 7);
    }
}
