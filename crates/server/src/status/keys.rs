//! `GET /status/keys.json`: the hot and big keys of all shards, for the status page.
//!
//! Keys are data of users, and who reads this has shown no password: without `metrics.status_page_keys` none is named.

use std::cmp::Reverse;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::IntoResponse;
use mayfly_store::{BigKey, HotKey, Keyspace, UnixMillis};
use serde_json::{Value, json};

use crate::metrics::exporter::{Exporter, MEASURE_TIMEOUT, answer_of};
use crate::shard::NameKeys;

/// Keys of either sort that are named.
const COUNT: usize = 10;

/// What a shard says of its keys.
pub struct ShardKeys {
    hot: Vec<HotKey>,
    /// Calls of all keys, counted like those of each.
    calls: f64,
    /// The time in which they were counted.
    seconds: f64,
    big: Vec<BigKey>,
}

impl ShardKeys {
    /// Those of this shard.
    pub fn of(keyspace: &mut Keyspace, now: UnixMillis) -> Self {
        let big = keyspace.largest(COUNT, now);
        let hot_keys = keyspace.sampling_mut().hot_keys(now);
        ShardKeys {
            hot: hot_keys.top(COUNT),
            calls: hot_keys.total(),
            seconds: hot_keys.window_seconds(now),
            big,
        }
    }
}

/// Answers a request for the keys.
pub async fn answer(State(exporter): State<Arc<Exporter>>) -> impl IntoResponse {
    let is_named = exporter.host().loaded.config.metrics.status_page_keys;
    let body = if is_named { named(&exporter).await } else { json!({ "named": false }) };
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, body.to_string())
}

async fn named(exporter: &Exporter) -> Value {
    let asked: Vec<_> = exporter.shards().iter().map(|shard| shard.address.send(NameKeys)).collect();
    let mut shards = Vec::new();
    for ((peer, answer), shard) in exporter.shards().iter().zip(asked).zip(0..) {
        let keys = tokio::time::timeout(MEASURE_TIMEOUT, answer_of(peer, answer, || NameKeys)).await;
        // One that does not answer is left out.
        shards.extend(keys.ok().flatten().map(|keys| (shard, keys)));
    }
    render(shards)
}

fn render(shards: Vec<(u16, ShardKeys)>) -> Value {
    let all: f64 = shards.iter().map(|(_, keys)| keys.calls / keys.seconds).sum();
    let (mut hot, mut big) = (Vec::new(), Vec::new());
    for (shard, keys) in shards {
        let seconds = keys.seconds;
        hot.extend(keys.hot.into_iter().map(|key| (key.count / seconds, shard, key)));
        big.extend(keys.big.into_iter().map(|key| (shard, key)));
    }
    hot.sort_by(|a, b| b.0.total_cmp(&a.0));
    big.sort_by_key(|(_, key)| Reverse(key.bytes));
    let hot = hot.into_iter().take(COUNT).map(|(rate, shard, key)| {
        json!({
            "key": text(&key.key), "key_bytes": key.key_bytes, "shown_bytes": key.key.len(),
            "database": key.database, "shard": shard,
            "calls_per_second": rate, "calls_percent": 100.0 * rate / all,
        })
    });
    let big = big.into_iter().take(COUNT).map(|(shard, key)| {
        let shown = &key.key[..key.key.len().min(mayfly_store::KEY_BYTES_MAX)];
        json!({
            "key": text(shown), "key_bytes": key.key.len(), "shown_bytes": shown.len(),
            "database": key.database, "shard": shard, "bytes": key.bytes, "fields": key.fields,
        })
    });
    json!({ "named": true, "hot": hot.collect::<Vec<_>>(), "big": big.collect::<Vec<_>>() })
}

/// A key as text; one that is none, with its bytes escaped.
fn text(key: &[u8]) -> String {
    let is_plain = |text: &&str| !text.chars().any(char::is_control);
    let plain = std::str::from_utf8(key).ok().filter(is_plain);
    plain.map_or_else(|| key.escape_ascii().to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn keys_are_shown_as_text_where_they_are_text() {
        for (key, shown) in [
            (&b"session:1"[..], "session:1"),
            ("schl\u{fc}ssel".as_bytes(), "schl\u{fc}ssel"),
            (b"a\xff\r\n", "a\\xff\\r\\n"),
            (b"\x1b[31m", "\\x1b[31m"),
        ] {
            assert_eq!(text(key), shown);
        }
    }
}
