//! The multiplexed connection of redis-rs and its connection manager, with tokio.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::try_join_all;
use redis::aio::{ConnectionManagerConfig, MultiplexedConnection, PubSub};
use redis::caching::CacheConfig;
use redis::{
    AsyncCommands, AsyncConnectionConfig, Client, PushInfo, PushKind, RedisResult, cmd, from_redis_value,
    pipe,
};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{sleep, timeout};

use crate::EXPIRED;
use crate::redis_rs_blocking::kill;
use crate::report::{PATIENCE, Report};

/// What every step may fail with.
type Failure = Box<dyn Error>;

/// Everything, over one connection that many tasks share.
pub async fn run(report: &mut Report, client: &Client, resp: &str) -> Result<(), Failure> {
    let mut redis = client.get_multiplexed_async_connection().await?;
    let () = cmd("FLUSHALL").query_async(&mut redis).await?;
    let info: String = cmd("CLIENT").arg("INFO").query_async(&mut redis).await?;
    report.expect("connects", true, info.contains(&format!(" resp={resp} ")));
    hashes(report, &mut redis).await?;
    many_tasks(report, &redis).await?;
    pipelines(report, &mut redis).await?;
    transactions(report, client, &mut redis).await?;
    channels(report, &mut redis, client.get_async_pubsub().await?).await?;
    reconnects(report, client).await?;
    if resp == "3" {
        subscribes_again(report, client, &mut redis).await?;
        caches(report, client, &mut redis).await?;
    }
    Ok(())
}

