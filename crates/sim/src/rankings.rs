//! What may stand in the replies of `BIGKEYS` and `HOTKEYS TOP`: the checks behind [`Expected`](crate::expected::Expected).

use std::collections::{BTreeMap, BTreeSet};

use mayfly_resp::{Protocol, Value};

/// The largest hashes, as `BIGKEYS` names them.
#[derive(Clone, Debug)]
pub struct BigKeys {
    /// How many fields each hash has, by database and key.
    pub fields: BTreeMap<(i64, Vec<u8>), usize>,
    /// How many of them are so large that they must be named, if there is room.
    pub large: usize,
    /// How many are named at most.
    pub count: usize,
}

impl BigKeys {
    pub(crate) fn admits(&self, value: &Value, protocol: Protocol) -> bool {
        let Some(named) = entries(value, protocol) else { return false };
        let integer = |entry: &Entry<'_>, name| entry.get(name).and_then(|value| value.as_integer());
        let bytes: Option<Vec<_>> = named.iter().map(|entry| integer(entry, "bytes")).collect();
        let places: BTreeSet<_> = named
            .iter()
            .filter_map(|entry| {
                let place = (integer(entry, "database")?, entry.get("key")?.as_bytes()?.to_vec());
                let fields = self.fields.get(&place)?;
                (integer(entry, "fields") == i64::try_from(*fields).ok()).then_some(place)
            })
            .collect();
        places.len() == named.len()
            && (self.large.min(self.count)..=self.count).contains(&named.len())
            && bytes.is_some_and(|bytes| bytes.is_sorted_by(|a, b| a >= b))
    }
}

/// Whether a reply names hot keys, at most `count` and the hottest first.
pub(crate) fn are_hot_keys(value: &Value, protocol: Protocol, count: usize) -> bool {
    let Some(named) = entries(value, protocol) else { return false };
    let number = |entry: &Entry<'_>, name| match entry.get(name)? {
        Value::Double(number) => Some(*number),
        other => text(other)?.parse().ok(),
    };
    let rates: Option<Vec<f64>> = named.iter().map(|entry| number(entry, "calls-per-second")).collect();
    let parts: Option<f64> = named.iter().map(|entry| number(entry, "calls-percent")).sum();
    named.len() <= count
        && named.iter().all(|entry| entry.contains_key("key"))
        && rates.is_some_and(|rates| rates.is_sorted_by(|a, b| a >= b))
        // Each is rounded by itself.
        && parts.is_some_and(|percent| percent <= 101.0)
}

type Entry<'a> = BTreeMap<&'a str, &'a Value>;

/// The entries of an array of maps, each in the shape of the protocol.
fn entries(value: &Value, protocol: Protocol) -> Option<Vec<Entry<'_>>> {
    let Value::Array(items) = value else { return None };
    items
        .iter()
        .map(|item| match (item, protocol) {
            (Value::Map(pairs), Protocol::Resp3) => {
                pairs.iter().map(|(name, value)| Some((text(name)?, value))).collect()
            }
            (Value::Array(flat), Protocol::Resp2) => {
                flat.chunks(2).map(|pair| Some((text(pair.first()?)?, pair.get(1)?))).collect()
            }
            _ => None,
        })
        .collect()
}

fn text(value: &Value) -> Option<&str> {
    std::str::from_utf8(value.as_bytes()?).ok()
}
