//! Client-side caching: who is told that what it has read has changed.

use std::collections::HashMap;

use mayfly_resp::Value;

use crate::harness::{Client, Launch, SHARD_COUNTS, Seed, Server, eventually};

/// A client of RESP3 that tracks as `options` say.
fn tracker(server: &Server, options: &str) -> Client {
    let mut client = server.connect();
    client.replay(&[("HELLO 3", "*"), (format!("CLIENT TRACKING ON {options}").trim_end(), "OK")]);
    client
}

/// The next push or reply, in one line.
fn next(client: &mut Client) -> String {
    client.receive().to_string().replace('\n', " ")
}

/// How an invalidation of one key looks.
fn told(key: &str) -> String {
    format!("1) \"invalidate\" 2) 1) \"{key}\"")
}

/// What the client was told by now: everything before the reply to a `PING`.
fn told_by_now(client: &mut Client) -> Vec<String> {
    client.send(b"PING\r\n");
    std::iter::from_fn(|| Some(next(client)).filter(|reply| reply != "PONG")).collect()
}

#[test]
fn a_reader_is_told_once_of_a_change_and_again_after_it_has_read_again() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let (mut reader, mut writer) = (tracker(&server, ""), server.connect());
        writer.replay(&[("HSET h f 1", "(integer) 1"), ("HSET other f 1", "(integer) 1")]);
        for read in ["HGET h f", "HGETALL h", "HMGET h f", "EXISTS h", "TTL h", "TYPE h", "HSCAN h 0"] {
            reader.run(read);
            writer.run("HSET h f 2");
            writer.run("HSET h f 3");
            assert_eq!(told_by_now(&mut reader), [told("h")], "{read}");
        }
        for change in [
            "HDEL h none f",
            "HSETEX h f v 60",
            "EXPIRE h 70",
            "PERSIST h",
            "RENAME h k",
            "RENAME k h",
            "DEL h",
        ] {
            reader.run("HGET h f");
            writer.run(change);
            assert_eq!(told_by_now(&mut reader), [told("h")], "{change}");
        }
        assert!(told_by_now(&mut reader).is_empty());
        // Its own changes are news, too, behind the reply.
        reader.replay(&[("HGET h f", "(nil)"), ("HSET h f 1", "(integer) 1")]);
        assert_eq!(told_by_now(&mut reader), [told("h")]);
        reader.replay(&[("CLIENT TRACKING OFF", "OK"), ("HGET h f", "\"1\"")]);
        writer.run("DEL h");
        assert!(told_by_now(&mut reader).is_empty());
    }
}

#[test]
fn a_reader_is_told_when_its_key_expires_and_when_all_are_flushed() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let (mut reader, mut writer) = (tracker(&server, ""), server.connect());
        writer.replay(&[("HSET h f 1", "(integer) 1"), ("PEXPIRE h 60", "(integer) 1")]);
        reader.replay(&[("HGET h f", "\"1\"")]);
        assert_eq!(next(&mut reader), told("h"));
        reader.replay(&[("HGET h f", "(nil)")]);
        for flush in ["FLUSHALL", "FLUSHDB", "SWAPDB 0 1"] {
            writer.run(flush);
            assert_eq!(told_by_now(&mut reader), ["1) \"invalidate\" 2) (nil)"], "{flush}");
        }
        assert!(told_by_now(&mut reader).is_empty());
    }
}

#[test]
fn options_say_which_reads_count() {
    let server = Server::start(2);
    let mut writer = server.connect();
    let mut change_all = || ["a", "b", "c"].map(|key| writer.run(&format!("HINCRBY {key} f 1")));
    change_all();
    let mut opts_in = tracker(&server, "OPTIN");
    opts_in.replay(&[("HGET a f", "*"), ("CLIENT CACHING YES", "OK"), ("HGET b f", "*"), ("HGET c f", "*")]);
    change_all();
    assert_eq!(told_by_now(&mut opts_in), [told("b")]);
    opts_in.replay(&[
        ("CLIENT CACHING YES", "OK"),
        ("MULTI", "OK"),
        ("HGET a f", "QUEUED"),
        ("HGET c f", "QUEUED"),
        ("EXEC", "*"),
        ("HGET b f", "*"),
    ]);
    change_all();
    let mut keys = told_by_now(&mut opts_in);
    keys.sort();
    assert_eq!(keys, [told("a"), told("c")]);
    let mut opts_out = tracker(&server, "OPTOUT");
    opts_out.replay(&[("CLIENT CACHING NO", "OK"), ("HGET a f", "*"), ("HGET b f", "*")]);
    change_all();
    assert_eq!(told_by_now(&mut opts_out), [told("b")]);
    let mut no_loop = tracker(&server, "NOLOOP");
    no_loop.replay(&[("HGET a f", "*"), ("HINCRBY a f 1", "*")]);
    assert!(told_by_now(&mut no_loop).is_empty());
    change_all();
    assert_eq!(told_by_now(&mut no_loop), [told("a")]);
}

