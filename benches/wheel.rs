//! The timer wheel alone: what one entry costs to schedule, to move, to cancel and to fire.
//!
//! `cargo bench --bench wheel`; each figure is the time of 100,000 entries in random order.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mayfly_store::wheel::{Links, Timers, TimersMut, Turn, Wheel};

const ENTRIES: u32 = 100_000;
const START: u64 = 1_700_000_000_000;

/// Entries as large as those of the store.
#[derive(Clone, Default)]
struct Entry {
    links: Links,
    deadline: u64,
    _rest: u64,
}

#[derive(Clone)]
struct Entries(Vec<Entry>);

impl Timers for Entries {
    fn links(&self, number: u32) -> Links {
        self.0[number as usize].links
    }
    fn deadline(&self, number: u32, _: Links) -> u64 {
        self.0[number as usize].deadline
    }
}

impl TimersMut for Entries {
    fn set_links(&mut self, number: u32, links: Links) {
        self.0[number as usize].links = links;
    }
}

/// A fixed sequence that looks random (a multiplier of <https://arxiv.org/abs/2001.05304>).
fn random(number: u32) -> u64 {
    let mixed = u64::from(number).wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(1);
    (mixed ^ (mixed >> 32)).wrapping_mul(0xd134_2543_de82_ef95) >> 20
}

/// A time to live of 30 to 90 seconds.
fn ttl(number: u32) -> u64 {
    30_000 + random(number) % 60_000
}

fn empty() -> (Wheel, Entries) {
    let mut wheel = Wheel::default();
    wheel.start_at(START);
    (wheel, Entries(vec![Entry::default(); ENTRIES as usize]))
}

fn filled() -> (Wheel, Entries) {
    let (mut wheel, mut entries) = empty();
    for number in 0..ENTRIES {
        entries.0[number as usize].deadline = START + ttl(number);
        wheel.schedule(&mut entries, number);
    }
    (wheel, entries)
}

/// All entries in random order.
fn shuffled() -> Vec<u32> {
    let mut numbers: Vec<u32> = (0..ENTRIES).collect();
    numbers.sort_by_key(|&number| random(number ^ 0x5555));
    numbers
}

fn wheel(criterion: &mut Criterion) {
    let numbers = shuffled();
    let mut group = criterion.benchmark_group("wheel");
    group.throughput(Throughput::Elements(u64::from(ENTRIES)));
    group.bench_function("schedule", |bencher| {
        let schedule = |(mut wheel, mut entries): (Wheel, Entries)| {
            for &number in &numbers {
                entries.0[number as usize].deadline = START + ttl(number);
                wheel.schedule(&mut entries, number);
            }
            (wheel, entries)
        };
        bencher.iter_batched(empty, schedule, BatchSize::LargeInput);
    });
    for (name, shift) in [("move later", 20_000_i64), ("move earlier", -20_000)] {
        group.bench_function(name, |bencher| {
            let shift = |(mut wheel, mut entries): (Wheel, Entries)| {
                for &number in &numbers {
                    let deadline = &mut entries.0[number as usize].deadline;
                    *deadline = deadline.wrapping_add_signed(shift);
                    wheel.reschedule(&mut entries, number);
                }
                (wheel, entries)
            };
            bencher.iter_batched(filled, shift, BatchSize::LargeInput);
        });
    }
    group.bench_function("cancel", |bencher| {
        let cancel = |(mut wheel, mut entries): (Wheel, Entries)| {
            numbers.iter().for_each(|&number| wheel.cancel(&mut entries, number));
            (wheel, entries)
        };
        bencher.iter_batched(filled, cancel, BatchSize::LargeInput);
    });
    group.bench_function("fire, from a minute away", |bencher| {
        let fire = |(mut wheel, mut entries): (Wheel, Entries)| {
            for now in START..START + 90_000 {
                loop {
                    match wheel.turn(&mut entries, now) {
                        Turn::Idle => break,
                        turn => drop(black_box(turn)),
                    }
                }
            }
            assert!(wheel.is_empty());
            (wheel, entries)
        };
        bencher.iter_batched(filled, fire, BatchSize::LargeInput);
    });
    group.finish();
}

criterion_group!(benches, wheel);
criterion_main!(benches);
