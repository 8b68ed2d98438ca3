//! `INFO`, as operators and exporters read it.

use crate::harness::{Client, Launch, SHARD_COUNTS, Server, eventually};

/// The value of a field.
fn field(client: &mut Client, section: &str, name: &str) -> String {
    let reply = client.run(&format!("INFO {section}"));
    let text = String::from_utf8_lossy(reply.as_bytes().expect("a text")).into_owned();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or_else(|| panic!("{name} is not in {text}")).to_owned()
}

#[test]
fn errors_are_counted_by_their_code() {
    for shards in SHARD_COUNTS {
        let server = Launch::with_shards(shards).set("server.password", "secret").start();
        let mut client = server.connect();
        client.replay(&[("PING", "*"), ("AUTH wrong", "*"), ("AUTH secret", "OK")]);
        for key in ["a", "b", "c", "d"] {
            client.run(&format!("HSET {key} f v"));
            client.replay(&[(&format!("GET {key}"), "*"), (&format!("HINCRBY {key} f 1"), "*")]);
        }
        client.replay(&[
            ("NOSUCH", "*"),
            ("MULTI", "OK"),
            ("NOSUCH", "*"),
            ("EXEC", "*"),
            ("MULTI", "OK"),
            ("GET a", "QUEUED"),
            ("EXEC", "*"),
        ]);
        for (code, count) in [("NOAUTH", 1), ("WRONGPASS", 1), ("WRONGTYPE", 5), ("ERR", 6), ("EXECABORT", 1)]
        {
            let found = field(&mut client, "errorstats", &format!("errorstat_{code}"));
            assert_eq!(found, format!("count={count}"), "{code}");
        }
        assert_eq!(field(&mut client, "stats", "total_error_replies"), "14");
        assert_eq!(field(&mut client, "stats", "acl_access_denied_auth"), "1");
        client.replay(&[("CONFIG RESETSTAT", "OK")]);
        assert_eq!(field(&mut client, "stats", "acl_access_denied_auth"), "0");
    }
}

#[test]
fn a_transaction_is_one_call_of_exec() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut client = server.connect();
        let transactions: [&[&str]; 3] = [&["HSET a f v"], &["HSET a f v", "HGET b f"], &["PING"]];
        for calls in transactions {
            client.replay(&[("MULTI", "OK")]);
            calls.iter().for_each(|call| client.replay(&[(call, "QUEUED")]));
            client.replay(&[("EXEC", "*")]);
        }
        let counted = field(&mut client, "commandstats", "cmdstat_exec");
        assert!(counted.starts_with("calls=3,"), "{counted}");
    }
}

#[test]
fn every_command_that_ran_has_its_percentiles() {
    let server = Server::start(4);
    let mut client = server.connect();
    for number in 0..100 {
        client.run(&format!("HSET key:{number} f v"));
    }
    let percentiles = field(&mut client, "latencystats", "latency_percentiles_usec_hset");
    let values: Vec<f64> = percentiles
        .split(',')
        .map(|pair| pair.split_once('=').expect("a name and a value").1.parse().expect("a number"))
        .collect();
    assert!(values[0] > 0.0 && values.is_sorted() && values.len() == 3, "{percentiles}");
}

#[test]
fn who_listens_and_watches_is_counted() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let (mut operator, mut listener, mut watcher) =
            (server.connect(), server.connect(), server.connect());
        listener.run("SUBSCRIBE a");
        listener.run("PSUBSCRIBE b*");
        listener.run("SSUBSCRIBE c");
        watcher.replay(&[("WATCH k l m", "OK"), ("MULTI", "OK"), ("PING", "QUEUED")]);
        let mut is = |section: &str, name: &str, value: &str| {
            eventually(name, || (field(&mut operator, section, name) == value).then_some(()));
        };
        for (name, value) in [("pubsub_clients", "1"), ("watching_clients", "1"), ("total_watched_keys", "3")]
        {
            is("clients", name, value);
        }
        for name in ["pubsub_channels", "pubsub_patterns", "pubsubshard_channels"] {
            is("stats", name, "1");
        }
        assert!(server.connect().run("CLIENT LIST").to_string().contains(" multi=1 watch=3 "));
        drop((listener, watcher));
        for (section, name) in [
            ("clients", "pubsub_clients"),
            ("clients", "watching_clients"),
            ("stats", "pubsub_channels"),
            ("stats", "pubsub_patterns"),
        ] {
            is(section, name, "0");
        }
    }
}

#[test]
fn memory_stats_and_info_agree_and_the_doctor_has_looked() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut client = server.connect();
        for number in 0..1_000 {
            client.run(&format!("HSETEX key:{number} f v 600"));
        }
        let stats = client.run("MEMORY STATS").to_string();
        for (stat, name) in [
            ("total.allocated", "used_memory"),
            ("overhead.total", "used_memory_overhead"),
            ("dataset.bytes", "used_memory_dataset"),
            ("startup.allocated", "used_memory_startup"),
        ] {
            let line =
                stats.split_once(&format!("\"{stat}\"\n")).and_then(|(_, behind)| behind.lines().next());
            let value =
                line.and_then(|line| line.split_once("(integer) ")).unwrap_or_else(|| panic!("{stats}")).1;
            assert_eq!(value, field(&mut client, "memory", name), "{stat}");
        }
        assert_ne!(field(&mut client, "memory", "used_memory_overhead"), "0");
        let advice = client.run("MEMORY DOCTOR").to_string();
        assert!(!advice.is_empty() && !advice.starts_with("(error)"), "{advice}");
    }
}
