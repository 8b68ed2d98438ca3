//! redis-rs, blocking, in RESP2 and RESP3. Reports in TAP.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::fmt::Debug;
use std::time::Duration;
use std::{env, thread};

use redis::{Client, Commands, Connection, PubSub, RedisResult, cmd, pipe, transaction};

const PATIENCE: Duration = Duration::from_secs(30);
const EXPIRED: &str = "__keyevent@0__:expired";

fn main() -> Result<(), Box<dyn Error>> {
    let port = env::args().nth(1).ok_or("the port is missing")?;
    let mut report = Report::default();
    for protocol in ["", "?protocol=resp3"] {
        let client = Client::open(format!("redis://127.0.0.1:{port}/{protocol}"))?;
        let mut redis = client.get_connection()?;
        let () = cmd("FLUSHALL").query(&mut redis)?;
        let info: String = cmd("CLIENT").arg("INFO").query(&mut redis)?;
        let resp = if protocol.is_empty() { " resp=2 " } else { " resp=3 " };
        report.expect("connects", true, info.contains(resp) && info.contains("lib-name=redis-rs"));
        hashes(&mut report, &mut redis)?;
        expiry(&mut report, &mut redis)?;
        pipelines(&mut report, &mut redis)?;
        transactions(&mut report, &client, &mut redis)?;
        channels(&mut report, &client, &mut redis)?;
    }
    println!("1..{}", report.count);
    Ok(())
}

#[derive(Default)]
struct Report {
    count: usize,
}

impl Report {
    fn expect<T: PartialEq + Debug>(&mut self, what: &str, expected: T, got: T) {
        self.count += 1;
        if expected == got {
            println!("ok {} - {what}", self.count);
        } else {
            println!("not ok {} - {what}\n# expected {expected:?}, got {got:?}", self.count);
        }
    }
}

fn hashes(report: &mut Report, redis: &mut Connection) -> RedisResult<()> {
    let () = redis.hset_multiple("user", &[("name", "Ada"), ("visits", "1")])?;
    let user: HashMap<String, String> = redis.hgetall("user")?;
    let expected =
        HashMap::from([("name", "Ada"), ("visits", "1")].map(|(a, b)| (a.to_owned(), b.to_owned())));
    report.expect("reads a hash", expected, user);
    let values: Vec<Option<String>> = redis.hmget("user", &["name", "none"])?;
    report.expect("reads several fields", vec![Some("Ada".to_owned()), None], values);
    report.expect("counts", 42, redis.hincr("user", "visits", 41)?);
    let bytes: Vec<u8> = (0..=255).collect();
    report.expect("adds a field", 1, redis.hset("user", "bytes", &bytes)?);
    report.expect("stores bytes", bytes, redis.hget("user", "bytes")?);
    report.expect("removes fields", 3, redis.hdel("user", &["name", "visits", "bytes"])?);
    report.expect("a hash without fields is gone", false, redis.exists("user")?);
    Ok(())
}

fn expiry(report: &mut Report, redis: &mut Connection) -> RedisResult<()> {
    let mut hsetex = |seconds: i64| -> RedisResult<i64> {
        cmd("HSETEX").arg("session").arg("user").arg("ada").arg(seconds).query(redis)
    };
    report.expect("HSETEX sets a field and the TTL", 1, hsetex(60)?);
    let refused = hsetex(0).unwrap_err();
    report.expect(
        "errors have their text",
        Some("invalid expire time in 'hsetex' command"),
        refused.detail(),
    );
    report.expect("HSETEX again", 0, hsetex(1)?);
    let ttl: i64 = redis.pttl("session")?;
    report.expect("the TTL is that of the hash", true, ttl > 0 && ttl <= 1_000);
    let mut expired = false;
    for _ in 0..3_000 {
        expired = !redis.exists("session")?;
        if expired {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    report.expect("the hash expires", true, expired);
    Ok(())
}

fn pipelines(report: &mut Report, redis: &mut Connection) -> RedisResult<()> {
    let mut pipeline = pipe();
    for number in 0..1_000 {
        pipeline.hset(format!("key:{number}"), "number", number).ignore();
        pipeline.hget(format!("key:{number}"), "number");
    }
    let numbers: Vec<usize> = pipeline.query(redis)?;
    report.expect("pipelines answer in order", (0..1_000).collect(), numbers);
    let keys: HashSet<String> = redis.scan_match("key:*")?.collect::<RedisResult<_>>()?;
    report.expect("SCAN finds every key", 1_000, keys.len());
    let payload: Vec<u8> = cmd("DUMP").arg("key:7").query(redis)?;
    let () = cmd("RESTORE").arg("copy").arg(0).arg(payload).query(redis)?;
    report.expect("RESTORE takes what DUMP gave", 7, redis.hget("copy", "number")?);
    Ok(())
}

fn transactions(report: &mut Report, client: &Client, redis: &mut Connection) -> RedisResult<()> {
    let replies: (i64, i64) = pipe().atomic().hset("a", "n", 1).hincr("b", "n", 2).query(redis)?;
    report.expect("a transaction answers all at once", (1, 2), replies);

    let mut other = client.get_connection()?;
    let mut tries = 0;
    let (count,): (i64,) = transaction(redis, &["a"], |redis, pipeline| {
        tries += 1;
        let count: i64 = redis.hget("a", "n")?;
        if tries == 1 {
            let () = other.hset("a", "n", 7)?;
        }
        pipeline.hincr("a", "n", count).query(redis)
    })?;
    report.expect("a watched key that changed makes it try again", (2, 14), (tries, count));
    Ok(())
}

fn channels(report: &mut Report, client: &Client, redis: &mut Connection) -> RedisResult<()> {
    let mut connection = client.get_connection()?;
    connection.set_read_timeout(Some(PATIENCE))?;
    let mut subscriber = connection.as_pubsub();
    subscriber.subscribe("news")?;
    subscriber.psubscribe("wea*")?;
    subscriber.subscribe(EXPIRED)?;
    report.expect("somebody listens to a channel", 1, redis.publish("news", "hello")?);
    report.expect("a message arrives", heard("news", "hello"), next(&mut subscriber)?);
    report.expect("somebody listens to a pattern", 1, redis.publish("weather", "rain")?);
    report.expect("a message arrives by pattern", heard("weather", "rain"), next(&mut subscriber)?);
    let () = pipe().hset("short", "f", "v").pexpire("short", 20).query(redis)?;
    report.expect("the event of an expired key arrives", heard(EXPIRED, "short"), next(&mut subscriber)?);
    subscriber.unsubscribe("news")?;
    report.expect("nobody listens any more", 0, redis.publish("news", "lost")?);
    drop(subscriber);
    let alive: String = cmd("PING").query(&mut connection)?;
    report.expect("a subscriber becomes a client again", "PONG".to_owned(), alive);
    Ok(())
}

fn heard(channel: &str, message: &str) -> (String, String) {
    (channel.to_owned(), message.to_owned())
}

fn next(subscriber: &mut PubSub<'_>) -> RedisResult<(String, String)> {
    let message = subscriber.get_message()?;
    Ok((message.get_channel_name().to_owned(), message.get_payload()?))
}