async fn hashes(report: &mut Report, redis: &mut MultiplexedConnection) -> Result<(), Failure> {
    let () = redis.hset_multiple("user", &[("name", "Ada"), ("visits", "1")]).await?;
    let user: HashMap<String, String> = redis.hgetall("user").await?;
    let expected =
        [("name", "Ada"), ("visits", "1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    report.expect("reads a hash", HashMap::from(expected), user);
    let mut hsetex = cmd("HSETEX");
    let added: i64 = hsetex.arg("user").arg("cart").arg(3).arg(60).query_async(redis).await?;
    report.expect("HSETEX sets a field", 1, added);
    let ttl: i64 = redis.ttl("user").await?;
    report.expect("and the TTL of the hash", true, (1..=60).contains(&ttl));
    let refused = redis.hincr::<_, _, _, i64>("user", "name", 1).await.unwrap_err();
    report.expect("errors have their text", Some("hash value is not an integer"), refused.detail());
    Ok(())
}

async fn many_tasks(report: &mut Report, redis: &MultiplexedConnection) -> Result<(), Failure> {
    let tasks = (0..40).map(|task| {
        let mut redis = redis.clone();
        async move {
            for number in 0..50 {
                let _: i64 = redis.hincr(format!("counter:{}", (task + number) % 7), "count", 1).await?;
            }
            RedisResult::Ok(())
        }
    });
    try_join_all(tasks).await?;
    let mut sum = 0;
    for number in 0..7 {
        sum += redis.clone().hget::<_, _, i64>(format!("counter:{number}"), "count").await?;
    }
    report.expect("many tasks over one connection lose nothing", 2_000, sum);
    Ok(())
}

async fn pipelines(report: &mut Report, redis: &mut MultiplexedConnection) -> Result<(), Failure> {
    let mut pipeline = pipe();
    for number in 0..1_000 {
        pipeline.hset(format!("key:{number}"), "number", number).ignore();
        pipeline.hget(format!("key:{number}"), "number");
    }
    let numbers: Vec<usize> = pipeline.query_async(redis).await?;
    report.expect("pipelines answer in order", (0..1_000).collect(), numbers);
    let keys: HashSet<String> = redis.scan_match("key:*").await?.map(Result::unwrap).collect().await;
    report.expect("a scan finds every key", 1_000, keys.len());
    let fields: Vec<_> = (0..1_000).map(|number| (format!("field:{number}"), number)).collect();
    let () = redis.hset_multiple("large", &fields).await?;
    let fields: HashSet<(String, i64)> = redis.hscan("large").await?.map(Result::unwrap).collect().await;
    report.expect("a scan of a hash finds every field", 1_000, fields.len());
    Ok(())
}

async fn transactions(
    report: &mut Report,
    client: &Client,
    redis: &mut MultiplexedConnection,
) -> Result<(), Failure> {
    let mut transaction = pipe();
    transaction.atomic().hset("a", "n", 1).hincr("b", "n", 2);
    report.expect("a transaction answers all at once", (1, 2), transaction.query_async(redis).await?);
    // What is watched belongs to a connection, so the one that others share is no good for it.
    let mut own = client.get_multiplexed_async_connection().await?;
    let () = cmd("WATCH").arg("a").query_async(&mut own).await?;
    let _: i64 = redis.hset("a", "n", 7).await?;
    let stopped: Option<(i64,)> = pipe().atomic().hset("a", "n", 8).query_async(&mut own).await?;
    report.expect("a watched key that changed stops it", None, stopped);
    report.expect("and it has changed nothing", 7, redis.hget("a", "n").await?);
    Ok(())
}

async fn channels(
    report: &mut Report,
    redis: &mut MultiplexedConnection,
    mut subscriber: PubSub,
) -> Result<(), Failure> {
    subscriber.subscribe(&["news", EXPIRED]).await?;
    subscriber.psubscribe("wea*").await?;
    report.expect("somebody listens to a channel", 1, redis.publish("news", "hello").await?);
    report.expect("a message arrives", heard("news", "hello"), next(&mut subscriber).await?);
    report.expect("somebody listens to a pattern", 1, redis.publish("weather", "rain").await?);
    report.expect("a message arrives by pattern", heard("weather", "rain"), next(&mut subscriber).await?);
    let () = pipe().hset("short", "f", "v").pexpire("short", 20).query_async(redis).await?;
    report.expect(
        "the event of an expired key arrives",
        heard(EXPIRED, "short"),
        next(&mut subscriber).await?,
    );
    subscriber.unsubscribe("news").await?;
    report.expect("nobody listens any more", 0, redis.publish("news", "lost").await?);
    Ok(())
}

fn heard(channel: &str, message: &str) -> (String, String) {
    (channel.to_owned(), message.to_owned())
}

async fn next(subscriber: &mut PubSub) -> Result<(String, String), Failure> {
    let message =
        timeout(PATIENCE, subscriber.on_message().next()).await?.ok_or("the subscriber was closed")?;
    Ok((message.get_channel_name().to_owned(), message.get_payload()?))
}

async fn reconnects(report: &mut Report, client: &Client) -> Result<(), Failure> {
    let mut manager = client.get_connection_manager().await?;
    let id: i64 = cmd("CLIENT").arg("ID").query_async(&mut manager).await?;
    report.expect("the server closes a connection", true, kill(&mut client.get_connection()?, id)?);
    // The manager connects again, but lets the call fail by which it notices.
    let back = timeout(PATIENCE, async {
        while manager.hset::<_, _, _, i64>("back", "f", "v").await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
    });
    report.expect("the connection manager connects again", true, back.await.is_ok());
    let again: i64 = cmd("CLIENT").arg("ID").query_async(&mut manager).await?;
    report.expect("over another connection", true, id != again);
    Ok(())
}

/// In RESP3 the connection manager hears messages as pushes, and subscribes again.
async fn subscribes_again(
    report: &mut Report,
    client: &Client,
    redis: &mut MultiplexedConnection,
) -> Result<(), Failure> {
    let (sender, mut pushes) = unbounded_channel::<PushInfo>();
    let config = ConnectionManagerConfig::new().set_push_sender(sender).set_automatic_resubscription();
    let mut manager = client.get_connection_manager_with_config(config).await?;
    manager.subscribe("news").await?;
    let id: i64 = cmd("CLIENT").arg("ID").query_async(&mut manager).await?;
    report.expect("the server closes a subscriber", true, kill(&mut client.get_connection()?, id)?);
    // What is published before it listens again is lost, and may be counted for the connection that was closed.
    let message = timeout(PATIENCE, async {
        loop {
            let _: i64 = redis.publish("news", "back").await?;
            if let Ok(push) = timeout(Duration::from_millis(50), pushes.recv()).await {
                let push = push.ok_or("no more pushes")?;
                if push.kind == PushKind::Message {
                    return Result::<_, Failure>::Ok(push.data);
                }
            }
        }
    });
    let words: Vec<String> = message.await??.into_iter().map(from_redis_value).collect::<Result<_, _>>()?;
    report.expect("it listens again", vec!["news".to_owned(), "back".to_owned()], words);
    Ok(())
}

/// The cache of redis-rs, which Mayfly tells of changes.
async fn caches(
    report: &mut Report,
    client: &Client,
    redis: &mut MultiplexedConnection,
) -> Result<(), Failure> {
    let config = AsyncConnectionConfig::new().set_cache_config(CacheConfig::new());
    let mut reader = client.get_multiplexed_async_connection_with_config(&config).await?;
    let user = [("name", "Ada"), ("visits", "1")];
    let () = redis.hset_multiple("cached", &user).await?;
    for _ in 0..100 {
        let _: Option<i64> = reader.hget("cached", "visits").await?;
    }
    let statistics = reader.get_cache_statistics().ok_or("a connection without a cache")?;
    report.expect("what was read is not asked for again", (99, 1), (statistics.hit, statistics.miss));
    let _: i64 = redis.hincr("cached", "visits", 1).await?;
    report.expect("a write of another client is seen", true, reads(&mut reader, Some(2)).await?);
    let _: bool = redis.pexpire("cached", 200).await?;
    report.expect("the expiry of a hash is seen", true, reads(&mut reader, None).await?);
    let () = redis.hset_multiple("cached", &user).await?;
    report.expect("a new hash is seen", true, reads(&mut reader, Some(1)).await?);
    let () = cmd("FLUSHALL").query_async(redis).await?;
    report.expect("a flush is seen", true, reads(&mut reader, None).await?);
    Ok(())
}

/// Whether the cached field comes to be read as that.
async fn reads(reader: &mut MultiplexedConnection, expected: Option<i64>) -> RedisResult<bool> {
    let waited = timeout(PATIENCE, async {
        while reader.hget::<_, _, Option<i64>>("cached", "visits").await? != expected {
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    });
    waited.await.map_or(Ok(false), |done| done.map(|()| true))
}
