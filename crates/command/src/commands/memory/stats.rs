//! `MEMORY STATS`: Redis 8.2's names in its order, those left out of which Mayfly has no number.
//!
//! ```text
//!   allocated   in use: keys, values, index, timers            total.allocated = allocator.allocated = used_memory
//!   active      … and room in the chunks that they lie in      allocator.active
//!   resident    … and everything else that the process holds   allocator.resident
//! ```
//!
//! Clients, the log and the program itself lie between active and resident. `startup.allocated` is 0, since nothing is
//! in use before the first key. The peak is that of the process: that of the data alone is not kept.

use std::borrow::Cow;

use super::{Overhead, Sizes};
use crate::context::DataContext;
use crate::error::Outcome;
use crate::host::HostFacts;
use crate::spec::{Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "stats",
    summary: "Returns details about memory usage: Redis' names, where Mayfly has the number.",
    complexity: "O(N) where N is the number of shards and databases",
    run: Run::AllShards(stats),
    ..super::ABOUT_ALL
};

/// The value of a name.
#[derive(PartialEq, Debug)]
enum Figure {
    /// Bytes, or keys.
    Count(i64),
    /// A ratio, or a percentage.
    Ratio(f64),
    /// Bytes of the index and of the timers.
    Database(i64, i64),
}

fn stats(context: &mut DataContext<'_>, _: Words<'_>) -> Outcome {
    let sizes = Sizes::gather(context);
    let figures = figures(&context.host.facts(), &sizes);
    let reply = &mut context.reply;
    reply.map(figures.len());
    for (name, figure) in figures {
        reply.bulk(name.as_bytes());
        match figure {
            Figure::Count(count) => reply.integer(count),
            Figure::Ratio(ratio) => reply.double(ratio),
            Figure::Database(index, timers) => {
                reply.map(2);
                reply.bulk(b"overhead.hashtable.main");
                reply.integer(index);
                reply.bulk(b"overhead.hashtable.expires");
                reply.integer(timers);
            }
        }
    }
    Ok(())
}

fn figures(facts: &HostFacts, sizes: &Sizes) -> Vec<(Cow<'static, str>, Figure)> {
    let (used, held, resident) = (sizes.all_used_bytes(), sizes.held_bytes, facts.resident_bytes);
    let peak = facts.resident_bytes_max.max(used);
    let sum = |of: fn(&Overhead) -> u64| sizes.overheads.iter().map(of).sum::<u64>();
    let index = sum(|overhead| overhead.index_bytes);
    let overhead = index + sum(|overhead| overhead.timer_bytes);
    let dataset = used.saturating_sub(overhead);
    let count = |name: &'static str, value: u64| (Cow::from(name), Figure::Count(integer(value)));
    let more =
        |name: &'static str, of: u64, than: u64| (Cow::from(name), Figure::Count(integer(of) - integer(than)));
    let ratio = |name: &'static str, value: f64| (Cow::from(name), Figure::Ratio(value));
    let percentage = |name, part, whole| ratio(name, 100.0 * super::ratio(part, whole));
    let databases = sizes.overheads.iter().enumerate().filter(|(_, database)| database.keys > 0);
    let databases = databases.map(|(number, database)| {
        let figure = Figure::Database(integer(database.index_bytes), integer(database.timer_bytes));
        (Cow::from(format!("db.{number}")), figure)
    });
    let before = [
        count("peak.allocated", peak),
        count("total.allocated", used),
        count("startup.allocated", 0),
        count("replication.backlog", 0),
        count("replica.fullsync.buffer", 0),
        count("clients.slaves", 0),
        count("clients.normal", facts.client_bytes),
        count("cluster.links", 0),
        count("aof.buffer", facts.persistence.waiting_bytes),
        count("lua.caches", 0),
        count("functions.caches", 0),
        count("script.VMs", 0),
    ];
    let behind = [
        count("overhead.db.hashtable.lut", index),
        // The index grows by one small segment after the other: none is ever on its way into a larger table.
        count("overhead.db.hashtable.rehashing", 0),
        count("overhead.total", overhead),
        count("db.dict.rehashing.count", 0),
        count("keys.count", sizes.keys),
        count("keys.bytes-per-key", used.checked_div(sizes.keys).unwrap_or(0)),
        count("dataset.bytes", dataset),
        percentage("dataset.percentage", dataset, used),
        percentage("peak.percentage", used, peak),
        count("allocator.allocated", used),
        count("allocator.active", held),
        count("allocator.resident", resident),
        ratio("allocator-fragmentation.ratio", super::ratio(held, used)),
        more("allocator-fragmentation.bytes", held, used),
        ratio("allocator-rss.ratio", super::ratio(resident, held)),
        more("allocator-rss.bytes", resident, held),
        // What is resident is all that there is to compare it with.
        ratio("rss-overhead.ratio", super::ratio(resident, resident)),
        more("rss-overhead.bytes", resident, resident),
        ratio("fragmentation", super::ratio(resident, used)),
        more("fragmentation.bytes", resident, used),
    ];
    before.into_iter().chain(databases).chain(behind).collect()
}

fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::PersistenceFacts;
    use crate::testing::{Fixture, replay};

    const MIB: u64 = 1 << 20;

    fn made_up() -> Vec<(Cow<'static, str>, Figure)> {
        let facts = HostFacts {
            resident_bytes: 150 * MIB,
            resident_bytes_max: 400 * MIB,
            client_bytes: 7 * MIB,
            persistence: PersistenceFacts { waiting_bytes: 3 * MIB, ..PersistenceFacts::default() },
            ..HostFacts::default()
        };
        let database = |keys, index_bytes, timer_bytes| Overhead { keys, index_bytes, timer_bytes };
        let sizes = Sizes {
            used_bytes: vec![60 * MIB, 40 * MIB],
            held_bytes: 125 * MIB,
            keys: 1_000,
            overheads: vec![database(900, 15 * MIB, 2 * MIB), Overhead::default(), database(100, 5 * MIB, 3 * MIB)],
        };
        figures(&facts, &sizes)
    }

    #[test]
    fn every_figure_is_what_its_name_says() {
        let figures = made_up();
        let of = |name: &str| {
            &figures.iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("{name} is missing")).1
        };
        for (name, mib) in [
            ("peak.allocated", 400),
            ("total.allocated", 100),
            ("startup.allocated", 0),
            ("clients.normal", 7),
            ("aof.buffer", 3),
            ("overhead.db.hashtable.lut", 20),
            ("overhead.total", 25),
            ("dataset.bytes", 75),
            ("allocator.allocated", 100),
            ("allocator.active", 125),
            ("allocator.resident", 150),
            ("allocator-fragmentation.bytes", 25),
            ("allocator-rss.bytes", 25),
            ("rss-overhead.bytes", 0),
            ("fragmentation.bytes", 50),
        ] {
            assert_eq!(*of(name), Figure::Count(mib << 20), "{name}");
        }
        for (name, ratio) in [
            ("dataset.percentage", 75.0),
            ("peak.percentage", 25.0),
            ("allocator-fragmentation.ratio", 1.25),
            ("allocator-rss.ratio", 1.2),
            ("rss-overhead.ratio", 1.0),
            ("fragmentation", 1.5),
        ] {
            assert_eq!(*of(name), Figure::Ratio(ratio), "{name}");
        }
        assert_eq!(*of("keys.count"), Figure::Count(1_000));
        assert_eq!(*of("keys.bytes-per-key"), Figure::Count(104_857));
        assert_eq!(*of("db.2"), Figure::Database(5 << 20, 3 << 20));
        assert!(figures.iter().all(|(name, _)| name != "db.1"), "a database without keys is left out");
    }

    #[test]
    fn less_may_be_resident_than_is_in_use() {
        let sizes = Sizes { used_bytes: vec![10], held_bytes: 10, ..Sizes::default() };
        let facts = HostFacts { resident_bytes: 4, ..HostFacts::default() };
        let figures = figures(&facts, &sizes);
        assert_eq!(figures.last(), Some(&(Cow::from("fragmentation.bytes"), Figure::Count(-6))));
    }

    /// What `redis-cli` of Redis 8.2.3 shows, but for `allocator.muzzy`.
    #[test]
    fn names_are_those_of_redis_in_its_order() {
        let names: Vec<_> = made_up().into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names.join(" "),
            "peak.allocated total.allocated startup.allocated replication.backlog replica.fullsync.buffer \
             clients.slaves clients.normal cluster.links aof.buffer lua.caches functions.caches script.VMs db.0 db.2 \
             overhead.db.hashtable.lut overhead.db.hashtable.rehashing overhead.total db.dict.rehashing.count \
             keys.count keys.bytes-per-key dataset.bytes dataset.percentage peak.percentage allocator.allocated \
             allocator.active allocator.resident allocator-fragmentation.ratio allocator-fragmentation.bytes \
             allocator-rss.ratio allocator-rss.bytes rss-overhead.ratio rss-overhead.bytes fragmentation \
             fragmentation.bytes"
        );
    }

    #[test]
    fn keys_past_their_deadline_do_not_count() {
        for shards in [1, 4] {
            let mut fixture = Fixture::with_shards(shards);
            fixture.replay(&[
                ("HSET a f v", "(integer) 1"),
                ("HSETEX b f v 1", "(integer) 1"),
                ("WAIT 1000", ""),
                ("MEMORY STATS now", "(error) ERR wrong number of arguments for 'memory|stats' command"),
            ]);
            let stats = fixture.run("MEMORY STATS");
            assert!(stats.contains("\"db.0\"\n"), "{stats}");
            let (_, behind) = stats.split_once("\"keys.count\"\n").expect(&stats);
            assert!(behind.lines().next().is_some_and(|line| line.ends_with(") (integer) 1")), "{stats}");
        }
        replay(&[("HELLO 3", "*"), ("MEMORY STATS", "*")]);
    }
}
