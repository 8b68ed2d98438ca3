//! What a reply must be, and the comparison with what it was.
//!
//! The model states replies as [`Reply`]s and writes them with a writer of its own, so that a fault of the
//! server's writer shows. Where the order or the choice is the server's, [`Expected`] says what is free.

use std::collections::BTreeMap;

use mayfly_resp::{Protocol, ReplyReader, Value};

pub use crate::rankings::BigKeys;
use crate::rankings::are_hot_keys;

/// A reply as the model states it.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    /// A status.
    Simple(&'static str),
    /// An error with its code.
    Error(String),
    /// An integer.
    Integer(i64),
    /// A string.
    Bulk(Vec<u8>),
    /// The absent value.
    Null,
    /// An array.
    Array(Vec<Reply>),
    /// A map; a flat array for clients of RESP2.
    Map(Vec<(Reply, Reply)>),
}

impl Reply {
    /// A string.
    pub fn bulk(bytes: impl AsRef<[u8]>) -> Self {
        Reply::Bulk(bytes.as_ref().to_vec())
    }

    /// 1 or 0.
    pub fn truth(value: bool) -> Self {
        Reply::Integer(i64::from(value))
    }

    /// The reply on the wire.
    pub fn bytes(&self, protocol: Protocol) -> Vec<u8> {
        match self {
            Reply::Simple(text) => format!("+{text}\r\n").into_bytes(),
            // An error is one line, whatever the client has sent that it repeats.
            Reply::Error(text) => format!("-{}\r\n", text.replace(['\r', '\n'], " ")).into_bytes(),
            Reply::Integer(value) => format!(":{value}\r\n").into_bytes(),
            Reply::Bulk(bytes) => [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat(),
            Reply::Null if protocol == Protocol::Resp2 => b"$-1\r\n".to_vec(),
            Reply::Null => b"_\r\n".to_vec(),
            Reply::Array(items) => {
                let items = items.iter().flat_map(|item| item.bytes(protocol));
                format!("*{}\r\n", self.length()).into_bytes().into_iter().chain(items).collect()
            }
            Reply::Map(pairs) => {
                let header = match protocol {
                    Protocol::Resp2 => format!("*{}\r\n", pairs.len() * 2),
                    Protocol::Resp3 => format!("%{}\r\n", pairs.len()),
                };
                let pairs = pairs
                    .iter()
                    .flat_map(|(key, value)| [key.bytes(protocol), value.bytes(protocol)].concat());
                header.into_bytes().into_iter().chain(pairs).collect()
            }
        }
    }

    fn length(&self) -> usize {
        match self {
            Reply::Array(items) => items.len(),
            Reply::Map(pairs) => pairs.len(),
            _ => 0,
        }
    }
}

/// Fields and their values.
pub type Fields = BTreeMap<Vec<u8>, Vec<u8>>;

/// What a reply must be.
#[derive(Clone, Debug)]
pub enum Expected {
    /// These bytes.
    Exactly(Reply),
    /// An array of these strings, in any order.
    InAnyOrder(Vec<Vec<u8>>),
    /// A map of these pairs, in any order.
    Pairs(Fields),
    /// One of these.
    OneOf(Vec<Reply>),
    /// Fields drawn at random.
    Drawn(Drawn),
    /// A step of a walk: a cursor, and some of these names; with their values if `with_values`.
    Step {
        /// All names that may come, with their values.
        among: Fields,
        /// Whether values come along.
        with_values: bool,
    },
    /// The largest hashes.
    BigKeys(BigKeys),
    /// The keys that are called most, at most so many.
    HotKeys {
        /// How many are named at most.
        count: usize,
    },
    /// A positive integer.
    Positive,
    /// An array of these, each in the shape of a protocol.
    Sequence(Vec<(Expected, Protocol)>),
    /// Any one reply; it depends on the process around the session.
    Any,
}

/// Fields drawn at random, by `HRANDFIELD key count`.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// What they are drawn from.
    pub from: Fields,
    /// How many.
    pub count: usize,
    /// Whether each may be drawn more than once.
    pub repeats: bool,
    /// Whether values come along.
    pub with_values: bool,
}

