//! A shard's keyspace with a million keys: one by one and in stages, growing, and expiring all at once.
//!
//! `cargo bench --bench keyspace`; `MAYFLY_BENCH_KEYS` sets another number of keys. The longest single steps and
//! the bytes a key takes are printed before the benchmarks run. The longest steps include the kernel's page faults:
//! a first touch of a huge page takes milliseconds in some virtual machines. `MIMALLOC_ALLOW_THP=0` leaves them out.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mayfly_store::{Database, Key, KeyHasher, Keyspace, StoreOptions, UnixMillis, packed_bytes};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
const VALUE: [u8; 32] = [b'v'; 32];
const TTL_MS: i64 = 3_600_000;
/// Keys of a round; their bytes lie together, as they do in a read buffer.
const ROUND: usize = 4_096;

type Name = [u8; 18];

/// With `--test` everything runs once, on a small scale.
fn keys_count() -> u64 {
    if std::env::args().any(|argument| argument == "--test") {
        return 20_000;
    }
    let count = std::env::var("MAYFLY_BENCH_KEYS").ok().and_then(|count| count.parse().ok());
    count.unwrap_or(1_000_000)
}

fn name(number: u64) -> Name {
    let mut name = *b"session:0000000000";
    let mut rest = number;
    for digit in name[8..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    name
}

/// What HSETEX does.
fn update(database: &mut Database, key: Key<'_>, deadline: UnixMillis) {
    let (mut id, _) = database.find_or_create(key, || packed_bytes(b"data", &VALUE), NOW);
    database.set_field_until(&mut id, b"data", &VALUE, deadline);
}

#[allow(clippy::disallowed_methods)] // a benchmark measures time
fn timed(longest: &mut Duration, step: impl FnOnce()) {
    let start = Instant::now();
    step();
    *longest = start.elapsed().max(*longest);
}

/// Fills a keyspace, and prints what that took.
#[allow(clippy::print_stdout)] // the report of a benchmark
fn fill(hasher: &KeyHasher, count: u64, ttl_ms: i64) -> Keyspace {
    let mut keyspace = Keyspace::new(StoreOptions::default(), hasher.clone());
    let (mut longest, mut total) = (Duration::ZERO, Duration::ZERO);
    timed(&mut total, || {
        for number in 0..count {
            let name = name(number);
            let deadline = UnixMillis(NOW.0 + ttl_ms);
            timed(&mut longest, || update(keyspace.database_mut(0), Key::new(&name, hasher), deadline));
        }
    });
    println!(
        "{count} keys of 18 + 4 + 32 bytes: {} bytes each; inserted in {} ns each, the longest in {longest:?}",
        keyspace.bytes() as u64 / count,
        total.as_nanos() as u64 / count,
    );
    keyspace
}

/// A storm: all keys due at once.
#[allow(clippy::print_stdout)] // the report of a benchmark
fn storm(hasher: &KeyHasher, count: u64) {
    let mut keyspace = fill(hasher, count, 60_000);
    for (moment, now) in [("placed lower", NOW.0 + 59_999), ("expired", NOW.0 + 60_000)] {
        let (mut longest, mut total, mut steps, mut more) = (Duration::ZERO, Duration::ZERO, 0, true);
        timed(&mut total, || {
            while more {
                timed(&mut longest, || {
                    let done = keyspace.reclaim(UnixMillis(now), 256, &mut |_, _, _| ());
                    (steps, more) = (steps + done.steps, done.more);
                });
            }
        });
        let each = total.as_nanos() / steps.max(1) as u128;
        println!("{moment}: {steps} steps of {each} ns; the longest slice of 256 took {longest:?}");
    }
    assert!(keyspace.database(0).is_empty());
}

/// A hash with a field for every key: copied, removed, and freed.
#[allow(clippy::print_stdout)] // the report of a benchmark
fn large(hasher: &KeyHasher, count: u64) {
    let mut keyspace = Keyspace::new(StoreOptions::default(), hasher.clone());
    let (mut set, mut copied, mut removed, mut freed) = Default::default();
    let database = keyspace.database_mut(0);
    let (mut id, _) = database.find_or_create(Key::new(b"large", hasher), || 0, NOW);
    for number in 0..count {
        timed(&mut set, || assert!(database.set_field(&mut id, &name(number), &VALUE)));
    }
    let mut copy = None;
    timed(&mut copied, || copy = Some(database.copy(id, NOW)));
    let copy = database.attach(Key::new(b"copy", hasher), copy.expect("it was copied"));
    timed(&mut removed, || database.remove(id));
    database.remove(copy);
    let mut more = true;
    while more {
        timed(&mut freed, || more = keyspace.reclaim(NOW, 256, &mut |_, _, _| ()).more);
    }
    println!(
        "a hash of {count} fields: the longest insert took {set:?}, COPY {copied:?}, the removal {removed:?}, the \
         longest slice of 256 pieces freed {freed:?}",
    );
}

fn keyspace(criterion: &mut Criterion) {
    let hasher = KeyHasher::from_seed(9);
    let count = keys_count();
    storm(&hasher, count);
    large(&hasher, count);
    let mut keyspace = fill(&hasher, count, TTL_MS);
    let database = keyspace.database_mut(0);
    let mut group = criterion.benchmark_group("update a random key");
    group.throughput(Throughput::Elements(ROUND as u64));
    let mut random = 1_u64;
    let mut deadline = NOW.0 + TTL_MS;
    for stage in [1, 16, 64] {
        group.bench_function(format!("in stages of {stage}"), |bencher| {
            let mut names = vec![Name::default(); ROUND];
            let mut keys = Vec::with_capacity(stage);
            bencher.iter_custom(|rounds| {
                let mut total = Duration::ZERO;
                for _ in 0..rounds {
                    for place in &mut names {
                        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        *place = name((random >> 33) % count);
                    }
                    deadline += 1;
                    let mut round = Duration::ZERO;
                    timed(&mut round, || {
                        for batch in names.chunks(stage) {
                            keys.clear();
                            keys.extend(batch.iter().map(|name| hasher.hash(name)));
                            if stage > 1 {
                                keys.iter().for_each(|&hash| database.prefetch_index(hash));
                                keys.iter().for_each(|&hash| database.prefetch_entry(hash));
                            }
                            for (name, &hash) in batch.iter().zip(&keys) {
                                update(database, Key { bytes: name, hash }, UnixMillis(deadline));
                            }
                        }
                    });
                    total += round;
                }
                total
            });
        });
    }
    group.finish();
    keyspace.check();
}

criterion_group!(benches, keyspace);
criterion_main!(benches);
