//! The endpoint for operators: every metric that is promised is there, and counts what happens.

use crate::harness::{SHARD_COUNTS, Server, encode_line, eventually};

#[test]
fn health_is_answered_and_other_paths_are_not() {
    let server = Server::start(1);
    assert_eq!(server.http_get("/healthz"), ("HTTP/1.1 200 OK".into(), "ok\n".into()));
    assert_eq!(server.http_get("/nothing").0, "HTTP/1.1 404 Not Found");
}

#[test]
fn every_promised_metric_is_exported_with_its_type() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        server.connect().replay(&[("HSETEX h f v 60", "(integer) 1"), ("HGET h f", "\"v\"")]);
        let scrape = server.scrape();
        let table = mayfly_server::metrics_markdown();
        let rows: Vec<_> = table.lines().skip(2).collect();
        assert!(rows.len() > 20, "{table}");
        for row in rows {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let (name, kind) = (cells[1].trim_matches('`'), cells[2]);
            assert!(scrape.has(name, kind), "{name}, a {kind}, is not exported");
        }
        assert_eq!(scrape.sum("mayfly_build_info"), 1.0);
        assert_eq!(
            scrape.sum_where("mayfly_build_info", concat!("version=\"", env!("CARGO_PKG_VERSION"), "\"")),
            1.0
        );
        assert!(scrape.sum("process_resident_memory_bytes") > 0.0);
    }
}

#[test]
fn the_forecast_says_what_falls_due() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut client = server.connect();
        for (ttl, keys) in [(30, 3), (1_000, 5), (100_000, 7)] {
            for number in 0..keys {
                client.replay(&[(&format!("HSETEX {ttl}:{number} f v {ttl}"), "(integer) 1")]);
            }
        }
        // The first time of these is written down only, in the list of a nearer time.
        client.replay(&[("HSETEX moved f v 30", "(integer) 1"), ("HSETEX moved f v 1000", "(integer) 0")]);
        client.replay(&[("HSET for:ever f v", "(integer) 1")]);
        let scrape = server.scrape();
        let within = |name: &str, label: &str| scrape.sum_or_zero(name, &format!("within=\"{label}\""));
        let keys = |label| within("mayfly_shard_forecast_keys", label);
        assert_eq!((keys("1s"), keys("1m"), keys("1h")), (0.0, 3.0, 9.0), "with {shards} shards");
        let bytes = |label| within("mayfly_shard_forecast_bytes", label);
        assert_eq!(bytes("1s"), 0.0);
        assert!(
            bytes("1m") >= 3.0 * 20.0 && bytes("1h") > 2.0 * bytes("1m"),
            "{} {}",
            bytes("1m"),
            bytes("1h")
        );
    }
}

#[test]
fn metrics_count_what_happens() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut client = server.connect();
        let before = server.scrape();
        let mut requests = Vec::new();
        for number in 0..100 {
            requests.extend(encode_line(&format!("HSET key:{number} f v")));
        }
        for number in 0..150 {
            requests.extend(encode_line(&format!("HGET key:{number} f")));
        }
        requests.extend(encode_line("EXPIRE key:0 1000"));
        requests.extend(encode_line("HINCRBY key:1 f 1"));
        requests.extend(encode_line("NONSENSE"));
        requests.extend(encode_line("DEL key:2 key:3"));
        let replies = client.pipeline(&requests, 254);
        let after = server.scrape();
        let moved =
            |name: &str, label: &str| after.sum_or_zero(name, label) - before.sum_or_zero(name, label);

        assert_eq!(moved("mayfly_command_calls_total", "command=\"hset\""), 100.0);
        assert_eq!(moved("mayfly_command_calls_total", "command=\"hget\""), 150.0);
        assert_eq!(moved("mayfly_command_duration_seconds_count", "command=\"hget\""), 150.0);
        assert!(moved("mayfly_command_duration_seconds_sum", "command=\"hget\"") > 0.0);
        assert_eq!(moved("mayfly_command_errors_total", "command=\"hincrby\""), 1.0);
        assert_eq!(moved("mayfly_command_errors_total", "command=\"hget\""), 0.0);
        assert_eq!(moved("mayfly_refused_requests_total", ""), 1.0);
        assert_eq!(moved("mayfly_shard_commands_total", ""), 253.0);
        assert_eq!(moved("mayfly_shard_hits_total", ""), 100.0);
        assert_eq!(moved("mayfly_shard_misses_total", ""), 50.0);
        assert_eq!(moved("mayfly_shard_keys", ""), 98.0);
        assert_eq!(moved("mayfly_shard_keys_with_ttl", ""), 1.0);
        assert!(moved("mayfly_shard_held_bytes", "") > 0.0);
        assert_eq!(moved("mayfly_input_bytes_total", ""), requests.len() as f64);
        let received: usize = replies.iter().map(encoded_bytes).sum();
        assert_eq!(moved("mayfly_output_bytes_total", ""), received as f64);
        assert_eq!(after.sum("mayfly_connections"), 1.0);
        assert_eq!(after.sum("mayfly_connections_accepted_total"), 1.0);

        drop(client);
        eventually("the connection is counted out", || {
            (server.scrape().sum("mayfly_connections") == 0.0).then_some(())
        });
    }
}

/// Bytes of the simple replies that occur here.
fn encoded_bytes(reply: &mayfly_resp::Value) -> usize {
    use mayfly_resp::Value;
    match reply {
        Value::Integer(number) => format!(":{number}\r\n").len(),
        Value::Bulk(text) => format!("${}\r\n\r\n", text.len()).len() + text.len(),
        Value::Error(text) => format!("-{text}\r\n").len(),
        Value::Null => "$-1\r\n".len(),
        other => panic!("{other}"),
    }
}

#[test]
fn steps_over_several_shards_are_counted_and_every_shard_has_its_series() {
    let server = Server::start(4);
    let mut client = server.connect();
    for number in 0..100 {
        client.run(&format!("HSET key:{number} f v"));
    }
    client.replay(&[("DBSIZE", "(integer) 100")]);
    let scrape = server.scrape();
    assert!(scrape.sum("mayfly_shard_joints_total") >= 1.0);
    for shard in 0..4 {
        let label = format!("shard=\"{shard}\"");
        assert!(scrape.sum_where("mayfly_shard_keys", &label) > 0.0, "100 keys leave shard {shard} empty");
        assert!(scrape.sum_where("mayfly_shard_batch_calls_count", &label) > 0.0);
        assert!(scrape.sum_where("mayfly_shard_busy_max_seconds", &label) > 0.0);
    }
}
