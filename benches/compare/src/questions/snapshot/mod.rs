//! What a snapshot costs while it is taken, and what a start with it costs.
//!
//! ```text
//!   log in the folder, or none │ keys are written │ BGSAVE beside a light client     ┐ without writes,
//!                              │                  │ BGSAVE beside a look at memory   ┘ then beside some
//!                              │                  │ stop │ start with the snapshot │ stop …
//! ```
//!
//! Memory is looked at during a snapshot of its own: the kernel walks all pages of a process to tell what it shares with
//! its children, which a light client would feel. [`restart`] tells of the starts.

mod restart;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use fastrand::Rng;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::sync::Arc;

use super::Common;
use crate::load::{Keys, LightClient, Load, Operation, fill, latencies};
use crate::report::{self, Findings};
use crate::servers::persistence::{bytes_in, place};
use crate::servers::process::shared_out_bytes;
use crate::servers::{Asker, Persistence, Program, Recipe, Server};

/// Flags of the measurement.
#[derive(Args, Clone)]
pub struct Options {
    /// Session hashes of three fields, each with a TTL.
    #[arg(long, value_name = "N", default_value_t = 5_000_000)]
    keys: u64,
    /// Seconds that the light client runs before a snapshot.
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    calm: f64,
    /// Writes a second beside the second pair of snapshots.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    writes: u64,
}

/// Between two looks at whether a snapshot is done.
const LOOK_PAUSE: Duration = Duration::from_millis(10);
/// Between two looks at memory, each of which costs the server something.
const MEMORY_PAUSE: Duration = Duration::from_millis(50);
/// Bursts of writes a second.
const BURSTS: u64 = 100;

/// What the two parts found.
#[derive(Default)]
struct Both {
    snapshots: Findings,
    starts: Findings,
}

/// Runs the measurement and prints its tables: of the snapshots, and of the starts.
pub fn run(common: &Common, options: &Options, random: &mut Rng) -> Result<[Value; 2]> {
    let place = place()?;
    let mut options = options.clone();
    if common.quick {
        options = Options { keys: 5_000, calm: 0.05, writes: options.writes };
    }
    let mut both = Both::default();
    let redis = common.lineup.redis()?;
    for recipe in common.lineup.mayflies()?.into_iter().chain([redis]) {
        measure(&recipe, &options, &mut both, random)?;
    }
    println!(
        "BGSAVE of {} session hashes, folders in {place}; beside it a light client's HGET",
        options.keys
    );
    let head = [
        "server",
        "writes/s",
        "BGSAVE took",
        "light p50 before",
        "p99",
        "p99.9",
        "max",
        "during: p50",
        "p99",
        "p99.9",
        "max",
        "MiB before",
        "most during",
        "file MiB",
    ];
    let snapshots = both.snapshots.table(&head);
    println!("\nA start with {} session hashes, until PING is answered PONG", options.keys);
    let starts =
        both.starts.table(&["server", "from", "MiB of files", "took", "keys/s", "most MiB resident"]);
    Ok([snapshots, starts])
}

fn measure(recipe: &Recipe, options: &Options, both: &mut Both, random: &mut Rng) -> Result<()> {
    let is_mayfly = recipe.program == Program::Mayfly;
    // Mayfly keeps a log beside its snapshots in any case.
    let recipe = recipe.keeping(if is_mayfly { Persistence::Everysec } else { Persistence::Snapshots });
    let server = started(&recipe, options)?;
    for writes in [0, options.writes] {
        eprintln!("snapshot: {}, {writes} writes a second", server.name);
        snapshot(&server, writes, options, &mut both.snapshots, random)?;
    }
    // Without writes, which would stand in the log behind it.
    save(&server)?;
    let from = if is_mayfly { "snapshot" } else { "RDB file" };
    let server = restart::measure(server, &recipe, from, options.keys, &mut both.starts)?;
    drop(server);
    // One after the other: neither is to be measured beside the memory of the other.
    let recipe = recipe.keeping(Persistence::Everysec);
    let server = started(&recipe, options)?;
    let from = if is_mayfly { "log" } else { "AOF, commands" };
    let server = restart::measure(server, &recipe, from, options.keys, &mut both.starts)?;
    if !is_mayfly {
        rewrite(&server)?;
        restart::measure(server, &recipe, "AOF, rewritten (RDB preamble)", options.keys, &mut both.starts)?;
    }
    Ok(())
}

