//! The differential test itself: it sees nothing where there is nothing, and one changed reply where there is one.
//!
//! Against a Redis it runs in `tests/run differential`; here Mayfly is compared with itself.

use std::net::SocketAddr;

use mayfly_differential::{Options, Told, compare};

use super::harness::{Launch, Seed};

#[test]
fn two_alike_do_not_differ() {
    let (first, second) = (Launch::with_shards(1).start(), Launch::with_shards(4).start());
    let told = differences(first.address, second.address, false);
    assert!(told.is_empty(), "{}", told.join("\n"));
}

#[test]
fn one_changed_reply_is_a_difference_and_its_seed_is_told() {
    let (first, second) = (Launch::with_shards(4).start(), Launch::with_shards(1).start());
    let told = differences(first.address, second.address, true);
    let [told] = &told[..] else { panic!("one difference, not\n{}", told.join("\n")) };
    assert!(told.contains("--seed") && told.contains("Mayfly: (error)") && told.contains("Redis:"), "{told}");
}

fn differences(first: SocketAddr, second: SocketAddr, mutate: bool) -> Vec<String> {
    let seed = Seed::of_this_run();
    let seed = seed.rng(0).u64(..);
    let options = Options { seed, commands: 4_000, mutate, differences_max: 5, check_every: 20 };
    let mut told = Vec::new();
    let report = compare(first, second, options, &mut |event| {
        if let Told::Difference { .. } = event {
            told.push(event.to_string());
        }
    });
    let report = report.expect("both servers answer");
    assert_eq!(report.unexplained, told.len());
    assert!(report.resp2 > 0 && report.resp3 > 0, "{report}");
    told
}
