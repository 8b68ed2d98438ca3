//! `INFO [section [section ...]]`
//!
//! Fields bear Redis' names, since exporters, dashboards and client libraries read them. A field whose figure is
//! not known is left out; one about what Mayfly does not have (replicas, files) is zero.

mod keyspace;
mod sections;

pub(super) use self::sections::human;

use self::keyspace::Totals;
use self::sections::{SECTIONS, Section, Shown};
use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::host::HostFacts;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::{Words, is};

pub static SPEC: Spec = Spec {
    name: "info",
    summary: "Returns information and statistics about the server.",
    complexity: "O(N) where N is the number of shards and databases",
    group: Group::Server,
    arity: -1,
    flags: Flags::LOADING.and(Flags::STALE).and(Flags::DANGEROUS),
    arguments: &[Argument::string("section").optional().multiple()],
    run: Run::AllShards(run),
    ..Spec::BLANK
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let asked_for: Vec<_> = SECTIONS.iter().filter(|section| is_asked_for(section, words)).collect();
    let facts = Facts::gather(context);
    let mut text = String::new();
    for section in asked_for {
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        text.push_str(&format!("# {}\r\n", section.title));
        (section.write)(&facts, &mut text);
    }
    context.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// Whether a section is named, by itself or as one of a group. Names that are none ask for nothing.
fn is_asked_for(section: &Section, words: Words<'_>) -> bool {
    if words.len() == 1 {
        return section.shown == Shown::ByDefault;
    }
    words.from(1).any(|word| match word {
        word if is(word, "default") => section.shown == Shown::ByDefault,
        word if is(word, "all") || is(word, "everything") => true,
        word => is(word, section.title),
    })
}

/// Everything that the sections are written from, taken at one instant.
struct Facts {
    host: HostFacts,
    totals: Totals,
    shards: u16,
    now_ms: i64,
}

impl Facts {
    fn gather(context: &mut DataContext<'_>) -> Self {
        let (now, databases) = (context.data.now, context.data.database_count());
        let mut totals = Totals::new(databases);
        for keyspace in context.data.keyspaces() {
            totals.add(keyspace, now);
        }
        let host = context.host.facts();
        totals.subtract(host.shards_at_reset);
        Facts { host, totals, shards: context.data.shard_count(), now_ms: now.0 }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, replay};

    /// The text of a reply, with its lines as clients see them.
    fn text(fixture: &mut Fixture, line: &str) -> String {
        let raw = String::from_utf8(fixture.run_raw(line)).unwrap();
        raw.split_once("\r\n").unwrap().1.strip_suffix("\r\n").unwrap().to_owned()
    }

    fn titles(fixture: &mut Fixture, line: &str) -> String {
        let text = text(fixture, line);
        text.lines().filter_map(|line| line.strip_prefix("# ")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn sections_are_chosen_by_name_and_stand_in_one_order() {
        const DEFAULT: &str =
            "Server Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster Keyspace";
        const ALL: &str = "Server Clients Memory Persistence Stats Replication CPU Modules Commandstats \
                           Errorstats Latencystats Cluster Keyspace";
        let mut fixture = Fixture::new();
        for (line, expected) in [
            ("INFO", DEFAULT),
            ("INFO default", DEFAULT),
            ("INFO ALL", ALL),
            ("INFO everything", ALL),
            ("INFO keyspace CLUSTER Cluster", "Cluster Keyspace"),
            ("INFO default commandstats latencystats", ALL),
            ("INFO nothing", ""),
            ("INFO nothing cpu", "CPU"),
        ] {
            assert_eq!(titles(&mut fixture, line), expected, "{line}");
        }
    }

    #[test]
    fn text_is_as_redis_writes_it() {
        let mut fixture = Fixture::new();
        fixture.run("HSETEX h f v 10");
        assert_eq!(
            text(&mut fixture, "INFO cluster keyspace"),
            "# Cluster\r\ncluster_enabled:0\r\n\r\n# Keyspace\r\ndb0:keys=1,expires=1,avg_ttl=10000,subexpiry=0\r\n"
        );
        replay(&[
            ("INFO nothing", "\"\""),
            ("HELLO 3", "*"),
            ("INFO cluster", "# Cluster\r\ncluster_enabled:0\r\n"),
        ]);
        fixture.run("HELLO 3");
        assert!(fixture.run_raw("INFO cluster").starts_with(b"=34\r\ntxt:# Cluster\r\n"));
    }

    #[test]
    fn clients_find_what_they_look_for() {
        let info = text(&mut Fixture::new(), "INFO everything");
        for line in [
            "redis_version:8.2.3",
            concat!("mayfly_version:", env!("CARGO_PKG_VERSION")),
            "redis_mode:standalone",
            "tcp_port:6379",
            "config_file:",
            "connected_clients:0",
            "maxmemory:0",
            "maxmemory_human:0B",
            "maxmemory_policy:noeviction",
            "loading:0",
            "async_loading:0",
            "rdb_changes_since_last_save:0",
            "aof_enabled:0",
            "expired_keys:0",
            "evicted_keys:0",
            "role:master",
            "connected_slaves:0",
            "cluster_enabled:0",
        ] {
            assert!(info.lines().any(|found| found == line), "{line} is not in\n{info}");
        }
        for line in info.lines().filter(|line| !line.is_empty() && !line.starts_with("# ")) {
            let (name, _) = line.split_once(':').expect(line);
            let times = info.lines().filter(|other| other.split(':').next() == Some(name)).count();
            assert_eq!(times, 1, "{name}");
        }
    }

    #[test]
    fn keys_past_their_deadline_do_not_count() {
        let mut fixture = Fixture::new();
        fixture.replay(&[
            ("HSETEX gone f v 1", "(integer) 1"),
            ("HSETEX h f v 3", "(integer) 1"),
            ("HSET stays f v", "(integer) 1"),
            ("SELECT 9", "OK"),
            ("HSETEX only f v 1", "(integer) 1"),
            ("WAIT 1000", ""),
        ]);
        let keyspace = |fixture: &mut Fixture| text(fixture, "INFO keyspace");
        let expected = "# Keyspace\r\ndb0:keys=2,expires=1,avg_ttl=2000,subexpiry=0\r\n";
        assert_eq!(keyspace(&mut fixture), expected);
        fixture.replay(&[("RECLAIM", "")]);
        assert_eq!(keyspace(&mut fixture), expected);
        let stats = text(&mut fixture, "INFO stats");
        assert!(stats.contains("\r\nexpired_keys:2\r\n"), "{stats}");
    }

    #[test]
    fn look_ups_are_counted() {
        let mut fixture = Fixture::new();
        fixture.replay(&[("HSET h f v", "(integer) 1"), ("HGET h f", "\"v\""), ("HGET x f", "(nil)")]);
        let stats = text(&mut fixture, "INFO stats");
        assert!(stats.contains("\r\nkeyspace_hits:1\r\nkeyspace_misses:1\r\n"), "{stats}");
    }
}
