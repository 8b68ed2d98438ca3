//! `GET /status/keys.json`: the hot and big keys of all shards, for the status page.
//!
//! Keys are data of users, and who reads this has shown no password: without `metrics.status_page_keys` none is named.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::IntoResponse;
use mayfly_command::ranking::{ShardHotKeys, hottest, largest};
use mayfly_store::{BigKey, KEY_BYTES_MAX, Keyspace, UnixMillis};
use serde_json::{Value, json};

use crate::metrics::exporter::Exporter;
use crate::shard::NameKeys;

/// Keys of either sort that are named.
const COUNT: usize = 10;

/// What a shard says of its keys.
pub struct ShardKeys {
    hot: ShardHotKeys,
    big: Vec<BigKey>,
}

impl ShardKeys {
    /// Those of this shard.
    pub fn of(keyspace: &mut Keyspace, now: UnixMillis) -> Self {
        ShardKeys { hot: ShardHotKeys::of(keyspace, COUNT, now), big: keyspace.largest(COUNT, now) }
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
    let (mut hot, mut big) = (Vec::new(), Vec::new());
    // A shard that does not answer is left out.
    for (shard, keys) in (0..).zip(exporter.ask(|| NameKeys).await) {
        if let Some(keys) = keys {
            hot.push((shard, keys.hot));
            big.push((shard, keys.big));
        }
    }
    let hot = hottest(hot, COUNT).into_iter().map(|hot| {
        json!({
            "key": text(&hot.key.key), "key_bytes": hot.key.key_bytes, "shown_bytes": hot.key.key.len(),
            "database": hot.key.database, "shard": hot.shard,
            "calls_per_second": hot.calls_per_second, "calls_percent": hot.calls_percent,
        })
    });
    let big = largest(big, COUNT).into_iter().map(|(shard, key)| {
        let shown = &key.key[..key.key.len().min(KEY_BYTES_MAX)];
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
