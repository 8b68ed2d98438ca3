//! `SLOWLOG` and `LATENCY`: what took long, who asked for it, and what nobody may read of it.

use mayfly_resp::Value;

use crate::harness::{Client, Launch, SHARD_COUNTS, encode};

fn texts(value: &Value) -> Vec<String> {
    let Value::Array(items) = value else { panic!("{value} is no array") };
    items
        .iter()
        .map(|item| String::from_utf8_lossy(item.as_bytes().unwrap_or_default()).into_owned())
        .collect()
}

/// The entries of the log, newest first: number, microseconds, words, address and name.
fn entries(client: &mut Client) -> Vec<(i64, i64, Vec<String>, String, String)> {
    let Value::Array(entries) = client.run("SLOWLOG GET -1") else { panic!("no array") };
    let entry = |entry: Value| {
        let Value::Array(items) = &entry else { panic!("{entry} is no entry") };
        let integer = |index: usize| match &items[index] {
            Value::Integer(number) => *number,
            other => panic!("{other} is no integer"),
        };
        let who = texts(&entry);
        assert_eq!(items.len(), 6);
        assert!(integer(1) > 1_700_000_000, "{entry}");
        (integer(0), integer(2), texts(&items[3]), who[4].clone(), who[5].clone())
    };
    entries.into_iter().map(entry).collect()
}

fn words(client: &mut Client) -> Vec<String> {
    entries(client).into_iter().map(|(_, _, words, _, _)| words.join(" ")).collect()
}

/// A server whose log keeps every call.
fn launch(shards: usize) -> Launch {
    Launch::with_shards(shards).set("slow.log_micros_min", 0)
}

#[test]
fn every_call_is_logged_at_zero_with_who_asked() {
    for shards in SHARD_COUNTS {
        let server = launch(shards).start();
        let mut client = server.connect();
        client.replay(&[
            ("CLIENT SETNAME worker", "OK"),
            ("HSETEX session:1 user ada 100", "(integer) 1"),
            ("MULTI", "OK"),
            ("HSET a f v", "QUEUED"),
            ("HGET b f", "QUEUED"),
            ("EXEC", "*"),
            ("KEYS *", "*"),
            ("NOSUCH", "*"),
        ]);
        let logged = entries(&mut client);
        let found: Vec<_> = logged.iter().rev().map(|(_, _, words, _, _)| words.join(" ")).collect();
        // EXEC is left out, as in Redis; its calls are not.
        let expected = [
            "CLIENT SETNAME worker",
            "HSETEX session:1 user ada 100",
            "MULTI",
            "HSET a f v",
            "HGET b f",
            "KEYS *",
        ];
        let of_client = |text: &&String| expected.contains(&text.as_str());
        assert_eq!(found.iter().filter(of_client).collect::<Vec<_>>(), expected, "{shards} shards");
        assert!(logged.windows(2).all(|pair| pair[0].0 == pair[1].0 + 1), "numbers in a row");
        let (_, micros, _, address, name) = logged.iter().find(|entry| entry.2[0] == "KEYS").expect("KEYS");
        assert!((0..60_000_000).contains(micros));
        assert!(address.starts_with("127.0.0.1:") && name == "worker", "{address} {name}");
    }
}

#[test]
fn a_pipeline_is_taken_apart() {
    let server = launch(1).start();
    let mut client = server.connect();
    let bytes: Vec<u8> =
        (0..100).flat_map(|number| encode(&["HSET", &format!("k{number}"), "f", "v"])).collect();
    client.pipeline(&bytes, 100);
    let logged = words(&mut client);
    let sets = logged.iter().filter(|text| text.starts_with("HSET")).collect::<Vec<_>>();
    assert_eq!(sets.len(), 100);
    assert_eq!((sets[0].as_str(), sets[99].as_str()), ("HSET k99 f v", "HSET k0 f v"));
}

#[test]
fn only_what_is_slow_is_kept_and_no_more_than_is_wanted() {
    let server = Launch::with_shards(1).start();
    let mut client = server.connect();
    client.replay(&[
        ("HSET k f v", "(integer) 1"),
        ("SLOWLOG LEN", "(integer) 0"),
        ("CONFIG GET slowlog-*", "*"),
        ("CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 3", "OK"),
        ("HGET k f", "\"v\""),
        ("HGET k f", "\"v\""),
        ("HGET k f", "\"v\""),
        ("SLOWLOG LEN", "(integer) 3"),
        ("CONFIG SET slowlog-log-slower-than -1", "OK"),
        ("HLEN k", "(integer) 1"),
    ]);
    assert_eq!(words(&mut client), ["SLOWLOG LEN", "HGET k f", "HGET k f"]);
    client.replay(&[
        ("SLOWLOG GET 0", "(empty array)"),
        ("CONFIG SET slowlog-max-len 1", "OK"),
        ("SLOWLOG LEN", "(integer) 1"),
        ("SLOWLOG RESET", "OK"),
        ("SLOWLOG LEN", "(integer) 0"),
    ]);
}

