//! `CONFIG RESETSTAT`
//!
//! The counters themselves go on, since those of `/metrics` must never fall: `INFO` subtracts where they stood.

use crate::context::DataContext;
use crate::error::Outcome;
use crate::host::ShardFacts;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "resetstat",
    summary: "Counts anew from here on what INFO counts.",
    since: "2.0.0",
    group: Group::Server,
    arity: 2,
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    run: Run::AllShards(run),
    ..Spec::BLANK
};

fn run(context: &mut DataContext<'_>, _: Words<'_>) -> Outcome {
    let mut sums = ShardFacts::default();
    for keyspace in context.data.keyspaces() {
        let stats = keyspace.stats();
        sums.hits += stats.hits;
        sums.misses += stats.misses;
        sums.expired_by_wheel += stats.expired_by_wheel;
        sums.expired_on_access += stats.expired_on_access;
        sums.evicted += stats.evicted;
    }
    context.host.reset_statistics(sums);
    context.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, replay};

    #[test]
    fn info_counts_anew() {
        let mut fixture = Fixture::with_shards(4);
        fixture.replay(&[
            ("HSETEX gone f v 1", "(integer) 1"),
            ("WAIT 1000", ""),
            ("HGET gone f", "(nil)"),
            ("CONFIG RESETSTAT", "OK"),
            ("HGET gone f", "(nil)"),
        ]);
        let stats = fixture.run("INFO stats");
        for line in ["keyspace_misses:1", "keyspace_hits:0", "expired_keys:0"] {
            assert!(stats.contains(line), "{line} is not in {stats}");
        }
    }

    #[test]
    fn cases() {
        const ARITY: &str = "(error) ERR wrong number of arguments for 'config|resetstat' command";
        replay(&[("CONFIG RESETSTAT", "OK"), ("CONFIG RESETSTAT now", ARITY)]);
    }
}