#[test]
fn broadcasts_tell_of_prefixes_without_a_read() {
    let server = Server::start(1);
    let mut writer = server.connect();
    let mut listener = tracker(&server, "BCAST PREFIX session: PREFIX user:");
    writer.replay(&[
        ("MULTI", "OK"),
        ("HSET session:1 f 1", "QUEUED"),
        ("HSET user:1 f 1", "QUEUED"),
        ("HSET session:2 f 1", "QUEUED"),
        ("HSET session:1 f 1", "QUEUED"),
        ("HSET other f 1", "QUEUED"),
        ("EXEC", "*"),
    ]);
    assert_eq!(
        told_by_now(&mut listener),
        ["1) \"invalidate\" 2) 1) \"session:1\"    2) \"session:2\"", "1) \"invalidate\" 2) 1) \"user:1\""]
    );
    listener.replay(&[
        (
            "CLIENT TRACKING ON BCAST PREFIX session:x",
            "(error) ERR Prefix 'session:x' overlaps with an existing prefix 'session:'. Prefixes for a single client \
             must not overlap.",
        ),
        (
            "CLIENT TRACKING ON BCAST PREFIX a PREFIX ab",
            "(error) ERR Prefix 'a' overlaps with another provided prefix 'ab'. Prefixes for a single client must not \
             overlap.",
        ),
    ]);
}

#[test]
fn requests_that_contradict_are_refused_as_redis_does() {
    let server = Server::start(2);
    let mut client = server.connect();
    const GONE: &str = "(error) ERR The client ID you want redirect to does not exist";
    client.replay(&[
        ("CLIENT TRACKING ON PREFIX a", "(error) ERR PREFIX option requires BCAST mode to be enabled"),
        ("CLIENT TRACKING ON BCAST OPTIN", "(error) ERR OPTIN and OPTOUT are not compatible with BCAST"),
        ("CLIENT TRACKING ON OPTIN OPTOUT", "(error) ERR You can't specify both OPTIN mode and OPTOUT mode"),
        ("CLIENT TRACKING ON REDIRECT 9999", GONE),
        ("CLIENT TRACKING OFF REDIRECT 0", GONE),
        ("CLIENT TRACKING ON REDIRECT x", "(error) ERR value is not an integer or out of range"),
        ("CLIENT TRACKING ON REDIRECT", "(error) ERR syntax error"),
        ("CLIENT TRACKING MAYBE", "(error) ERR syntax error"),
        ("CLIENT TRACKING OFF PREFIX a OPTIN OPTOUT", "OK"),
        ("CLIENT TRACKING ON OPTIN", "OK"),
        (
            "CLIENT TRACKING ON OPTOUT",
            "(error) ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then \
             re-enabling it with a different mode.",
        ),
        (
            "CLIENT TRACKING ON BCAST",
            "(error) ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then \
             re-enabling it with a different mode.",
        ),
        ("CLIENT TRACKING ON", "OK"),
        ("MULTI", "OK"),
        ("CLIENT TRACKING ON OPTIN OPTOUT", "QUEUED"),
        ("CLIENT TRACKING OFF", "QUEUED"),
        ("CLIENT GETREDIR", "QUEUED"),
        (
            "EXEC",
            "1) (error) ERR You can't specify both OPTIN mode and OPTOUT mode\n2) OK\n3) (integer) -1",
        ),
    ]);
}

#[test]
fn invalidations_go_where_they_are_redirected_to() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut writer = server.connect();
        // In RESP2, to a connection that listens.
        let mut listener = server.connect();
        let id = listener.integer("CLIENT ID");
        listener.run("SUBSCRIBE __redis__:invalidate");
        let mut reader = server.connect();
        reader.replay(&[
            (&format!("CLIENT TRACKING ON REDIRECT {id}"), "OK"),
            ("CLIENT GETREDIR", &format!("(integer) {id}")),
            ("HGET h f", "(nil)"),
        ]);
        writer.run("HSET h f 1");
        assert_eq!(next(&mut listener), "1) \"message\" 2) \"__redis__:invalidate\" 3) 1) \"h\"");
        writer.run("FLUSHALL");
        assert_eq!(next(&mut listener), "1) \"message\" 2) \"__redis__:invalidate\" 3) (nil)");
        assert!(told_by_now(&mut reader).is_empty());
        // To one of RESP3; when that goes, the reader is told.
        let mut listener = server.connect();
        listener.run("HELLO 3");
        let id = listener.integer("CLIENT ID");
        let mut reader = tracker(&server, &format!("REDIRECT {id}"));
        reader.run("HGET h f");
        writer.run("HSET h f 2");
        assert_eq!(next(&mut listener), told("h"));
        reader.run("HGET h f");
        drop(listener);
        eventually("the listener is gone", || {
            (!writer.run("CLIENT LIST").to_string().contains(&format!("id={id} "))).then_some(())
        });
        writer.run("HSET h f 3");
        assert_eq!(next(&mut reader), format!("1) \"tracking-redir-broken\" 2) (integer) {id}"));
        let info = reader.run("CLIENT TRACKINGINFO").to_string();
        assert!(info.contains("broken_redirect"), "{info}");
    }
}

