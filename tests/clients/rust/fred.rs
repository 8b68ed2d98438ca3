//! fred in RESP2 and RESP3. Reports in TAP.

use std::collections::{HashMap, HashSet};
use std::env;
use std::error::Error;
use std::future::Future;
use std::time::Duration;

use fred::clients::SubscriberClient;
use fred::prelude::*;
use fred::types::scan::Scanner;
use fred::types::{Message, RespVersion};
use fred::{cmd, types::client::ClientKillFilter};
use futures_util::TryStreamExt;
use tokio::sync::broadcast::Receiver;
use tokio::time::{sleep, timeout};

use report::{PATIENCE, Report};

mod report;

/// What every step may fail with.
type Failure = Box<dyn Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let port = env::args().nth(1).ok_or("the port is missing")?.parse()?;
    let mut report = Report::default();
    report.about("as it comes");
    let client = builder(port, None).build()?;
    client.init().await?;
    let pong: String = client.ping(None).await?;
    report.expect("connects", "PONG".to_owned(), pong);
    let info: String = client.custom(cmd!("CLIENT"), vec!["INFO"]).await?;
    report.expect("in RESP2", true, info.contains(" resp=2 "));
    client.quit().await?;
    for version in [RespVersion::RESP2, RespVersion::RESP3] {
        let resp = if version == RespVersion::RESP2 { "2" } else { "3" };
        report.about(&format!("RESP{resp}"));
        let builder = builder(port, Some(version));
        let client = builder.build()?;
        client.init().await?;
        let () = client.flushall(false).await?;
        let info: String = client.custom(cmd!("CLIENT"), vec!["INFO"]).await?;
        report.expect("speaks it", true, info.contains(&format!(" resp={resp} ")));
        hashes(&mut report, &client).await?;
        expiry(&mut report, &client).await?;
        databases(&mut report, &client).await?;
        pipelines(&mut report, &client).await?;
        scans(&mut report, &client).await?;
        transactions(&mut report, &client).await?;
        channels(&mut report, &client, &builder.build_subscriber_client()?).await?;
        reconnects(&mut report, &client, &builder).await?;
        if resp == "3" {
            tracking(&mut report, &client).await?;
        }
        client.quit().await?;
    }
    report.end();
    Ok(())
}

fn builder(port: u16, version: Option<RespVersion>) -> Builder {
    let mut builder = Builder::default_centralized();
    builder.with_config(|config| {
        config.server = ServerConfig::new_centralized("127.0.0.1", port);
        if let Some(version) = version {
            config.version = version;
        }
    });
    builder
}