#[test]
fn secrets_are_not_kept() {
    let server = launch(1).start();
    let mut client = server.connect();
    for line in [
        "AUTH default hunter2",
        "AUTH hunter2",
        "HELLO 2 AUTH default hunter2 SETNAME me",
        "ACL SETUSER bob on >hunter2 ~* +@all",
        "ACL GETUSER bob",
        "ACL DELUSER bob",
        "CONFIG SET requirepass hunter2 timeout 0",
        "CONFIG SET server.password hunter2",
        "CONFIG SET timeout 77",
        "CONFIG SET requirepass ''",
    ] {
        client.run(line);
    }
    let logged = words(&mut client).join("\n");
    assert!(!logged.contains("hunter2"), "{logged}");
    for line in [
        "AUTH (redacted) (redacted)",
        "HELLO 2 AUTH (redacted) (redacted) SETNAME me",
        "ACL SETUSER (redacted) (redacted) (redacted) (redacted) (redacted)",
        "ACL GETUSER (redacted)",
        "CONFIG SET requirepass (redacted) timeout 0",
        "CONFIG SET timeout 77",
    ] {
        assert!(logged.contains(line), "{line} is not in {logged}");
    }
    assert!(!server.log().contains("hunter2"));
}

#[test]
fn a_call_that_takes_long_is_an_event() {
    let server = Launch::with_shards(2).start();
    let mut client = server.connect();
    client.replay(&[
        ("LATENCY LATEST", "(empty array)"),
        ("CONFIG SET latency-monitor-threshold 1 slowlog-log-slower-than 1000", "OK"),
    ]);
    // Hashes of 100,000 fields: to read one takes several milliseconds anywhere.
    let mut set = vec!["HSET".to_owned(), "large".to_owned()];
    (0..100_000).for_each(|field| set.extend([format!("field:{field}"), "x".repeat(20)]));
    client.call(&set);
    while client.run("LATENCY HISTORY command").to_string() == "(empty array)" {
        client.run("HGETALL large");
    }
    let Value::Array(latest) = client.run("LATENCY LATEST") else { panic!("no array") };
    let names: Vec<_> = latest.iter().map(|event| texts(event)[0].clone()).collect();
    assert!(names.contains(&"command".to_owned()), "{names:?}");
    let graph = client.run("LATENCY GRAPH command").to_string();
    assert!(graph.contains("command - high "), "{graph}");
    let report = client.run("LATENCY DOCTOR").to_string();
    assert!(report.contains("SLOWLOG GET"), "{report}");
    let logged = words(&mut client);
    assert!(logged.iter().any(|text| text == "HGETALL large"), "{logged:?}");
    let slow = server.scrape().sum("mayfly_slow_calls_total");
    assert!(slow >= 1.0, "{slow}");
    client.run("LATENCY RESET");
    client.replay(&[
        ("CONFIG SET latency-monitor-threshold 0", "OK"),
        ("LATENCY RESET", "*"),
        ("HGETALL large", "*"),
        ("LATENCY LATEST", "(empty array)"),
    ]);
}

#[test]
fn histograms_count_every_call() {
    for shards in SHARD_COUNTS {
        let server = Launch::with_shards(shards).start();
        let mut client = server.connect();
        for key in 0..20 {
            client.run(&format!("HSET k{key} f v"));
        }
        client.run("CONFIG GET port");
        let shown = client.run("LATENCY HISTOGRAM hset nothing CONFIG hget").to_string();
        assert!(shown.contains("\"hset\"") && shown.contains("\"config|get\""), "{shown}");
        assert!(!shown.contains("hget") && !shown.contains("nothing"), "{shown}");
        let Value::Array(reply) = client.run("LATENCY HISTOGRAM HSET") else { panic!("no array") };
        let Value::Array(facts) = &reply[1] else { panic!("no facts") };
        assert_eq!(facts[1], Value::Integer(20));
        let Value::Array(buckets) = &facts[3] else { panic!("no buckets") };
        assert_eq!(buckets.last(), Some(&Value::Integer(20)), "all calls are in the last bucket");
        client.replay(&[("CONFIG RESETSTAT", "OK"), ("LATENCY HISTOGRAM hset", "(empty array)")]);
    }
}
