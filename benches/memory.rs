//! What a hash takes beyond the bytes of its key, names and values: as the store counts it, and as the process
//! holds it.
//!
//! `cargo bench --bench memory`; with `-- --test` it runs on a small scale. Every row runs in a process of its own.
//! Printed are bytes of overhead a hash: `accounted` by the store's own count, `resident` by the memory of the
//! process, allocator included; then what is left, in per cent of the whole, when every other hash was removed and
//! others took their place (near 100: freed memory is used again), and when all were removed. The last column is
//! the number of hashes at which the overhead is worst: an index grows by steps, and a round number may flatter it.

#![allow(clippy::print_stdout)] // the report is the purpose

use std::env;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use mayfly_store::{Key, KeyHasher, Keyspace, StoreOptions, UnixMillis};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
const TTL_MS: i64 = 3_600_000;
const KEY_BYTES: usize = 18;

/// Hashes that are alike: how many, and what is in them.
struct Row {
    hashes: u64,
    fields: usize,
    name_bytes: usize,
    value_bytes: usize,
}

const ROWS: [Row; 4] = [
    Row { hashes: 1_000_000, fields: 1, name_bytes: 8, value_bytes: 32 },
    Row { hashes: 1_000_000, fields: 5, name_bytes: 8, value_bytes: 24 },
    Row { hashes: 200_000, fields: 50, name_bytes: 8, value_bytes: 16 },
    Row { hashes: 5_000, fields: 1_000, name_bytes: 8, value_bytes: 16 },
];

fn main() {
    let scale = if env::args().any(|argument| argument == "--test") { 100 } else { 1 };
    let Some(row) = env::args().skip_while(|argument| argument != "--row").nth(1) else {
        println!(
            "fields  name  value   hashes  accounted  resident  after churn  after removal  worst accounted"
        );
        let this = env::current_exe().expect("a process knows its program");
        for row in 0..ROWS.len() {
            let mut child = Command::new(&this);
            child.args(["--row", &row.to_string()]).args((scale > 1).then_some("--test"));
            assert!(child.status().expect("the program runs again").success());
        }
        return;
    };
    measure(&ROWS[row.parse::<usize>().expect("a number of a row")], scale);
}

fn measure(row: &Row, scale: u64) {
    let hashes = row.hashes / scale;
    let hasher = KeyHasher::from_seed(9);
    let empty = resident_bytes();
    let mut keyspace = Keyspace::new(StoreOptions::default(), hasher.clone());
    let payload = KEY_BYTES + row.fields * (row.name_bytes + row.value_bytes);
    let overhead = |bytes: usize, hashes: u64| bytes as f64 / hashes as f64 - payload as f64;
    let mut worst = (f64::MIN, 0);
    for number in 0..hashes {
        fill(&mut keyspace, &hasher, row, number);
        let count = number + 1;
        if count >= hashes / 2 && count % (hashes / 100).max(1) == 0 {
            let here = overhead(keyspace.bytes(), count);
            worst = if here > worst.0 { (here, count) } else { worst };
        }
    }
    let accounted = overhead(keyspace.bytes(), hashes);
    let whole = settled_bytes(scale).saturating_sub(empty);
    for number in (0..hashes).step_by(2) {
        remove(&mut keyspace, &hasher, number);
    }
    for number in 0..hashes / 2 {
        fill(&mut keyspace, &hasher, row, hashes + number);
    }
    let churned = settled_bytes(scale).saturating_sub(empty);
    for number in 0..hashes * 2 {
        remove(&mut keyspace, &hasher, number);
    }
    while keyspace.reclaim(NOW, 256, &mut |_, _, _| ()).more {}
    assert!(keyspace.database(0).is_empty());
    let left = settled_bytes(scale).saturating_sub(empty);
    println!(
        "{:>6}  {:>4}  {:>5}  {hashes:>7}  {accounted:>9.1}  {:>8.1}  {:>9.1} %  {:>11.1} %  {:>7.1} at {}",
        row.fields,
        row.name_bytes,
        row.value_bytes,
        overhead(whole, hashes),
        churned as f64 * 100.0 / whole as f64,
        left as f64 * 100.0 / whole as f64,
        worst.0,
        worst.1,
    );
}

fn key_name(number: u64) -> String {
    format!("session:{number:010}")
}

fn fill(keyspace: &mut Keyspace, hasher: &KeyHasher, row: &Row, number: u64) {
    let (name, value) = (key_name(number), vec![b'v'; row.value_bytes]);
    let database = keyspace.database_mut(0);
    let (mut id, _) = database.find_or_create(Key::new(name.as_bytes(), hasher), || 0, NOW);
    for field in 0..row.fields {
        let field = format!("{field:0width$}", width = row.name_bytes);
        database.set_field(&mut id, field.as_bytes(), &value);
    }
    database.set_deadline(id, Some(UnixMillis(NOW.0 + TTL_MS + (number % 1_000) as i64)));
}

fn remove(keyspace: &mut Keyspace, hasher: &KeyHasher, number: u64) {
    let name = key_name(number);
    let database = keyspace.database_mut(0);
    if let Some(id) = database.find(Key::new(name.as_bytes(), hasher), NOW) {
        database.remove(id);
    }
    while keyspace.reclaim(NOW, 256, &mut |_, _, _| ()).more {}
}

/// Resident memory once the allocator has given back what it does not use: it does so a while later, when it is
/// called again.
#[allow(clippy::disallowed_methods)] // a benchmark may wait
fn settled_bytes(scale: u64) -> usize {
    let mut settled = usize::MAX;
    for _ in 0..20 / scale.min(20) {
        thread::sleep(Duration::from_millis(100));
        drop(vec![0_u8; 1 << 20]);
        settled = settled.min(resident_bytes());
    }
    settled
}

/// Resident memory of this process; 0 where the kernel does not tell.
fn resident_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kib.unwrap_or(0) * 1024
}
