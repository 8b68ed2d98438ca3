//! Instructions of the hot loops, counted by callgrind and set against the last count in `instructions.txt`.
//!
//! `cargo bench --bench instructions` counts, prints the ratios, and fails if one is past [`RATIO_MAX`];
//! `UPDATE_INSTRUCTIONS=1` writes the counts down instead. With `-- --test` every loop runs once, without callgrind.
//!
//! Where they go: `valgrind --tool=callgrind target/release/deps/instructions-* --loop "HGET, 64 at once" 4000`, then
//! `callgrind_annotate`.
//!
//! A count is the same on a busy machine and on an idle one. What it leaves out is the cost of memory. Each loop
//! runs in a process of its own, with few rounds and with more; the difference is what the added rounds cost, free
//! of the process' start and of the writing of its keys.

#![allow(clippy::print_stdout)] // the report is the purpose

mod world;

use std::fmt::Write;
use std::hint::black_box;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::{env, fs};

use mayfly_resp::{Decoded, Decoder, RequestLimits};
use mayfly_store::{Key, KeyHasher, Keyspace, StoreOptions, UnixMillis, packed_bytes};
use world::{World, hget, hsetex};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many times as many instructions as last time are too many. The same binary repeats within 0.001; another
/// compiler or another libc moves a loop by some hundredths.
const RATIO_MAX: f64 = 1.1;
/// Rounds of a loop, and how many more of them are counted.
const ROUNDS: u64 = 1_000;
/// Keys in the keyspace.
const KEYS: u64 = 20_000;
/// How many pipelines are prepared, each over other keys.
const PIPELINES: u64 = 50;

/// A loop: its name, how many operations one round of it has, and what runs so many rounds.
type Loop = (&'static str, u64, fn(u64));

const LOOPS: [Loop; 9] = [
    ("decode HSETEX, 64 at once", 64, decode),
    ("HSETEX, 1 at once", 1, |rounds| answer(1, 1, hsetex, rounds)),
    ("HSETEX, 16 at once", 16, |rounds| answer(1, 16, hsetex, rounds)),
    ("HSETEX, 64 at once", 64, |rounds| answer(1, 64, hsetex, rounds)),
    ("HSETEX, 64 at once, two shards", 64, |rounds| answer(2, 64, hsetex, rounds)),
    ("HSETEX, 64 at once, recorded", 64, |rounds| {
        answer_in(World::new(1).recording(), 64, hsetex, rounds);
    }),
    ("HGET, 1 at once", 1, |rounds| answer(1, 1, hget, rounds)),
    ("HGET, 64 at once", 64, |rounds| answer(1, 64, hget, rounds)),
    ("a key written, and expired by the wheel", 16, write_and_expire),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--loop") {
        let (name, rounds) = (&arguments[at + 1], &arguments[at + 2]);
        let (.., run) = LOOPS.iter().find(|(known, ..)| known == name).expect("a loop of this name");
        run(rounds.parse().expect("a number of rounds"));
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|argument| argument == "--test") {
        for (name, _, run) in LOOPS {
            println!("Testing {name}");
            run(1);
            println!("Success");
        }
        return ExitCode::SUCCESS;
    }
    let counts: Vec<(&str, f64)> = LOOPS.iter().map(|&(name, each, _)| (name, count(name, each))).collect();
    if env::var_os("UPDATE_INSTRUCTIONS").is_some() {
        fs::write(record(), written(&counts)).expect("the record can be written");
    }
    judge(&counts)
}

