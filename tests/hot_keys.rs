//! Hot keys and big keys: operators see which keys are asked for most, and which take most memory.

use std::collections::HashMap;

use crate::harness::{Client, Launch, SHARD_COUNTS, Server, encode_line, eventually};

/// The entries of a reply, each as its fields by name.
fn entries(client: &mut Client, line: &str) -> Vec<HashMap<String, String>> {
    let reply = client.run(line);
    let items = |value: &mayfly_resp::Value| value.as_items().expect("an array").to_vec();
    let text = |value: &mayfly_resp::Value| value.to_string().trim_matches('"').replace("(integer) ", "");
    let pairs = |entry: &mayfly_resp::Value| {
        items(entry).chunks(2).map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
    };
    items(&reply).iter().map(pairs).collect()
}

fn keys(client: &mut Client, line: &str) -> Vec<String> {
    entries(client, line).into_iter().map(|mut entry| entry.remove("key").expect("a key")).collect()
}

/// Asks for a key so often, in one pipeline.
fn ask(client: &mut Client, line: &str, times: usize) {
    client.pipeline(&encode_line(line).repeat(times), times);
}

#[test]
fn a_hot_key_among_many_is_named_first() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut client = server.connect();
        for round in 0..50 {
            let mut burst = Vec::new();
            for number in 0..400 {
                burst.extend(encode_line(&format!("HGET session:{} f", round * 400 + number)));
                burst.extend(encode_line("HINCRBY hot n 1"));
            }
            client.pipeline(&burst, 800);
        }
        let top = entries(&mut client, "HOTKEYS TOP 3");
        let hottest = &top[0];
        assert_eq!((&*hottest["key"], &*hottest["database"], &*hottest["key-bytes"]), ("hot", "0", "3"));
        assert!(hottest["shard"].parse::<usize>().unwrap() < shards);
        let percent: f64 = hottest["calls-percent"].parse().unwrap();
        assert!((30.0..70.0).contains(&percent), "half of all calls, not {percent} %");
        assert!(top.len() <= 3, "{top:?}");
    }
}

#[test]
fn how_many_calls_are_looked_at_changes_while_the_server_runs() {
    for shards in SHARD_COUNTS {
        let server = Launch::with_shards(shards).set("hot_keys.sample_calls", 1).start();
        let mut client = server.connect();
        client.replay(&[("SELECT 3", "OK"), ("HSET a f v", "(integer) 1"), ("HGET a f", "\"v\"")]);
        client.replay(&[("MULTI", "OK"), ("HGET b f", "QUEUED"), ("EXEC", "*")]);
        assert_eq!(keys(&mut client, "HOTKEYS TOP"), ["a", "b"], "each call is looked at");
        client.replay(&[("CONFIG SET hot_keys.sample_calls 0", "OK")]);
        ask(&mut client, "HGET c f", 100);
        assert_eq!(keys(&mut client, "HOTKEYS TOP"), [""; 0], "none is, and what was hot is forgotten");
        client.replay(&[("CONFIG SET hot_keys.sample_calls 1", "OK")]);
        ask(&mut client, "HGET d f", 10);
        assert_eq!(keys(&mut client, "HOTKEYS TOP"), ["d"]);
    }
}

#[test]
fn the_largest_hashes_are_named_until_they_are_gone() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut client = server.connect();
        for (key, fields) in [("small", 100), ("large", 3_000), ("largest", 9_000)] {
            let line = (0..fields).map(|number| format!(" field:{number} value")).collect::<String>();
            client.replay(&[(&format!("HSET {key}{line}"), &format!("(integer) {fields}"))]);
        }
        let found = entries(&mut client, "BIGKEYS COUNT 2");
        assert_eq!([&*found[0]["key"], &*found[1]["key"]], ["largest", "large"]);
        assert_eq!(found[0]["fields"], "9000");
        assert_eq!(found[0]["bytes"], client.integer("MEMORY USAGE largest").to_string());
        client.replay(&[("DEL largest", "(integer) 1"), ("SELECT 5", "OK")]);
        assert_eq!(keys(&mut client, "BIGKEYS"), ["large"], "of all databases");
        client.replay(&[("FLUSHALL", "OK")]);
        assert_eq!(keys(&mut client, "BIGKEYS"), [""; 0]);
    }
}