#[test]
fn the_table_is_bounded_and_empty_when_all_have_gone() {
    let server = Launch::with_shards(1).set("limits.tracked_keys_max", "1000").start();
    let mut reader = tracker(&server, "");
    for key in 0..1_500 {
        reader.send(format!("HGET key:{key} f\r\n").as_bytes());
    }
    let (mut replies, mut dropped) = (0, 0);
    while replies < 1_500 {
        match reader.receive() {
            Value::Push(_) => dropped += 1,
            _ => replies += 1,
        }
    }
    dropped += told_by_now(&mut reader).len();
    assert_eq!(dropped, 500);
    let stats = |client: &mut Client| client.run("INFO everything").to_string();
    let shown = stats(&mut reader);
    assert!(shown.contains("tracking_total_keys:1000"), "{shown}");
    assert!(shown.contains("tracking_clients:1"), "{shown}");
    drop(reader);
    let mut other = server.connect();
    eventually("nothing is remembered", || {
        let shown = stats(&mut other);
        (shown.contains("tracking_total_keys:0") && shown.contains("tracking_clients:0")).then_some(())
    });
}

/// A cache as a client library keeps it: what was read, until told that it has changed.
#[derive(Default)]
struct Cache {
    values: HashMap<String, String>,
    asked: std::collections::VecDeque<String>,
}

impl Cache {
    fn take(&mut self, value: &Value) {
        match value {
            Value::Push(items) => match &items[1] {
                Value::Array(keys) => {
                    for key in keys {
                        let key = key.as_bytes().expect("a key");
                        self.values.remove(&*String::from_utf8_lossy(key));
                    }
                }
                _ => self.values.clear(),
            },
            reply => {
                let key = self.asked.pop_front().expect("a reply to a question");
                self.values.insert(key, reply.to_string());
            }
        }
    }
}

/// Readers with deep pipelines over all shards, while others write, expire and flush: whatever the interleaving,
/// in the end no cache holds anything but the truth.
#[test]
fn no_cache_is_ever_left_with_an_old_value() {
    const KEYS: u64 = 12;
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let seed = Seed::of_this_run();
        for round in 0..6 {
            std::thread::scope(|scope| {
                let server = &server;
                for writer in 0..2 {
                    let mut random = seed.rng(100 * round + writer);
                    scope.spawn(move || {
                        let mut client = server.connect();
                        for number in 0..1_500 {
                            let key = random.u64(..KEYS);
                            match random.u32(..60) {
                                0 => client.run("FLUSHALL"),
                                1..10 => client.run(&format!("DEL key:{key}")),
                                10..20 => client.run(&format!("PEXPIRE key:{key} {}", random.u32(..4))),
                                20..24 => client.run(&format!("RENAME key:{key} key:{}", random.u64(..KEYS))),
                                _ => client.run(&format!("HSET key:{key} f {writer}-{number}")),
                            };
                        }
                    });
                }
                let readers: Vec<_> = ["", "NOLOOP", "BCAST"]
                    .into_iter()
                    .zip(7..)
                    .map(|(options, stream)| {
                        let mut random = seed.rng(100 * round + stream);
                        scope.spawn(move || {
                            let (mut client, mut cache) = (tracker(server, options), Cache::default());
                            for _ in 0..60 {
                                let mut requests = String::new();
                                let burst = random.usize(1..60);
                                for _ in 0..burst {
                                    let key = format!("key:{}", random.u64(..KEYS));
                                    requests += &format!("HGET {key} f\r\n");
                                    cache.asked.push_back(key);
                                }
                                client.send(requests.as_bytes());
                                while !cache.asked.is_empty() {
                                    cache.take(&client.receive());
                                }
                            }
                            (client, cache)
                        })
                    })
                    .collect();
                readers.into_iter().map(|reader| reader.join().expect("a reader")).collect::<Vec<_>>()
            })
            .into_iter()
            .for_each(|(mut client, mut cache)| {
                let mut truth = server.connect();
                eventually("every cache holds the truth", || {
                    client.send(b"PING\r\n");
                    loop {
                        match client.receive() {
                            Value::Simple(_) => break,
                            push => cache.take(&push),
                        }
                    }
                    let is_true = |(key, value): (&String, &String)| {
                        truth.run(&format!("HGET {key} f")).to_string() == *value
                    };
                    cache.values.iter().all(is_true).then_some(())
                });
            });
        }
    }
}