/// A server with its data.
fn started(recipe: &Recipe, options: &Options) -> Result<Server> {
    eprintln!("snapshot: {}, persistence {}: writing keys", recipe.label(), recipe.persistence.name());
    let server = Server::start(recipe)?;
    fill(server.address, &write_of(recipe.program), 0..options.keys)?;
    ensure!(Asker::connect(server.address)?.ask_integer(&["DBSIZE"])? == options.keys, "keys are missing");
    Ok(server)
}

/// Writes a session and its TTL.
fn write_of(program: Program) -> Operation {
    let fields = ["user", "user:{n}", "page", "/cart/checkout", "token", "0123456789abcdef0123456789abcdef"];
    let key = "session:{n}";
    let words = |first: &[&'static str]| [first, &fields[..]].concat();
    match program {
        Program::Mayfly => Operation::new(&[words(&["HSETEX", key, "KEY", "EX", "86400", "FIELDS", "3"])]),
        _ => Operation::new(&[words(&["HSET", key]), vec!["EXPIRE", key, "86400"]]),
    }
}

/// A snapshot beside a light client, and another beside a look at memory.
fn snapshot(
    server: &Server,
    writes: u64,
    options: &Options,
    findings: &mut Findings,
    random: &mut Rng,
) -> Result<()> {
    let writer = Writer::start(server, writes, options.keys, random)?;
    let light = LightClient::start(server.address)?;
    std::thread::sleep(Duration::from_secs_f64(options.calm));
    let before = light.look();
    let took = save(server)?;
    let during = light.stop()?;

    let held = shared_out_bytes(server.process())?;
    let memory = Watch::start(server.process());
    save(server)?;
    let most = memory.stop()?.max(held);
    writer.stop()?;
    let file = file_bytes(server)?;

    let mut row = vec![server.name.clone(), writes.to_string(), report::time(took.as_nanos() as u64)];
    for times in [&before, &during] {
        row.extend(report::quantiles(times));
    }
    row.extend([held, most, file].map(mebibytes));
    let light = |times: &Histogram<u64>| report::quantiles_json(times);
    let result = json!({
        "server": server.name,
        "program": server.program.name(),
        "keys": options.keys,
        "writes_per_second": writes,
        "seconds": took.as_secs_f64(),
        "light_client_seconds_before": light(&before),
        "light_client_seconds_during": light(&during),
        "held_bytes_before": held,
        "held_bytes_at_most": most,
        "file_bytes": file,
    });
    findings.add(row, result);
    Ok(())
}

/// Has a snapshot taken; says how long that took.
fn save(server: &Server) -> Result<Duration> {
    wait_for(server, &["BGSAVE"], "rdb_bgsave_in_progress", "rdb_last_bgsave_status")
}

/// Has Redis write its log anew.
fn rewrite(server: &Server) -> Result<Duration> {
    wait_for(server, &["BGREWRITEAOF"], "aof_rewrite_in_progress", "aof_last_bgrewrite_status")
}

fn wait_for(server: &Server, request: &[&str], in_progress: &str, status: &str) -> Result<Duration> {
    let mut asker = Asker::connect(server.address)?;
    let begun = Instant::now();
    let reply = asker.ask(request)?;
    ensure!(reply.starts_with('+'), "{}: {request:?} was answered {reply:?}", server.name);
    loop {
        std::thread::sleep(LOOK_PAUSE);
        let info = asker.ask(&["INFO", "persistence"])?;
        if info_field(&info, in_progress)? == "0" {
            ensure!(info_field(&info, status)? == "ok", "{}: {request:?} has failed", server.name);
            return Ok(begun.elapsed());
        }
    }
}

fn info_field<'a>(info: &'a str, name: &str) -> Result<&'a str> {
    let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.with_context(|| format!("INFO has no {name}"))
}