#[test]
fn they_show_all_keys_so_they_are_for_operators() {
    let server = Server::start(4);
    let mut operator = server.connect();
    operator.replay(&[
        ("ACL SETUSER app on >secret ~* +@all -@admin", "OK"),
        ("ACL SETUSER watcher on >secret +hotkeys|top +bigkeys", "OK"),
    ]);
    let mut client = server.connect();
    client.replay(&[
        ("AUTH app secret", "OK"),
        ("HOTKEYS TOP", "(error) NOPERM User app has no permissions to run the 'hotkeys|top' command"),
        ("BIGKEYS", "(error) NOPERM User app has no permissions to run the 'bigkeys' command"),
        ("AUTH watcher secret", "OK"),
        ("HOTKEYS TOP", "(empty array)"),
        ("BIGKEYS", "(empty array)"),
    ]);
}

#[test]
fn the_status_page_names_keys_only_where_it_is_told_to() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let (status, body) = server.http_get("/status/keys.json");
        assert_eq!((&*status, &*body), ("HTTP/1.1 200 OK", r#"{"named":false}"#));
        let without = Launch::with_shards(shards).set("metrics.status_page", false).start();
        assert_eq!(without.http_get("/status/keys.json").0, "HTTP/1.1 404 Not Found");
        let launch = Launch::with_shards(shards).set("hot_keys.sample_calls", 1);
        let naming = launch.set("metrics.status_page_keys", true).start();
        let mut client = naming.connect();
        client.call(&[&b"HSET"[..], b"a\"\xff", b"f", b"v"]);
        client.run(&format!("HSET b f {}", "x".repeat(50_000)));
        let body = naming.http_get("/status/keys.json").1;
        // As redis-cli quotes it, in JSON.
        assert!(body.contains(r#""key":"a\\\"\\xff""#), "{body}");
        let big = body.split_once(r#""big":["#).expect("big keys").1;
        assert!(big.contains(r#""key":"b""#) && big.contains(r#""fields":1"#), "{body}");
    }
}

#[test]
fn how_uneven_shards_are_is_told() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut client = server.connect();
        let figures = |server: &Server, client: &mut Client| {
            let info = client.run("INFO stats");
            let info = String::from_utf8_lossy(info.as_bytes().expect("a text")).into_owned();
            for of in ["keys", "bytes"] {
                let exported = server.scrape().sum_where("mayfly_imbalance_ratio", &format!("of=\"{of}\""));
                let field = format!("mayfly_imbalance_{of}:{exported:.2}\r\n");
                assert!(info.contains(&field), "{field} is not in {info}");
            }
            server.scrape().sum_where("mayfly_imbalance_ratio", "of=\"keys\"")
        };
        assert_eq!(figures(&server, &mut client), 1.0, "none has anything");
        client.replay(&[("HSET a f v", "(integer) 1")]);
        assert_eq!(figures(&server, &mut client), shards as f64, "one has everything");
        for number in 0..2_000 {
            client.run(&format!("HSET key:{number} f v"));
        }
        assert!(figures(&server, &mut client) < 1.3);
        client.replay(&[("FLUSHALL", "OK")]);
        let busy = || {
            ask(&mut server.connect(), "HINCRBY hot n 1", 5_000);
            let ratio = server.scrape().sum_where("mayfly_imbalance_ratio", "of=\"calls\"");
            (ratio > 0.9 * shards as f64).then_some(())
        };
        eventually("one shard runs all calls", busy);
    }
}
