//! `MEMORY DOCTOR`: what is worth a look, with its number, what it is compared with, and what to do.

use super::{Sizes, ratio};
use crate::commands::info::human;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::host::HostFacts;
use crate::spec::{Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "doctor",
    summary: "Outputs a memory problems report: each with its number, its bound and what to do.",
    complexity: "O(N) where N is the number of shards and databases",
    run: Run::AllShards(doctor),
    ..super::ABOUT_ALL
};

/// Less data than this says nothing about memory, as in Redis.
const LITTLE_BYTES: u64 = 5 << 20;
/// Less than this too much is not worth anybody's time.
const WORTH_BYTES: u64 = 64 << 20;
/// The process held more than so many times what it holds now.
const PEAK_RATIO_MAX: f64 = 1.5;
/// The process holds more than so many times what it accounts for.
const RESIDENT_RATIO_MAX: f64 = 2.0;
/// Clients hold more than this part of what is in use.
const CLIENTS_PERCENT_MAX: f64 = 25.0;
/// More than this part of what is allocated for data is room that nothing is in.
const VACANT_PERCENT_MAX: f64 = 25.0;
/// Less than this part of the machine's memory is left, and nothing limits the data.
const AVAILABLE_PERCENT_MIN: f64 = 10.0;
/// The data use more than this part of a limit at which nothing may be evicted.
const LIMIT_PERCENT_MAX: f64 = 90.0;
/// A shard uses more than so many times the mean of the others.
const SHARD_RATIO_MAX: f64 = 2.0;