impl Expected {
    /// Compares with the bytes of one reply.
    ///
    /// # Errors
    /// What is expected and what came.
    pub fn check(&self, bytes: &[u8], protocol: Protocol) -> Result<(), String> {
        let holds = match self {
            Expected::Exactly(reply) => reply.bytes(protocol) == bytes,
            Expected::OneOf(replies) => replies.iter().any(|reply| reply.bytes(protocol) == bytes),
            Expected::Any => parse(bytes).is_some(),
            Expected::Sequence(expected) => match elements(bytes) {
                Some(items) if items.len() == expected.len() => {
                    let mut pairs = expected.iter().zip(items);
                    return pairs
                        .try_for_each(|((expected, protocol), item)| expected.check(item, *protocol));
                }
                _ => false,
            },
            other => parse(bytes).is_some_and(|value| other.admits(&value, protocol)),
        };
        if holds { Ok(()) } else { Err(format!("expected {}, got {}", self.shown(protocol), shown(bytes))) }
    }

    fn admits(&self, value: &Value, protocol: Protocol) -> bool {
        match self {
            Expected::InAnyOrder(names) => {
                let mut expected = names.clone();
                expected.sort();
                let mut got = strings(value).unwrap_or_default();
                got.sort();
                matches!(value, Value::Array(_)) && got == expected
            }
            Expected::Pairs(fields) => {
                let is_map = matches!(value, Value::Map(_));
                let pairs = pairs(value).unwrap_or_default();
                let distinct: Fields = pairs.iter().cloned().collect();
                is_map == (protocol == Protocol::Resp3) && pairs.len() == fields.len() && distinct == *fields
            }
            Expected::Drawn(drawn) => drawn.admits(value, protocol),
            Expected::Step { among, with_values } => step(value).is_some_and(|(_, items)| {
                if *with_values {
                    pairs(items)
                        .is_some_and(|pairs| pairs.iter().all(|(name, value)| among.get(name) == Some(value)))
                } else {
                    strings(items).is_some_and(|names| names.iter().all(|name| among.contains_key(name)))
                }
            }),
            Expected::BigKeys(big_keys) => big_keys.admits(value, protocol),
            Expected::HotKeys { count } => are_hot_keys(value, protocol, *count),
            Expected::Positive => value.as_integer().is_some_and(|integer| integer > 0),
            Expected::Exactly(_) | Expected::OneOf(_) | Expected::Any | Expected::Sequence(_) => true,
        }
    }

    fn shown(&self, protocol: Protocol) -> String {
        match self {
            Expected::Exactly(reply) => shown(&reply.bytes(protocol)),
            other => format!("{other:?}").chars().take(400).collect(),
        }
    }
}

impl Drawn {
    fn admits(&self, value: &Value, protocol: Protocol) -> bool {
        let drawn = match (self.with_values, protocol) {
            (false, _) => strings(value).map(|names| names.into_iter().map(|name| (name, None)).collect()),
            (true, Protocol::Resp2) => pairs(value).map(with_some),
            (true, Protocol::Resp3) => value.as_items().and_then(|items| {
                let pair = |item: &Value| match strings(item)?.as_slice() {
                    [name, value] => Some((name.clone(), value.clone())),
                    _ => None,
                };
                items.iter().map(pair).collect::<Option<_>>().map(with_some)
            }),
        };
        let Some(drawn): Option<Vec<MaybeValued>> = drawn else { return false };
        let names: std::collections::BTreeSet<_> = drawn.iter().map(|(name, _)| name).collect();
        drawn.len() == self.count
            && (self.repeats || names.len() == drawn.len())
            && drawn.iter().all(|(name, value)| {
                let known = self.from.get(name);
                known.is_some() && (value.is_none() || value.as_ref() == known)
            })
    }
}

/// A field with its value, where one came along.
type MaybeValued = (Vec<u8>, Option<Vec<u8>>);

