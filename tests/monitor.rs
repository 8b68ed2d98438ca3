//! `MONITOR`: one client reads what all clients ask for.

use crate::harness::{Client, Launch, SHARD_COUNTS, Server, eventually};

/// The next line, without its time.
fn next(monitor: &mut Client) -> String {
    let line = monitor.receive().to_string();
    let (time, rest) = line.split_once(' ').expect("a time, then the rest");
    assert!(time.split('.').all(|part| part.bytes().all(|byte| byte.is_ascii_digit())), "{line}");
    rest.to_owned()
}

/// `[0 127.0.0.1:40000]` as the lines of a client begin.
fn origin(client: &mut Client, database: u16) -> String {
    let info = client.run("CLIENT INFO").to_string();
    let address = info.split(' ').find_map(|field| field.strip_prefix("addr=")).expect("an address");
    format!("[{database} {address}]")
}

#[test]
fn requests_are_shown_as_redis_shows_them() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let (mut monitor, mut client) = (server.connect(), server.connect());
        let from = origin(&mut client, 0);
        monitor.replay(&[("MONITOR", "OK")]);
        client.call(&[&b"hSet"[..], b"key", b"f\"\\", b"\n\r\t\x07\x08\x00\xff '"]);
        assert_eq!(next(&mut monitor), format!(r#"{from} "hSet" "key" "f\"\\" "\n\r\t\a\b\x00\xff '""#));
        // Whoever asks for the wrong words is refused before it counts, operators are not shown, passwords neither.
        client.replay(&[
            ("HGET key", "*"),
            ("NOSUCH key", "*"),
            ("CONFIG GET save", "*"),
            ("CLIENT LIST", "*"),
            ("AUTH default secret", "*"),
            ("HELLO 2 AUTH default secret SETNAME jo", "*"),
            ("SELECT 3", "OK"),
            ("DEL a b c d e", "(integer) 0"),
        ]);
        let from_three = origin(&mut client, 3);
        for expected in [
            format!("{from} \"AUTH\" \"(redacted)\" \"(redacted)\""),
            format!("{from} \"HELLO\" \"2\" \"AUTH\" \"(redacted)\" \"(redacted)\" \"SETNAME\" \"jo\""),
            format!("{from_three} \"SELECT\" \"3\""),
            format!("{from_three} \"DEL\" \"a\" \"b\" \"c\" \"d\" \"e\""),
        ] {
            assert_eq!(next(&mut monitor), expected);
        }
    }
}

#[test]
fn a_transaction_is_shown_when_it_runs() {
    let server = Server::start(4);
    let (mut monitor, mut client) = (server.connect(), server.connect());
    let from = origin(&mut client, 0);
    monitor.replay(&[("MONITOR", "OK")]);
    client.replay(&[
        ("MULTI", "OK"),
        ("HSET a f v", "QUEUED"),
        ("PING", "QUEUED"),
        ("CONFIG GET save", "QUEUED"),
        ("MONITOR", "QUEUED"),
        ("HSET b f v", "QUEUED"),
    ]);
    client.run("EXEC");
    for expected in
        ["\"MULTI\"", "\"HSET\" \"a\" \"f\" \"v\"", "\"PING\"", "\"HSET\" \"b\" \"f\" \"v\"", "\"EXEC\""]
    {
        assert_eq!(next(&mut monitor), format!("{from} {expected}"));
    }
    client.replay(&[
        ("MULTI", "OK"),
        ("MONITOR", "QUEUED"),
        ("EXEC", "1) (error) ERR MONITOR isn't allowed for DENY BLOCKING client"),
    ]);
}

#[test]
fn all_threads_are_shown_to_all_monitors_until_they_reset() {
    const CLIENTS: usize = 8;
    let server = Server::start(4);
    let mut monitors: Vec<_> = (0..3).map(|_| server.connect()).collect();
    for monitor in &mut monitors {
        monitor.replay(&[("MONITOR", "OK")]);
    }
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| server.connect()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.run(&format!("HSET key:{number} f v"));
    }
    for monitor in &mut monitors {
        let mut shown: Vec<_> = (0..CLIENTS).map(|_| next(monitor)).collect();
        shown.iter_mut().for_each(|line| *line = line.split_off(line.find('"').expect("a word")));
        shown.sort_unstable();
        let expected: Vec<_> =
            (0..CLIENTS).map(|number| format!("\"HSET\" \"key:{number}\" \"f\" \"v\"")).collect();
        assert_eq!(shown, expected);
    }
    let list = clients[0].run("CLIENT LIST").to_string();
    assert_eq!(list.matches(" flags=O ").count(), 3, "{list}");
    for monitor in &mut monitors {
        monitor.send(b"RESET\r\n");
        while monitor.receive().to_string() != "RESET" {}
        clients[0].run("HGET key:0 f");
        monitor.replay(&[("ECHO quiet", "\"quiet\"")]);
    }
}

#[test]
fn a_monitor_sees_its_own_requests_behind_their_replies() {
    let server = Server::start(1);
    let mut monitor = server.connect();
    monitor.replay(&[("MONITOR", "OK"), ("PING", "PONG")]);
    assert!(next(&mut monitor).ends_with("\"PING\""));
}

#[test]
fn a_monitor_that_does_not_read_is_closed_and_nobody_waits_for_it() {
    let server = Launch::with_shards(2).set("limits.subscriber_bytes_max", "64KiB").start();
    let mut monitor = server.connect();
    monitor.replay(&[("MONITOR", "OK")]);
    let mut client = server.connect();
    let request = format!("HSET key field {}", "v".repeat(10_000));
    eventually("the monitor is closed", || {
        client.run(&request);
        (!client.run("CLIENT LIST").to_string().contains(" flags=O ")).then_some(())
    });
    // One burst that no monitor could take.
    let mut second = server.connect();
    second.replay(&[("MONITOR", "OK")]);
    let burst = format!("{request}\r\n").repeat(1_000);
    client.pipeline(burst.as_bytes(), 1_000);
    eventually("the second is closed", || {
        (!client.run("CLIENT LIST").to_string().contains(" flags=O ")).then_some(())
    });
    client.replay(&[("PING", "PONG")]);
}
