//! The blocking connection of redis-rs.

use std::collections::{HashMap, HashSet};
use std::thread::sleep;
use std::time::{Duration, Instant};

use redis::{Client, Commands, Connection, ConnectionLike, PubSub, RedisResult, cmd, pipe, transaction};

use crate::EXPIRED;
use crate::report::{PATIENCE, Report};

/// Everything, over one connection and a second one beside it.
pub fn run(report: &mut Report, client: &Client, resp: &str) -> RedisResult<()> {
    let mut redis = client.get_connection()?;
    let () = cmd("FLUSHALL").query(&mut redis)?;
    let info: String = cmd("CLIENT").arg("INFO").query(&mut redis)?;
    let named = info.contains("lib-name=redis-rs");
    report.expect("connects", (true, true), (named, info.contains(&format!(" resp={resp} "))));
    hashes(report, &mut redis)?;
    expiry(report, &mut redis)?;
    databases(report, &mut redis)?;
    pipelines(report, &mut redis)?;
    transactions(report, client, &mut redis)?;
    channels(report, client, &mut redis)?;
    reconnects(report, client, redis)
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
    report.expect("the hash expires", true, comes_true(|| Ok(!redis.exists("session")?))?);
    Ok(())
}

/// Whether `condition` comes true, asked again and again with a breath between.
fn comes_true(mut condition: impl FnMut() -> RedisResult<bool>) -> RedisResult<bool> {
    let deadline = Instant::now() + PATIENCE;
    while !condition()? {
        if Instant::now() >= deadline {
            return Ok(false);
        }
        sleep(Duration::from_millis(10));
    }
    Ok(true)
}

fn databases(report: &mut Report, redis: &mut Connection) -> RedisResult<()> {
    let () = cmd("SELECT").arg(15).query(redis)?;
    report.expect("adds a field in another database", 1, redis.hset("moving", "f", "v")?);
    report.expect("MOVE", 1, cmd("MOVE").arg("moving").arg(3).query(redis)?);
    report.expect("and it is gone here", false, redis.exists("moving")?);
    let () = cmd("SWAPDB").arg(3).arg(15).query(redis)?;
    report.expect("SWAPDB brings it back", true, redis.exists("moving")?);
    let refused = cmd("SELECT").arg(16).exec(redis).unwrap_err();
    report.expect("there are 16 databases", Some("DB index is out of range"), refused.detail());
    let () = cmd("SELECT").arg(0).query(redis)?;
    report.expect("databases are apart", false, redis.exists("moving")?);
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
    let fields: Vec<_> = (0..1_000).map(|number| (format!("field:{number}"), number)).collect();
    let () = redis.hset_multiple("large", &fields)?;
    let fields: HashMap<String, i64> = redis.hscan("large")?.collect::<RedisResult<_>>()?;
    report.expect("HSCAN finds every field", 1_000, fields.len());
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

/// A connection that was closed says so; the client opens another one.
fn reconnects(report: &mut Report, client: &Client, mut redis: Connection) -> RedisResult<()> {
    let mut other = client.get_connection()?;
    let id: i64 = cmd("CLIENT").arg("ID").query(&mut redis)?;
    report.expect("the server closes a connection", true, kill(&mut other, id)?);
    let refused = redis.hset::<_, _, _, i64>("back", "f", "v").unwrap_err();
    report.expect("the client is told", (true, false), (refused.is_connection_dropped(), redis.is_open()));
    redis = client.get_connection()?;
    report.expect("and connects again", 1, redis.hset("back", "f", "v")?);
    Ok(())
}

/// Has the server close a connection; whether it has done so.
pub fn kill(redis: &mut Connection, id: i64) -> RedisResult<bool> {
    let killed: i64 = cmd("CLIENT").arg("KILL").arg("ID").arg(id).query(redis)?;
    let line = format!("id={id} ");
    let closed = comes_true(|| {
        let list: String = cmd("CLIENT").arg("LIST").query(redis)?;
        Ok(!list.lines().any(|each| each.starts_with(&line)))
    })?;
    Ok(killed == 1 && closed)
}
