//! Deep pipelines over several shards: every request gets its reply, in order, as if sent one by one.

use std::collections::BTreeMap;

use fastrand::Rng;
use mayfly_resp::Value;

use crate::harness::{Launch, SHARD_COUNTS, Seed, Server, encode_line};

const REQUESTS: usize = 20_000;

#[test]
fn replies_of_a_deep_pipeline_come_in_order() {
    let seed = Seed::of_this_run();
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        check_pipeline(&server, &mut seed.rng(shards as u64));
    }
}

/// The window and the buffers at their smallest: the pipeline goes on and off all the time.
#[test]
fn replies_come_in_order_through_a_narrow_window() {
    let seed = Seed::of_this_run();
    let server = Launch::with_shards(4)
        .set("limits.pipeline_window", 3)
        .set("limits.read_bytes_max", "1KiB")
        .set("limits.output_bytes_pause", "4KiB")
        .set("limits.output_bytes_max", "1MiB")
        .start();
    check_pipeline(&server, &mut seed.rng(0));
}

fn check_pipeline(server: &Server, rng: &mut Rng) {
    let mut model = Model::default();
    let mut bytes = Vec::new();
    let mut expected = Vec::new();
    for number in 0..REQUESTS {
        let (line, reply) = model.next(number, rng);
        // Both forms of a request, mixed.
        match rng.u8(..4) {
            0 => bytes.extend(format!("{line}\r\n").into_bytes()),
            _ => bytes.extend(encode_line(&line)),
        }
        expected.push((line, reply));
    }
    let replies = server.connect().pipeline(&bytes, REQUESTS);
    for (number, (reply, (line, expected))) in replies.iter().zip(expected).enumerate() {
        if let Some(expected) = expected {
            assert_eq!(*reply, expected, "request {number}: {line}");
        }
    }
}

type Hash = BTreeMap<String, String>;
type Data = BTreeMap<String, Hash>;

/// What the server is expected to hold, and how the client speaks to it.
#[derive(Default)]
struct Model {
    databases: [Data; 2],
    database: usize,
    resp3: bool,
}

impl Model {
    /// A request and its reply; `None` where the reply is not foreseen.
    fn next(&mut self, number: usize, rng: &mut Rng) -> (String, Option<Value>) {
        if number == REQUESTS / 2 {
            self.resp3 = true;
            return ("HELLO 3".to_owned(), None);
        }
        let (line, reply) = match rng.u8(..100) {
            0..75 => self.on_one_key(number, rng),
            75..90 => self.on_several_keys(rng),
            _ => self.on_the_session(number, rng),
        };
        (line, Some(reply))
    }

    fn on_one_key(&mut self, number: usize, rng: &mut Rng) -> (String, Value) {
        let (key, field) = (key(rng), format!("f{}", rng.u8(..4)));
        let resp3 = self.resp3;
        let data = &mut self.databases[self.database];
        let mut set = || data.entry(key.clone()).or_default().insert(field.clone(), number.to_string());
        match rng.u8(..10) {
            0..3 => (format!("HSET {key} {field} {number}"), flag(set().is_none())),
            3..5 => (format!("HSETEX {key} {field} {number} 3600"), flag(set().is_none())),
            5..8 => {
                let value = data.get(&key).and_then(|hash| hash.get(&field));
                (format!("HGET {key} {field}"), value.map_or(Value::Null, Value::bulk))
            }
            8 => {
                let removed = data.get_mut(&key).and_then(|hash| hash.remove(&field)).is_some();
                data.retain(|_, hash| !hash.is_empty());
                (format!("HDEL {key} {field}"), flag(removed))
            }
            _ => match data.get(&key) {
                // The order of several fields is not promised.
                Some(hash) if hash.len() > 1 => (format!("HLEN {key}"), Value::Integer(hash.len() as i64)),
                hash => (format!("HGETALL {key}"), all_of(hash, resp3)),
            },
        }
    }

    fn on_several_keys(&mut self, rng: &mut Rng) -> (String, Value) {
        let (key, other) = (key(rng), key(rng));
        let data = &mut self.databases[self.database];
        match rng.u8(..9) {
            0..2 => {
                let count = [&key, &other].into_iter().filter(|key| data.contains_key(*key)).count();
                (format!("EXISTS {key} {other}"), Value::Integer(count as i64))
            }
            2..4 => {
                let count = [&key, &other].into_iter().filter(|key| data.remove(*key).is_some()).count();
                (format!("DEL {key} {other}"), Value::Integer(count as i64))
            }
            4..6 => {
                let reply = match data.remove(&key) {
                    Some(hash) => {
                        data.insert(other.clone(), hash);
                        Value::Simple("OK".into())
                    }
                    None => Value::Error("ERR no such key".into()),
                };
                (format!("RENAME {key} {other}"), reply)
            }
            6..8 => {
                let copy = format!("copy:{other}");
                let hash = data.get(&key).cloned();
                let copied = hash.is_some();
                data.extend(hash.map(|hash| (copy.clone(), hash)));
                (format!("COPY {key} {copy} REPLACE"), flag(copied))
            }
            _ => ("DBSIZE".to_owned(), Value::Integer(data.len() as i64)),
        }
    }

    fn on_the_session(&mut self, number: usize, rng: &mut Rng) -> (String, Value) {
        match rng.u8(..3) {
            0 => (format!("ECHO {number}"), Value::bulk(number.to_string())),
            1 => {
                self.database = rng.usize(..2);
                (format!("SELECT {}", self.database), Value::Simple("OK".into()))
            }
            _ => {
                let text = "ERR unknown command 'NONSENSE', with args beginning with: ";
                ("NONSENSE".to_owned(), Value::Error(text.into()))
            }
        }
    }
}

fn all_of(hash: Option<&Hash>, resp3: bool) -> Value {
    let pairs = hash.into_iter().flatten().map(|(field, value)| (Value::bulk(field), Value::bulk(value)));
    match resp3 {
        true => Value::Map(pairs.collect()),
        false => Value::Array(pairs.flat_map(|(field, value)| [field, value]).collect()),
    }
}

fn key(rng: &mut Rng) -> String {
    format!("key:{}", rng.u8(..40))
}

fn flag(flag: bool) -> Value {
    Value::Integer(i64::from(flag))
}