fn doctor(context: &mut DataContext<'_>, _: Words<'_>) -> Outcome {
    let sizes = Sizes::gather(context);
    let text = report(&context.host.facts(), &sizes);
    context.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn report(facts: &HostFacts, sizes: &Sizes) -> String {
    let advice: Vec<String> = CHECKS.iter().filter_map(|check| check(facts, sizes)).collect();
    match advice.len() {
        0 if sizes.all_used_bytes() < LITTLE_BYTES => {
            "There is very little data: nothing can be said about its memory.\n".to_owned()
        }
        0 => "No memory issue was found.\n".to_owned(),
        1 => format!("One thing is worth a look:\n\n * {}\n", advice[0]),
        count => format!("{count} things are worth a look:\n\n * {}\n", advice.join("\n\n * ")),
    }
}

/// A look at one thing: what to do, if something is wrong.
type Check = fn(&HostFacts, &Sizes) -> Option<String>;

/// All of them, what may soon stop clients first.
const CHECKS: [Check; 7] =
    [nearly_at_the_limit, no_limit, clients_hold_much, resident_beyond, vacancy, uneven_shards, peak];

fn nearly_at_the_limit(facts: &HostFacts, sizes: &Sizes) -> Option<String> {
    let (used, limit) = (sizes.all_used_bytes(), facts.memory_bytes_max);
    let percent = 100.0 * ratio(used, limit);
    (facts.memory_policy == "noeviction" && percent > LIMIT_PERCENT_MAX).then(|| {
        format!(
            "Nearly at maxmemory: {} are used, {percent:.0} % of the {} allowed (bound: {LIMIT_PERCENT_MAX} %), and \
             with maxmemory-policy noeviction writes are then refused with OOM. Raise maxmemory, or let hashes go: \
             CONFIG SET maxmemory-policy volatile-ttl takes those that expire next, and ttl.default_seconds gives a \
             TTL to those that are written without one.",
            human(used),
            human(limit)
        )
    })
}

fn no_limit(facts: &HostFacts, _: &Sizes) -> Option<String> {
    let (available, machine) = (facts.machine_available_bytes, facts.machine_bytes);
    let percent = 100.0 * ratio(available, machine);
    let is_short = machine > 0 && percent < AVAILABLE_PERCENT_MIN;
    (facts.memory_bytes_max == 0 && is_short).then(|| {
        // A process needs about a third more than its data.
        let suggested = (facts.resident_bytes + available) / 4 * 3;
        format!(
            "No limit: {} of the machine's {} are left, {percent:.1} % (bound: {AVAILABLE_PERCENT_MIN} %), and \
             maxmemory is not set, so that the system may end the process. CONFIG SET maxmemory {suggested} leaves \
             it a third more than its data, and maxmemory-policy says what goes then.",
            human(available),
            human(machine)
        )
    })
}

fn clients_hold_much(facts: &HostFacts, sizes: &Sizes) -> Option<String> {
    let clients = facts.client_bytes;
    let percent = 100.0 * ratio(clients, clients + sizes.all_used_bytes());
    (clients >= WORTH_BYTES && percent > CLIENTS_PERCENT_MAX).then(|| {
        format!(
            "Clients hold much: {} of requests and replies for {} clients, {percent:.0} % of all that is in use \
             (bound: {CLIENTS_PERCENT_MAX} %). tot-mem in CLIENT LIST names those that do not read, or that send \
             slowly. maxmemory-clients closes the largest at a limit for all, client-output-buffer-limit and \
             limits.output_bytes_max bound one.",
            human(clients),
            facts.connections
        )
    })
}

fn resident_beyond(facts: &HostFacts, sizes: &Sizes) -> Option<String> {
    let resident = facts.resident_bytes;
    let accounted = sizes.held_bytes + facts.client_bytes + facts.persistence.waiting_bytes;
    let times = ratio(resident, accounted);
    (resident.saturating_sub(accounted) >= WORTH_BYTES && times > RESIDENT_RATIO_MAX).then(|| {
        format!(
            "Resident far beyond what is in use: the process holds {}, {times:.1} times the {} of data, clients and \
             log (bound: {RESIDENT_RATIO_MAX}). Where much was removed lately, the allocator still gives it back: look \
             again in a minute. Where it stays, see that /sys/kernel/mm/transparent_hugepage/enabled does not say \
             always, and that server.huge_pages is off if memory matters more than speed.",
            human(resident),
            human(accounted)
        )
    })
}

fn vacancy(_: &HostFacts, sizes: &Sizes) -> Option<String> {
    let vacant = sizes.held_bytes.saturating_sub(sizes.all_used_bytes());
    let percent = 100.0 * ratio(vacant, sizes.held_bytes);
    (vacant >= WORTH_BYTES && percent > VACANT_PERCENT_MAX).then(|| {
        format!(
            "Vacancy in chunks: {} of the {} allocated for data hold nothing, {percent:.0} % (bound: \
             {VACANT_PERCENT_MAX} %). Hashes of other sizes were there, and the next ones of these sizes fill it; \
             maxmemory does not count it. Where sizes have changed for good, a restart from the data folder packs \
             them anew.",
            human(vacant),
            human(sizes.held_bytes)
        )
    })
}

fn uneven_shards(_: &HostFacts, sizes: &Sizes) -> Option<String> {
    let (shard, most) = sizes.used_bytes.iter().copied().enumerate().max_by_key(|(_, bytes)| *bytes)?;
    let others = (sizes.used_bytes.len() as u64).checked_sub(1).filter(|others| *others > 0)?;
    let mean = (sizes.all_used_bytes() - most) / others;
    let is_uneven = most as f64 > SHARD_RATIO_MAX * mean as f64;
    (most.saturating_sub(mean) >= WORTH_BYTES && is_uneven).then(|| {
        format!(
            "One shard holds far more: {} are used on shard {shard} and {} on the mean of the others (bound: \
             {SHARD_RATIO_MAX} times). Keys are spread evenly, so it is hashes that are huge: redis-cli --memkeys, \
             or MEMORY USAGE of what SCAN finds, names them. Their fields belong into several hashes.",
            human(most),
            human(mean)
        )
    })
}

fn peak(facts: &HostFacts, _: &Sizes) -> Option<String> {
    let (peak, now) = (facts.resident_bytes_max, facts.resident_bytes);
    let times = ratio(peak, now);
    (peak.saturating_sub(now) >= WORTH_BYTES && times > PEAK_RATIO_MAX).then(|| {
        format!(
            "Peak: the process has held {}, {times:.1} times the {} of now (bound: {PEAK_RATIO_MAX}). The machine has \
             to have room for the peak. Hashes that are written together expire together: ttl.jitter_percent spreads \
             them, maxmemory cuts the peak, and CONFIG RESETSTAT forgets it.",
            human(peak),
            human(now)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::replay;

    const GIB: u64 = 1 << 30;

    /// A process with nothing wrong: 8 GiB on two shards, on a machine of 32 GiB.
    fn well() -> (HostFacts, Sizes) {
        let facts = HostFacts {
            memory_policy: "noeviction",
            resident_bytes: 10 * GIB,
            resident_bytes_max: 11 * GIB,
            machine_bytes: 32 * GIB,
            machine_available_bytes: 20 * GIB,
            connections: 50,
            client_bytes: 1 << 20,
            ..HostFacts::default()
        };
        (facts, Sizes { used_bytes: vec![4 * GIB, 4 * GIB], held_bytes: 9 * GIB, ..Sizes::default() })
    }

    /// The report after a change, which is to be one piece of advice that begins and goes on like this.
    #[track_caller]
    fn advises(change: impl Fn(&mut HostFacts, &mut Sizes), parts: &[&str]) {
        let (mut facts, mut sizes) = well();
        change(&mut facts, &mut sizes);
        let report = report(&facts, &sizes);
        let advice = report.strip_prefix("One thing is worth a look:\n\n * ").expect(&report);
        assert!(advice.starts_with(parts[0]) && advice.ends_with(".\n"), "{report}");
        for part in parts {
            assert!(advice.contains(part), "{part} is not in {report}");
        }
    }

    #[track_caller]
    fn is_well(change: impl Fn(&mut HostFacts, &mut Sizes)) {
        let (mut facts, mut sizes) = well();
        change(&mut facts, &mut sizes);
        assert_eq!(report(&facts, &sizes), "No memory issue was found.\n");
    }

    #[test]
    fn nothing_is_said_of_what_is_well_and_of_little_data() {
        is_well(|_, _| {});
        let little = "\"There is very little data: nothing can be said about its memory.\\n\"";
        replay(&[("HSET a f v", "(integer) 1"), ("MEMORY DOCTOR", little)]);
    }

    #[test]
    fn a_limit_that_is_nearly_reached_matters_where_nothing_may_go() {
        let parts = ["Nearly at maxmemory: 8.00G are used, 94 % of the 8.50G allowed", "volatile-ttl"];
        let limit = |facts: &mut HostFacts| facts.memory_bytes_max = 17 * GIB / 2;
        advises(|facts, _| limit(facts), &parts);
        is_well(|facts, _| facts.memory_bytes_max = 9 * GIB);
        is_well(|facts, _| {
            limit(facts);
            facts.memory_policy = "volatile-ttl";
        });
    }

    #[test]
    fn without_a_limit_the_memory_of_the_machine_matters() {
        let short = |facts: &mut HostFacts| facts.machine_available_bytes = 2 * GIB;
        let parts = ["No limit: 2.00G of the machine's 32.00G are left, 6.2 %", "CONFIG SET maxmemory 9663676416 "];
        advises(|facts, _| short(facts), &parts);
        is_well(|facts, _| {
            short(facts);
            facts.memory_bytes_max = 20 * GIB;
        });
        // Nothing is known of the machine.
        is_well(|facts, _| (facts.machine_bytes, facts.machine_available_bytes) = (0, 0));
    }

    #[test]
    fn clients_that_hold_much_are_named() {
        let parts = ["Clients hold much: 3.00G of requests and replies for 50 clients, 27 %", "maxmemory-clients"];
        advises(|facts, _| facts.client_bytes = 3 * GIB, &parts);
        is_well(|facts, _| facts.client_bytes = 2 * GIB);
    }

    #[test]
    fn what_is_resident_beyond_what_is_in_use_is_told() {
        let hold = |facts: &mut HostFacts, resident| {
            (facts.resident_bytes, facts.resident_bytes_max) = (resident, resident);
        };
        let parts = ["Resident far beyond what is in use: the process holds 20.00G, 2.2 times the 9.00G", "huge_pages"];
        advises(|facts, _| hold(facts, 20 * GIB), &parts);
        is_well(|facts, _| hold(facts, 18 * GIB));
        // What clients hold and what waits for the disk is in use.
        is_well(|facts, _| {
            hold(facts, 20 * GIB);
            facts.client_bytes = GIB;
            facts.persistence.waiting_bytes = GIB;
        });
    }

    #[test]
    fn room_that_nothing_is_in_is_told() {
        let hold = |facts: &mut HostFacts, sizes: &mut Sizes, held| {
            (facts.resident_bytes, facts.resident_bytes_max, sizes.held_bytes) = (held, held, held);
        };
        let parts = ["Vacancy in chunks: 4.00G of the 12.00G allocated for data hold nothing, 33 %", "restart"];
        advises(|facts, sizes| hold(facts, sizes, 12 * GIB), &parts);
        is_well(|facts, sizes| hold(facts, sizes, 10 * GIB));
    }

    #[test]
    fn a_shard_that_holds_far_more_is_named() {
        let parts = ["One shard holds far more: 6.00G are used on shard 1 and 1.00G on the mean", "MEMORY USAGE"];
        advises(|_, sizes| sizes.used_bytes = vec![GIB, 6 * GIB, GIB], &parts);
        is_well(|_, sizes| sizes.used_bytes = vec![3 * GIB, 5 * GIB]);
        is_well(|_, sizes| sizes.used_bytes = vec![8 * GIB]);
    }

    #[test]
    fn a_peak_far_above_now_is_told() {
        let parts = ["Peak: the process has held 16.00G, 1.6 times the 10.00G of now", "ttl.jitter_percent"];
        advises(|facts, _| facts.resident_bytes_max = 16 * GIB, &parts);
        is_well(|facts, _| facts.resident_bytes_max = 15 * GIB);
    }

    #[test]
    fn little_too_much_is_not_worth_a_look() {
        const MIB: u64 = 1 << 20;
        let facts = HostFacts {
            resident_bytes: 60 * MIB,
            resident_bytes_max: 120 * MIB,
            client_bytes: 50 * MIB,
            ..well().0
        };
        let sizes = Sizes { used_bytes: vec![0, 6 * MIB], held_bytes: 20 * MIB, ..Sizes::default() };
        assert_eq!(report(&facts, &sizes), "No memory issue was found.\n");
    }

    #[test]
    fn several_things_stand_below_one_another() {
        let (mut facts, sizes) = well();
        (facts.memory_bytes_max, facts.resident_bytes_max) = (8 * GIB, 20 * GIB);
        let report = report(&facts, &sizes);
        assert!(report.starts_with("2 things are worth a look:\n\n * Nearly at maxmemory: "), "{report}");
        assert!(report.contains(".\n\n * Peak: "), "{report}");
    }
}