/// Whether `condition` comes true.
async fn comes_true<C: Future<Output = FredResult<bool>>>(condition: impl Fn() -> C) -> FredResult<bool> {
    let waited = timeout(PATIENCE, async {
        while !condition().await? {
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    });
    waited.await.map_or(Ok(false), |done| done.map(|()| true))
}

async fn hashes(report: &mut Report, client: &Client) -> Result<(), Failure> {
    let added: i64 = client.hset("user", [("name", "Ada"), ("visits", "1")]).await?;
    report.expect("adds fields", 2, added);
    let user: HashMap<String, String> = client.hgetall("user").await?;
    let expected =
        [("name", "Ada"), ("visits", "1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    report.expect("reads a hash", HashMap::from(expected), user);
    let values: Vec<Option<String>> = client.hmget("user", vec!["name", "none"]).await?;
    report.expect("reads several fields", vec![Some("Ada".to_owned()), None], values);
    report.expect("counts", 42, client.hincrby("user", "visits", 41).await?);
    report.expect("counts in fractions", 0.5, client.hincrbyfloat("user", "score", 0.5).await?);
    let bytes: Vec<u8> = (0..=255).collect();
    let _: i64 = client.hset("user", ("bytes", Value::Bytes(bytes.clone().into()))).await?;
    let stored: Value = client.hget("user", "bytes").await?;
    report.expect("stores bytes", Some(bytes), stored.into_owned_bytes());
    let fields = vec!["name", "visits", "score", "bytes"];
    report.expect("removes fields", 4, client.hdel("user", fields).await?);
    report.expect("a hash without fields is gone", false, client.exists("user").await?);
    Ok(())
}

async fn expiry(report: &mut Report, client: &Client) -> Result<(), Failure> {
    let hsetex = |seconds: &'static str| {
        client.custom::<i64, _>(cmd!("HSETEX"), vec!["session", "user", "ada", seconds])
    };
    report.expect("HSETEX sets a field and the TTL", 1, hsetex("60").await?);
    let ttl: i64 = client.ttl("session").await?;
    report.expect("the TTL is that of the hash", true, (1..=60).contains(&ttl));
    let refused = hsetex("0").await.unwrap_err();
    report.expect("errors have their text", "ERR invalid expire time in 'hsetex' command", refused.details());
    report.expect("HSETEX again", 0, hsetex("1").await?);
    let gone = comes_true(async || client.exists("session").await.map(|there: bool| !there)).await?;
    report.expect("the hash expires", true, gone);
    let _: i64 = client.hset("hash", ("f", "v")).await?;
    report.expect("EXPIRE", true, client.expire("hash", 60, None).await?);
    report.expect("PERSIST", true, client.persist("hash").await?);
    report.expect("without a TTL", -1, client.ttl("hash").await?);
    Ok(())
}

async fn databases(report: &mut Report, client: &Client) -> Result<(), Failure> {
    client.select(15).await?;
    let _: i64 = client.hset("moving", ("f", "v")).await?;
    report.expect("MOVE", 1, client.custom(cmd!("MOVE"), vec!["moving", "3"]).await?);
    report.expect("and it is gone here", false, client.exists("moving").await?);
    let () = client.custom(cmd!("SWAPDB"), vec!["3", "15"]).await?;
    report.expect("SWAPDB brings it back", true, client.exists("moving").await?);
    let refused = client.select(16).await.unwrap_err();
    report.expect("there are 16 databases", "ERR DB index is out of range", refused.details());
    client.select(0).await?;
    report.expect("databases are apart", false, client.exists("moving").await?);
    Ok(())
}

async fn pipelines(report: &mut Report, client: &Client) -> Result<(), Failure> {
    let pipeline = client.pipeline();
    for number in 0..1_000 {
        let key = format!("key:{number}");
        let () = pipeline.hset(&key, ("number", number)).await?;
        let () = pipeline.hget(&key, "number").await?;
    }
    let replies: Vec<i64> = pipeline.all().await?;
    report.expect("pipelines answer in order", (0..1_000).flat_map(|number| [1, number]).collect(), replies);
    let pipeline = client.pipeline();
    let () = pipeline.hset("text", ("f", "text")).await?;
    let () = pipeline.hincrby("text", "f", 1).await?;
    let () = pipeline.hget("text", "f").await?;
    let replies: Vec<Result<String, String>> = pipeline
        .try_all::<String>()
        .await
        .into_iter()
        .map(|reply| reply.map_err(|error| error.details().to_owned()))
        .collect();
    let refused = "ERR hash value is not an integer".to_owned();
    let expected = vec![Ok("1".to_owned()), Err(refused), Ok("text".to_owned())];
    report.expect("an error in a pipeline stays in its place", expected, replies);
    let payload: Value = client.dump("key:7").await?;
    let () = client.restore("copy", 0, payload, false, false, None, None).await?;
    report.expect("RESTORE takes what DUMP gave", 7, client.hget("copy", "number").await?);
    Ok(())
}

async fn scans(report: &mut Report, client: &Client) -> Result<(), Failure> {
    let keys: HashSet<Key> = client.scan_buffered("key:*", Some(100), None).try_collect().await?;
    report.expect("a scan finds every key", 1_000, keys.len());
    let fields: Vec<_> = (0..1_000).map(|number| (format!("field:{number}"), number)).collect();
    let _: i64 = client.hset("large", fields).await?;
    let mut found = HashMap::new();
    let mut pages = Box::pin(client.hscan("large", "field:*", Some(100)));
    while let Some(mut page) = pages.try_next().await? {
        found.extend(page.take_results().into_iter().flat_map(|page| page.inner()));
        page.next();
    }
    report.expect("a scan of a hash finds every field", 1_000, found.len());
    Ok(())
}

async fn transactions(report: &mut Report, client: &Client) -> Result<(), Failure> {
    let transaction = client.multi();
    let () = transaction.hset("a", ("n", 1)).await?;
    let () = transaction.hincrby("b", "n", 2).await?;
    let replies: (i64, i64) = transaction.exec(true).await?;
    report.expect("a transaction answers all at once", (1, 2), replies);

    let other = client.clone_new();
    other.init().await?;
    client.watch("a").await?;
    let _: i64 = other.hset("a", ("n", 7)).await?;
    let transaction = client.multi();
    let () = transaction.hset("a", ("n", 8)).await?;
    let reply: Value = transaction.exec(true).await?;
    report.expect("a watched key that changed stops it", true, reply.is_null());
    report.expect("and it has changed nothing", 7, client.hget("a", "n").await?);
    other.quit().await?;
    Ok(())
}

async fn channels(
    report: &mut Report,
    client: &Client,
    subscriber: &SubscriberClient,
) -> Result<(), Failure> {
    // fred knows keyspace events from messages by the name of their channel.
    let (mut messages, mut events) = (subscriber.message_rx(), subscriber.keyspace_event_rx());
    subscriber.init().await?;
    subscriber.subscribe(vec!["news", "__keyevent@0__:expired"]).await?;
    subscriber.psubscribe("wea*").await?;
    report.expect("somebody listens to a channel", true, reaches(client, "news", "hello", 1).await?);
    report.expect("a message arrives", heard("news", "hello"), next(&mut messages).await?);
    report.expect("somebody listens to a pattern", true, reaches(client, "weather", "rain", 1).await?);
    report.expect("a message arrives by pattern", heard("weather", "rain"), next(&mut messages).await?);
    let _: i64 = client.hset("short", ("f", "v")).await?;
    let _: bool = client.pexpire("short", 20, None).await?;
    let event = timeout(PATIENCE, events.recv()).await??;
    report.expect(
        "the event of an expired key arrives",
        ("expired", Key::from("short")),
        (&*event.operation, event.key),
    );
    subscriber.ssubscribe("orders").await?;
    report.expect("somebody listens to a shard channel", 1, client.spublish("orders", "heard").await?);
    report.expect("and hears it", heard("orders", "heard"), next(&mut messages).await?);
    report.expect("shard channels are apart", 0, client.publish("orders", "lost").await?);
    subscriber.unsubscribe("news").await?;
    report.expect("nobody listens any more", true, reaches(client, "news", "lost", 0).await?);
    subscriber.quit().await?;
    Ok(())
}

/// Publishes until that many hear it; fred does not wait for the confirmation of a subscription.
async fn reaches(client: &Client, channel: &str, message: &str, listeners: i64) -> FredResult<bool> {
    comes_true(async || client.publish(channel, message).await.map(|count: i64| count == listeners)).await
}

fn heard(channel: &str, message: &str) -> (String, String) {
    (channel.to_owned(), message.to_owned())
}

async fn next(messages: &mut Receiver<Message>) -> Result<(String, String), Failure> {
    let message = timeout(PATIENCE, messages.recv()).await??;
    Ok((message.channel.to_string(), message.value.convert()?))
}

/// fred has no cache of its own; it hands on what a program's cache is to be told.
async fn tracking(report: &mut Report, client: &Client) -> Result<(), Failure> {
    let reader = client.clone_new();
    reader.init().await?;
    let mut invalidations = reader.invalidation_rx();
    reader.start_tracking(Vec::<String>::new(), false, false, false, false).await?;
    let _: i64 = client.hset("cached", ("visits", 1)).await?;
    for (what, change) in [("a write", "HINCRBY"), ("a new TTL", "PEXPIRE"), ("the expiry", "")] {
        let _: Value = reader.hgetall("cached").await?;
        match change {
            "HINCRBY" => client.hincrby("cached", "visits", 1).await?,
            "PEXPIRE" => client.pexpire("cached", 200, None).await?,
            _ => (),
        }
        let invalidation = timeout(PATIENCE, invalidations.recv()).await??;
        report.expect(&format!("{what} is told to a cache"), vec![Key::from("cached")], invalidation.keys);
    }
    reader.stop_tracking().await?;
    reader.quit().await?;
    Ok(())
}

/// It reconnects only with a policy; the server closes the connections.
async fn reconnects(report: &mut Report, client: &Client, builder: &Builder) -> Result<(), Failure> {
    let mut builder = builder.clone();
    builder.set_policy(ReconnectPolicy::new_constant(0, 20));
    builder.with_config(|config| config.database = Some(2));
    let lasting = builder.build()?;
    lasting.init().await?;
    let id: i64 = lasting.client_id().await?;
    kill(client, id).await?;
    report.expect("a call after the connection was closed", 1, lasting.hset("back", ("f", "v")).await?);
    let again: i64 = lasting.client_id().await?;
    report.expect("goes over another one", true, id != again);
    report.expect("to the same database", 0, client.exists("back").await?);

    let subscriber = builder.build_subscriber_client()?;
    let mut messages = subscriber.message_rx();
    subscriber.init().await?;
    let _managed = subscriber.manage_subscriptions();
    subscriber.subscribe("news").await?;
    report.expect("a subscriber listens", true, reaches(client, "news", "first", 1).await?);
    report.expect("and hears it", heard("news", "first"), next(&mut messages).await?);
    let id = subscriber.connection_ids().into_values().next().ok_or("a subscriber without an id")?;
    kill(client, id).await?;
    // What is published before it listens again is lost, and may be counted for the connection that was closed.
    let back = timeout(PATIENCE, async {
        loop {
            let _: i64 = client.publish("news", "back").await?;
            if let Ok(message) = timeout(Duration::from_millis(50), next(&mut messages)).await {
                return message;
            }
        }
    });
    report.expect("a subscriber listens again", heard("news", "back"), back.await??);
    lasting.quit().await?;
    subscriber.quit().await?;
    Ok(())
}

/// Has the server close a connection and waits until it has.
async fn kill(client: &Client, id: i64) -> Result<(), Failure> {
    let _: i64 = client.client_kill(vec![ClientKillFilter::ID(id.to_string())]).await?;
    let line = format!("id={id} ");
    let closed = comes_true(async || {
        let list: String = client.custom(cmd!("CLIENT"), vec!["LIST"]).await?;
        FredResult::Ok(!list.lines().any(|each| each.starts_with(&line)))
    });
    closed.await?.then_some(()).ok_or_else(|| "the connection stays open".into())
}
