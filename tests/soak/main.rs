//! A long run: everything at once against a server with a limit of memory, a log and snapshots, while what has to hold
//! all along is looked at.
//!
//! ```text
//!   tests/run soak                                an hour, or SOAK_MINUTES
//!   cargo test --test soak -- --minutes 5
//! ```
//!
//! * [`worker`]: clients that write, read, remove, walk and publish. No reply is an error but OOM, a hash past its
//!   deadline is gone, a value is what was written, a transaction is whole.
//! * [`listener`]: every message arrives, each publisher's in order; and clients that come and go.
//! * [`watch`]: after a warm-up memory stays within bounds, descriptors are no more than clients need, counters never fall.
//!
//! A line a minute says how it goes. The first thing that does not hold ends the run, with the server's log.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "it runs for as long as it is told, and reports to people"
)]

#[allow(dead_code, unused_imports, reason = "what the integration tests need beside")]
#[path = "../harness/mod.rs"]
mod harness;
mod listener;
mod watch;
mod worker;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use harness::{Folder, Seed, Server};
use watch::Watch;

/// Shards of the server.
const SHARDS: usize = 2;
/// Clients that work.
const WORKERS: u64 = 4;
/// What the data may use, in turns: in the first everything lives until its deadline, in the second most is evicted.
const LIMITS_BYTES: [u64; 2] = [96 << 20, 24 << 20];
/// How often is looked whether everything holds.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often is told how it goes; the limit changes then.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// What all threads share.
#[derive(Default)]
pub struct Shared {
    stop: AtomicBool,
    /// Requests that were answered.
    pub requests: AtomicU64,
    /// Of these, those refused for want of memory.
    pub refused: AtomicU64,
    /// Hashes that were seen to be gone in time.
    pub expired: AtomicU64,
    /// Messages that came.
    pub messages: AtomicU64,
    /// Messages by worker that were published.
    pub published: [AtomicU64; WORKERS as usize],
}

impl Shared {
    /// Whether the time is over.
    pub fn is_over(&self) -> bool {
        self.stop.load(Relaxed)
    }
}

fn main() {
    let length = length();
    let seed = Seed::of_this_run();
    let folder = Folder::new();
    let server = folder
        .launch(SHARDS, "everysec")
        .set("memory.bytes_max", LIMITS_BYTES[0])
        .set("memory.policy", "volatile-ttl")
        .set("persistence.save", "20 1000")
        .set("persistence.log_bytes_min", "8mb")
        // What waits for a slow disk is memory too, and must fit into what the watch lets come on top.
        .set("persistence.unsynced_bytes_max", "8mb")
        .start();
    let descriptors = server.descriptors();
    let mut watch = Watch::begin(&server, length);
    let shared: &Shared = Box::leak(Box::default());
    run(&server, shared, &seed, length, &mut watch);
    // Everybody has gone, and has left nothing behind.
    watch.is_as_before(&server, descriptors);
    let held: Vec<u64> = shared.published.iter().map(|count| count.load(Relaxed)).collect();
    assert_eq!(shared.messages.load(Relaxed), held.iter().sum::<u64>(), "every message has arrived");
    println!("1 passed, 0 failed");
}

fn run(server: &Server, shared: &'static Shared, seed: &Seed, length: Duration, watch: &mut Watch) {
    let address = server.address;
    let listener = listener::start(address, shared);
    let mut others: Vec<JoinHandle<()>> = vec![listener::come_and_go(address, shared, seed.rng(WORKERS))];
    others.extend((0..WORKERS).map(|number| worker::start(address, shared, number, seed.rng(number))));
    let start = Instant::now();
    let (mut told, mut limits) = (start, LIMITS_BYTES.iter().cycle().skip(1));
    while start.elapsed() < length && !others.iter().any(JoinHandle::is_finished) && !listener.is_finished() {
        std::thread::sleep(LOOK_EVERY.min(length - start.elapsed().min(length)));
        watch.look(server);
        if told.elapsed() >= TELL_EVERY {
            told += TELL_EVERY;
            watch.tell(shared);
            let limit = *limits.next().expect("a cycle has no end");
            watch.limit_is(limit);
            server.connect().replay(&[(&*format!("CONFIG SET maxmemory {limit}"), "OK")]);
        }
    }
    if told.elapsed() > LOOK_EVERY {
        watch.tell(shared);
    }
    shared.stop.store(true, Relaxed);
    for thread in others {
        thread.join().expect("what has to hold has held");
    }
    // Whatever was published before has come before this.
    server.connect().replay(&[("PUBLISH soak end", "(integer) 1")]);
    listener.join().expect("what has to hold has held");
}

/// How long, from the command line.
fn length() -> Duration {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let minutes = match words[..] {
        [] => 60.0,
        ["--minutes", minutes] => minutes.parse().expect("a number of minutes"),
        _ => panic!("there is nothing but --minutes NUMBER"),
    };
    Duration::from_secs_f64(60.0 * minutes)
}
