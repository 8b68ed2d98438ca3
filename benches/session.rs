//! A session and its shard in one process, without sockets and threads: what a pipeline costs from its bytes to
//! the bytes of its replies, over a million keys.
//!
//! `own shard` runs every batch by a call, as a connection on the shard's own thread does. `two shards` sends half
//! of the calls as work to a second shard and merges the replies of both; the crossing between threads, which
//! comes on top, is left out. Time per iteration divided by the pipeline's length is the cost of one request.
//!
//! `cargo bench --bench session`; with `-- --test` everything runs once, on a small scale.

mod world;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use world::{World, hget, hsetex};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Writes the request for the key of a number.
type Request = fn(u64) -> Vec<u8>;

criterion_group!(benches, sessions);
criterion_main!(benches);

fn sessions(criterion: &mut Criterion) {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let keys = if is_test { 10_000 } else { 1_000_000 };
    for (place, shards) in [("own shard", 1), ("two shards", 2)] {
        let mut world = World::new(shards);
        for first in (0..keys).step_by(100) {
            let pipeline: Vec<u8> = (first..first + 100).flat_map(hsetex).collect();
            assert!(world.answer(&pipeline).starts_with(b":1\r\n"));
        }
        let cases: [(&str, Request, &[u8]); 2] = [("HSETEX", hsetex, b":0\r\n"), ("HGET", hget, b"$32\r\n")];
        for (name, request, reply) in cases {
            let mut group = criterion.benchmark_group(format!("{place}/{name}"));
            for pipelined in [1, 16, 64] {
                let mut random = 1_u64;
                let mut pipeline = || -> Vec<u8> {
                    let numbers = std::iter::repeat_with(|| {
                        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        (random >> 33) % keys
                    });
                    numbers.take(pipelined).flat_map(request).collect()
                };
                assert!(world.answer(&pipeline()).starts_with(reply));
                group.throughput(Throughput::Elements(pipelined as u64));
                group.bench_function(pipelined.to_string(), |bencher| {
                    bencher.iter_batched(
                        &mut pipeline,
                        |bytes| world.answer(&bytes).len(),
                        BatchSize::LargeInput,
                    );
                });
            }
        }
    }
}
