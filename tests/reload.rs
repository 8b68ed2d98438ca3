//! SIGHUP: the config file is read again, all of it or nothing, and no client notices.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use rustix::process::Signal;

use crate::harness::{Client, Launch, SHARD_COUNTS, Server, eventually};

/// A server with a config file of this text behind the ports.
fn start(shards: usize, text: &str) -> (Server, String) {
    let launch = Launch::with_shards(shards).file(text);
    let path = launch.file_path();
    (launch.start(), path)
}

fn reload(server: &Server, path: &str, text: &str) {
    fs::write(path, text).expect("it can be written");
    server.signal(Signal::HUP);
}

fn parameter(client: &mut Client, name: &str) -> String {
    let reply = client.run(&format!("CONFIG GET {name}")).to_string();
    reply.rsplit_once("2) ").map_or_else(String::new, |(_, value)| value.trim_matches('"').to_owned())
}

fn wait_for(client: &mut Client, name: &str, value: &str) {
    eventually("the setting changes", || (parameter(client, name) == value).then_some(()));
}

#[test]
fn under_load_no_request_fails() {
    const CLIENTS: usize = 8;
    const RELOADS: usize = 40;
    for shards in SHARD_COUNTS {
        let (server, path) = start(shards, "");
        let (is_over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
        // Who comes after the first reload is asked for the password.
        let connect = || {
            let mut client = server.connect();
            client.replay(&[("PING", "PONG")]);
            client
        };
        let mut operator = connect();
        let clients: Vec<_> = (0..CLIENTS).map(|_| connect()).collect();
        std::thread::scope(|scope| {
            for (number, mut client) in clients.into_iter().enumerate() {
                let (is_over, answered) = (&is_over, &answered);
                scope.spawn(move || {
                    let mut count = 0;
                    while !is_over.load(Relaxed) {
                        client.send(
                            format!("HINCRBY h{number} n 1\r\nHGET h{number} n\r\n").repeat(16).as_bytes(),
                        );
                        for _ in 0..16 {
                            count += 1;
                            assert_eq!(client.receive().to_string(), format!("(integer) {count}"));
                            assert_eq!(client.receive().to_string(), format!("\"{count}\""));
                        }
                        answered.fetch_add(32, Relaxed);
                    }
                });
            }
            for round in 1..=RELOADS {
                let text = format!(
                    "[server]\nidle_timeout_seconds = {}\npassword = \"sesame{round}\"\nport = {round}\n[limits]\n\
                     pipeline_window = {}\n[hash]\npacked_fields_max = {round}\n[log]\nlevel = \"info\"\n",
                    1_000 + round,
                    16 + round
                );
                let before = answered.load(Relaxed);
                reload(&server, &path, &text);
                wait_for(&mut operator, "timeout", &(1_000 + round).to_string());
                eventually("clients go on", || (answered.load(Relaxed) > before).then_some(()));
            }
            is_over.store(true, Relaxed);
        });
        let scrape = server.scrape();
        assert_eq!(scrape.sum("mayfly_config_reloads_total"), RELOADS as f64);
        assert_eq!(scrape.sum("mayfly_connections_accepted_total"), CLIENTS as f64 + 1.0);
        assert!(!server.log().contains("sesame"), "{}", server.log());
        assert_eq!(scrape.sum("mayfly_command_errors_total"), 0.0);
    }
}

#[test]
fn a_wrong_file_changes_nothing_and_is_one_line() {
    let (server, path) = start(2, "[server]\nidle_timeout_seconds = 100\n");
    let mut client = server.connect();
    for (text, problem) in [
        ("[server]\nidle_timeout_seconds = 200\nprot = 1\n", ":3: server.prot: unknown key"),
        ("[server]\nidle_timeout_seconds = 200\n[log]\nlevel = \"loud\"\n", ":4: log.level: "),
        ("[server\n", ":1: "),
        (
            "[server]\nidle_timeout_seconds = 200\n[limits]\nbulk_bytes_max = \"1gb\"\nrequest_bytes_max = \"1mb\"\n",
            ":4: limits.bulk_bytes_max: ",
        ),
    ] {
        reload(&server, &path, text);
        server.wait_for_log(&format!("nothing has changed problem=\"{path}{problem}"));
        assert_eq!(parameter(&mut client, "timeout"), "100");
    }
    assert_eq!(server.scrape().sum("mayfly_config_reloads_failed_total"), 4.0);
    fs::remove_file(&path).expect("it is there");
    server.signal(Signal::HUP);
    server.wait_for_log(&format!("nothing has changed problem=\"{path}: cannot be read: No such file"));
    reload(&server, &path, "[server]\nidle_timeout_seconds = 300\n");
    wait_for(&mut client, "timeout", "300");
}

#[test]
fn what_differs_is_named_and_secrets_are_not_shown() {
    let (server, path) = start(1, "[server]\npassword = \"sesame\"\n");
    let mut client = server.connect();
    client.run("AUTH sesame");
    reload(
        &server,
        &path,
        "[server]\npassword = \"abracadabra\"\ndatabases = 3\n[limits]\npipeline_window = 77\n[events]\nnotify = \"KEA\"\n",
    );
    server.wait_for_log("the config was reloaded changed=3 restart=1");
    for line in [
        "changed setting=\"server.password\" from=\"\\\"***\\\"\" to=\"\\\"***\\\"\"",
        "changed setting=\"limits.pipeline_window\" from=\"1024\" to=\"77\"",
        "changed setting=\"events.notify\" from=",
        "stays as it is until a restart setting=\"server.databases\" from=\"16\" to=\"3\"",
    ] {
        assert!(server.log().contains(line), "{line} in {}", server.log());
    }
    assert!(!server.log().contains("abracadabra") && !server.log().contains("sesame"), "{}", server.log());
    client.replay(&[("SELECT 15", "OK"), ("CONFIG GET databases", "1) \"databases\"\n2) \"16\"")]);
    let mut late = server.connect();
    late.replay(&[("AUTH abracadabra", "OK"), ("CONFIG GET notify-keyspace-events", "*")]);
    assert_eq!(parameter(&mut late, "notify-keyspace-events"), "AKE");
}

#[test]
fn what_was_set_and_not_written_is_undone() {
    let (server, path) = start(4, "[server]\nidle_timeout_seconds = 100\n");
    let mut client = server.connect();
    client.replay(&[("CONFIG SET timeout 500 limits.pipeline_window 9", "OK")]);
    server.signal(Signal::HUP);
    wait_for(&mut client, "timeout", "100");
    assert_eq!(parameter(&mut client, "limits.pipeline_window"), "1024");
    // What was undone is not written any more, what is written is not undone.
    client.replay(&[("CONFIG REWRITE", "OK")]);
    assert_eq!(fs::read_to_string(&path).expect("it is there"), "[server]\nidle_timeout_seconds = 100\n");
    client.replay(&[("CONFIG SET timeout 600", "OK"), ("CONFIG REWRITE", "OK")]);
    server.signal(Signal::HUP);
    server.wait_for_log("the config was reloaded changed=0 restart=0");
    assert_eq!(parameter(&mut client, "timeout"), "600");
}

#[test]
fn flags_and_variables_win_again() {
    let launch = Launch::with_shards(1).file("").set("server.idle_timeout_seconds", 50);
    let path = launch.file_path();
    let server = launch.start();
    let mut client = server.connect();
    reload(&server, &path, "[server]\nidle_timeout_seconds = 60\ntcp_keepalive_seconds = 70\n");
    wait_for(&mut client, "tcp-keepalive", "70");
    assert_eq!(parameter(&mut client, "timeout"), "50");
}