fn with_some(pairs: Vec<(Vec<u8>, Vec<u8>)>) -> Vec<MaybeValued> {
    pairs.into_iter().map(|(name, value)| (name, Some(value))).collect()
}

/// The cursor and the items of a reply to `SCAN` or `HSCAN`.
pub fn step(value: &Value) -> Option<(Vec<u8>, &Value)> {
    match value.as_items()? {
        [cursor, items] => Some((cursor.as_bytes()?.to_vec(), items)),
        _ => None,
    }
}

/// The one reply in `bytes`, if that is what they are.
pub fn parse(bytes: &[u8]) -> Option<Value> {
    let mut reader = ReplyReader::default();
    reader.feed(bytes);
    let value = reader.next_reply().ok()??;
    reader.is_empty().then_some(value)
}

/// The strings in an array.
pub fn strings(value: &Value) -> Option<Vec<Vec<u8>>> {
    value.as_items()?.iter().map(|item| Some(item.as_bytes()?.to_vec())).collect()
}

/// The pairs in a map or a flat array.
fn pairs(value: &Value) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    if let Value::Map(pairs) = value {
        let bytes = |value: &Value| value.as_bytes().map(<[u8]>::to_vec);
        return pairs.iter().map(|(name, value)| Some((bytes(name)?, bytes(value)?))).collect();
    }
    let flat = strings(value)?;
    let is_even = flat.len().is_multiple_of(2);
    is_even.then(|| flat.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect())
}

/// Where the first reply in `bytes` ends, if it is whole.
pub fn reply_end(bytes: &[u8]) -> Option<usize> {
    let line = bytes.windows(2).position(|pair| pair == b"\r\n")? + 2;
    let number = || std::str::from_utf8(&bytes[1..line - 2]).ok()?.parse::<i64>().ok();
    let replies = match bytes[0] {
        b'$' | b'=' => {
            let end = usize::try_from(number()?).map_or(line, |length| line + length + 2);
            return (end <= bytes.len()).then_some(end);
        }
        b'*' | b'~' | b'>' => number()?.max(0),
        b'%' => number()? * 2,
        _ => 0,
    };
    (0..replies).try_fold(line, |at, _| Some(at + reply_end(&bytes[at..])?))
}

/// The bytes of each item of an array.
pub fn elements(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let count = array_head(bytes)?.0;
    items(bytes, std::iter::repeat_n(1, count))
}

/// The bytes that answer each call of a transaction, given how many replies each of them gets: one, but for a
/// confirmation for each name.
pub fn items(bytes: &[u8], replies: impl IntoIterator<Item = usize>) -> Option<Vec<&[u8]>> {
    let (count, mut at) = array_head(bytes)?;
    let mut items = Vec::new();
    for replies in replies {
        let end = (0..replies).try_fold(at, |at, _| Some(at + reply_end(&bytes[at..])?))?;
        items.push(&bytes[at..end]);
        at = end;
    }
    (at == bytes.len() && items.len() == count).then_some(items)
}

/// What an array says of its length, and where it begins.
fn array_head(bytes: &[u8]) -> Option<(usize, usize)> {
    let line = bytes.windows(2).position(|pair| pair == b"\r\n")? + 2;
    let count = std::str::from_utf8(bytes[..line - 2].strip_prefix(b"*")?).ok()?.parse().ok()?;
    Some((count, line))
}

/// Bytes as a line of text, cut where it gets long.
pub fn shown(bytes: &[u8]) -> String {
    let text = bytes[..bytes.len().min(400)].escape_ascii();
    if bytes.len() > 400 {
        format!("\"{text}\" and {} bytes more", bytes.len() - 400)
    } else {
        format!("\"{text}\"")
    }
}

/// A request as one line of text.
pub fn shown_words<'w>(words: impl IntoIterator<Item = &'w [u8]>) -> String {
    let words: Vec<_> =
        words.into_iter().map(|word| word[..word.len().min(60)].escape_ascii().to_string()).collect();
    words.join(" ")
}