/// Bytes of the snapshot that counts.
fn file_bytes(server: &Server) -> Result<u64> {
    match server.program {
        Program::Mayfly => {
            let mut bytes = 0;
            for entry in std::fs::read_dir(server.folder().join("data"))? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with("snapshot-") {
                    bytes += entry.metadata()?.len();
                }
            }
            Ok(bytes)
        }
        _ => Ok(std::fs::metadata(server.folder().join("dump.rdb"))?.len()),
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.0}", bytes as f64 / f64::from(1 << 20))
}

/// Something that a thread does until it is told to stop.
struct Background<R> {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Result<R>>,
}

impl<R: Send + 'static> Background<R> {
    /// Begins it; it looks at the flag now and then, and ends where it is set.
    fn start(work: impl FnOnce(&AtomicBool) -> Result<R> + Send + 'static) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let own = Arc::clone(&is_over);
        Background { is_over, thread: std::thread::spawn(move || work(&own)) }
    }

    fn stop(self) -> Result<R> {
        self.is_over.store(true, Relaxed);
        self.thread.join().map_err(|_| anyhow!("a thread panicked"))?
    }
}

/// The most memory that a process and its children hold together.
struct Watch(Background<u64>);

impl Watch {
    fn start(process: u32) -> Self {
        Watch(Background::start(move |is_over| {
            let mut most = 0;
            while !is_over.load(Relaxed) {
                most = most.max(shared_out_bytes(process)?);
                std::thread::sleep(MEMORY_PAUSE);
            }
            Ok(most)
        }))
    }

    fn stop(self) -> Result<u64> {
        self.0.stop()
    }
}

/// So many writes a second, to random keys, in bursts.
struct Writer(Background<()>);

impl Writer {
    fn start(server: &Server, writes: u64, keys: u64, random: &mut Rng) -> Result<Self> {
        let operation = write_of(server.program);
        let mut load = Load::connect(server.address, 1)?;
        let mut random = random.fork();
        let burst = (writes / BURSTS) as usize;
        Ok(Writer(Background::start(move |is_over| {
            let begun = Instant::now();
            for number in 1.. {
                if is_over.load(Relaxed) {
                    break;
                }
                if burst > 0 {
                    // No time at all is one pipeline.
                    let keys = Keys::Random(&mut random, keys);
                    load.run(&operation, burst, keys, Some(Duration::ZERO), &mut latencies())?;
                }
                let due = Duration::from_secs(1) * number / BURSTS as u32;
                std::thread::sleep(due.saturating_sub(begun.elapsed()));
            }
            Ok(())
        })))
    }

    fn stop(self) -> Result<()> {
        self.0.stop()
    }
}

#[cfg(test)]
mod tests {
    use super::{Program, info_field, write_of};

    #[test]
    fn a_field_of_info_is_found_by_its_whole_name() {
        let info = "$40\r\nrdb_bgsave_in_progress_x:7\r\nrdb_bgsave_in_progress:0\r\n";
        assert_eq!(info_field(info, "rdb_bgsave_in_progress").unwrap(), "0");
        assert!(info_field(info, "rdb_bgsave").is_err());
    }

    #[test]
    fn both_write_the_same_session() {
        for (program, replies) in [(Program::Mayfly, 1), (Program::Redis, 2)] {
            let mut bytes = Vec::new();
            write_of(program).append(42, &mut bytes);
            let text = String::from_utf8(bytes).unwrap();
            assert_eq!(write_of(program).replies(), replies);
            assert!(text.contains("session:0000000042") && text.contains("user:0000000042"), "{text}");
        }
    }
}
