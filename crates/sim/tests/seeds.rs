//! Many worlds, each from a seed.

use mayfly_sim::{Fault, Run};

const STEPS: u64 = 4_000;

/// Runs a few dozen seeds; together they must have seen enough of everything to mean something.
#[track_caller]
fn run_seeds(shards: u16) {
    let (mut totals, mut seen) = ((0, 0, 0), (0, 0, 0));
    let (mut starts, mut snapshots) = (0, [0; 2]);
    let mut names = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let run = Run { seed, shards, steps: STEPS, fault: None };
        let summary = run.run().unwrap_or_else(|failure| panic!("{failure}"));
        let [ran, refused] = summary.transactions;
        seen = (seen.0 + ran, seen.1 + refused, seen.2 + summary.messages);
        totals = (totals.0 + summary.calls, totals.1 + summary.joints, totals.2 + summary.walks);
        starts += summary.starts;
        snapshots = [0, 1].map(|which| snapshots[which] + summary.snapshots[which]);
        names.extend(summary.by_name.into_keys());
    }
    assert!(starts > 300 && snapshots[0] > 50 && snapshots[1] > 5, "{starts} starts, {snapshots:?}");
    let (calls, joints, walks) = totals;
    assert!(calls > 20_000 && walks > 200, "{totals:?}");
    assert!(seen.0 > 300 && seen.1 > 50 && seen.2 > 500, "transactions and messages: {seen:?}");
    assert!(shards == 1 || joints > 1_000, "{totals:?}");
    let expected = mayfly_command::Table::get().all().iter();
    let expected = expected.filter(|command| {
        use mayfly_command::Run::{AllShards, Cursor, Keys};
        matches!(command.spec.run, Keys(_) | AllShards(_) | Cursor(_))
    });
    let missed: Vec<_> =
        expected.map(|command| command.full_name()).filter(|name| !names.contains(name)).collect();
    assert!(missed.is_empty(), "no client has ever asked for {missed:?}");
}

#[test]
fn nothing_is_wrong_with_one_shard() {
    run_seeds(1);
}

#[test]
fn nothing_is_wrong_with_four_shards() {
    run_seeds(4);
}

/// Worlds in which something was wrong once.
#[test]
fn seeds_that_have_found_something_find_nothing_more() {
    for (seed, shards, steps) in
        [(3_087, 4, STEPS), (4_009, 2, STEPS), (25_015, 2, STEPS), (29_085, 2, 5_000), (45_040, 4, STEPS)]
    {
        let run = Run { seed, shards, steps, fault: None };
        run.run().unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn equal_seeds_make_equal_runs() {
    let run = |seed| Run { seed, shards: 4, steps: STEPS, fault: None }.run().expect("nothing is wrong");
    assert_eq!(run(7), run(7));
    assert_ne!(run(7).digest, run(8).digest);
}

/// A checker that finds nothing is no proof: each fault must be found, in one of a few worlds at the latest.
#[test]
fn every_planted_fault_is_found() {
    const UNORDERED: &str = "before an earlier call of its client";
    const UNANSWERED: &str = "without a reply";
    const OTHER_REPLY: &str = "the client read";
    for (fault, findings) in [
        (Fault::WrongModel, &["expected"][..]),
        (Fault::LostReplies, &[UNANSWERED, OTHER_REPLY]),
        (Fault::SwappedReplies, &[OTHER_REPLY]),
        (Fault::LostBatch, &[UNORDERED, UNANSWERED, "never ran"]),
        (Fault::OvertakingBatch, &[UNORDERED]),
        (Fault::LostKey, &["differ", "expected"]),
        (Fault::LostKeyspace, &[UNANSWERED, "never ran"]),
        (Fault::LostRecord, &["a start from"]),
    ] {
        let runs = (1..40).map(|seed| Run { seed, shards: 4, steps: STEPS, fault: Some(fault) });
        let failure = runs.map(Run::run).find_map(Result::err);
        let failure = failure.unwrap_or_else(|| panic!("{fault:?} goes unnoticed")).to_string();
        assert!(findings.iter().any(|finding| failure.contains(finding)), "{fault:?}: {failure}");
        assert!(failure.contains("--seed"), "{failure}");
    }
}