/// Prints every count beside the last; fails if one is too far above it.
fn judge(counts: &[(&str, f64)]) -> ExitCode {
    let last = fs::read_to_string(record()).unwrap_or_default();
    let mut failed = 0;
    println!("instructions an operation: now, last, ratio (at most {RATIO_MAX})");
    for (name, now) in counts {
        let last = last.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        let (shown, good) = match last.map(|last| (last, now / last)) {
            Some((last, ratio)) => (format!("{last:>9.1} {ratio:>6.3}"), ratio <= RATIO_MAX),
            None => (format!("not in {}", record().display()), false),
        };
        println!("{name:40} {now:>9.1} {shown}{}", if good { "" } else { "  FAILED" });
        failed += usize::from(!good);
    }
    println!("{} passed, {failed} failed", counts.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Counts depend on the kind of processor, so each has its record.
fn record() -> PathBuf {
    let name = format!("instructions-{}.txt", env::consts::ARCH);
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches").join(name)
}

fn written(counts: &[(&str, f64)]) -> String {
    let mut text =
        "# Instructions an operation; UPDATE_INSTRUCTIONS=1 cargo bench --bench instructions writes them.\n"
            .to_owned();
    for (name, count) in counts {
        // A String takes whatever is written to it.
        let _ = writeln!(text, "{name:40} {count:.1}");
    }
    text
}

/// Instructions of one operation.
fn count(name: &str, operations: u64) -> f64 {
    let added = collected(name, 2 * ROUNDS) - collected(name, ROUNDS);
    added as f64 / (ROUNDS * operations) as f64
}

/// Instructions of a whole process.
fn collected(name: &str, rounds: u64) -> i64 {
    let this = env::current_exe().expect("a process knows its program");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(this)
        .args(["--loop", name, &rounds.to_string()])
        .output()
        .expect("valgrind is installed");
    let log = String::from_utf8_lossy(&output.stderr);
    let count = log.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    count.unwrap_or_else(|| panic!("callgrind counted nothing:\n{log}"))
}

fn decode(rounds: u64) {
    let mut buffer: Vec<u8> = (0..64).flat_map(hsetex).collect();
    for _ in 0..rounds {
        let mut decoder = Decoder::new(RequestLimits::default());
        let mut requests = 0;
        while decoder.decode(black_box(&mut buffer)) == Ok(Decoded::Request) {
            requests += 1;
        }
        assert_eq!(requests, 64);
    }
}

/// From the bytes of a pipeline to the bytes of its replies.
fn answer(shards: u16, pipelined: u64, request: fn(u64) -> Vec<u8>, rounds: u64) {
    answer_in(World::new(shards), pipelined, request, rounds);
}

fn answer_in(mut world: World, pipelined: u64, request: fn(u64) -> Vec<u8>, rounds: u64) {
    for first in (0..KEYS).step_by(100) {
        let pipeline: Vec<u8> = (first..first + 100).flat_map(hsetex).collect();
        world.answer(&pipeline);
    }
    let pipelines: Vec<Vec<u8>> = (0..PIPELINES)
        .map(|number| {
            (0..pipelined).flat_map(|place| request((number * 64 + place) * 7_919 % KEYS)).collect()
        })
        .collect();
    for pipeline in pipelines.iter().cycle().take(rounds as usize) {
        assert!(!black_box(world.answer(pipeline)).is_empty());
    }
}

fn write_and_expire(rounds: u64) {
    const NOW: i64 = 1_700_000_000_000;
    let hasher = KeyHasher::from_seed(9);
    let mut keyspace = Keyspace::new(StoreOptions::default(), hasher.clone());
    for number in 0..rounds * 16 {
        let name = format!("session:{number:010}");
        let database = keyspace.database_mut(0);
        let key = Key::new(name.as_bytes(), &hasher);
        let (mut id, _) =
            database.find_or_create(key, || packed_bytes(b"data", &[b'v'; 32]), UnixMillis(NOW));
        database.set_field(&mut id, b"data", &[b'v'; 32]);
        database.set_deadline(id, Some(UnixMillis(NOW + 60_000)));
    }
    while keyspace.reclaim(UnixMillis(NOW + 60_000), 256, &mut |_, _, _| ()).more {}
    assert!(keyspace.database(0).is_empty());
}
