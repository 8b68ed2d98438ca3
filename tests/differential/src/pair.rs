//! A connection to each of the two, sent the same and compared.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use mayfly_resp::Value;

use crate::connection::Connection;
use crate::differences;
use crate::request::Request;
use crate::rules::{self, Rule};
use crate::sampler::Conversation;

/// Both ends of a comparison.
pub struct Pair {
    mayfly: Connection,
    redis: Connection,
    /// What was sent, as the sampler has to know it.
    pub conversation: Conversation,
    /// Requests that Redis has queued.
    queue: Vec<Request>,
    /// The dialect, for the report.
    pub protocol: u8,
}

/// A reply of Mayfly's that is not Redis', and no entry of the list says why.
#[derive(Clone, Debug)]
pub struct Unexplained {
    /// What was asked, in a transaction the command inside it.
    pub request: String,
    /// What Mayfly answered.
    pub mayfly: String,
    /// What Redis answered.
    pub redis: String,
}

impl Pair {
    /// Connects to both and chooses the dialect.
    pub fn connect(mayfly: SocketAddr, redis: SocketAddr, protocol: u8) -> Result<Pair> {
        let mut pair = Pair {
            mayfly: Connection::connect(mayfly)?,
            redis: Connection::connect(redis)?,
            conversation: Conversation::default(),
            queue: Vec::new(),
            protocol,
        };
        pair.ask_both(&Request::line(&format!("HELLO {protocol}")))?;
        Ok(pair)
    }

    /// Asks both and compares nothing.
    pub fn ask_both(&mut self, request: &Request) -> Result<(Value, Value)> {
        Ok((self.mayfly.ask(request).context("Mayfly")?, self.redis.ask(request).context("Redis")?))
    }

    /// Sends all requests in one go to both and compares the replies one by one.
    pub fn burst(&mut self, requests: &[Request], mutate: Option<usize>) -> Result<Vec<Unexplained>> {
        let mut bytes = Vec::new();
        for request in requests {
            request.encode(&mut bytes);
        }
        self.mayfly.send(&bytes).context("Mayfly")?;
        self.redis.send(&bytes).context("Redis")?;
        let (mut mayfly, mut redis) = (Vec::new(), Vec::new());
        for at in 0..requests.len() {
            mayfly.push(self.mayfly.receive().with_context(|| sent("Mayfly", requests, at))?);
            match self.redis.receive() {
                Ok(reply) => redis.push(reply),
                // A reply too few shows in the first that is another's.
                Err(error) => {
                    let mut found = Vec::new();
                    requests.iter().zip(&mayfly).zip(&redis).for_each(|((request, mayfly), redis)| {
                        self.compare(request, mayfly, redis, &mut found);
                    });
                    let first = found.first().map(|first| format!("; the first that differs:\n{first}"));
                    let what = sent("Redis", requests, at) + &first.unwrap_or_default();
                    return Err(error.context(what));
                }
            }
        }
        // From there on the first whose change is no known difference, if there is one.
        let is_noticed = |at: &usize| {
            let mut found = Vec::new();
            let rule = rules::rule(&requests[*at]);
            compare_one(&requests[*at], rule, &corrupted(&mayfly[*at]), &redis[*at], &mut found);
            !found.is_empty() && !requests[*at].is("exec")
        };
        let mutated = mutate.and_then(|from| (from..requests.len()).chain(0..from).find(is_noticed));
        if let Some(at) = mutated {
            mayfly[at] = corrupted(&mayfly[at]);
        }
        let mut unexplained = Vec::new();
        for (at, request) in requests.iter().enumerate() {
            let next = requests.get(at + 1).map(|request| (request, &mayfly[at + 1], &redis[at + 1]));
            self.compare(request, &mayfly[at], &redis[at], &mut unexplained);
            if let Some((next, next_mayfly, next_redis)) = next {
                compare_chosen(request, &mayfly[at], next, next_mayfly, &mut unexplained);
                compare_chosen(request, &redis[at], next, next_redis, &mut unexplained);
            }
        }
        Ok(unexplained)
    }

    fn compare(&mut self, request: &Request, mayfly: &Value, redis: &Value, found: &mut Vec<Unexplained>) {
        if request.is("exec")
            && let (Value::Array(mayflies), Value::Array(redises)) = (mayfly, redis)
            && mayflies.len() == redises.len()
        {
            let queue = std::mem::take(&mut self.queue);
            for ((request, mayfly), redis) in queue.iter().zip(mayflies).zip(redises) {
                compare_one(request, rules::rule(request), mayfly, redis, found);
            }
            return;
        }
        self.protocol = match redis {
            Value::Map(_) if request.is("hello") => 3,
            Value::Array(_) if request.is("hello") => 2,
            Value::Simple(_) if request.is("reset") => 2,
            _ => self.protocol,
        };
        match redis {
            Value::Simple(text) if text == "QUEUED" => {
                self.queue.push(request.clone());
                return compare_one(request, Rule::Exact, mayfly, redis, found);
            }
            _ if request.is("exec") || request.is("discard") || request.is("reset") => self.queue.clear(),
            _ => {}
        }
        compare_one(request, rules::rule(request), mayfly, redis, found);
    }

    /// Walks with `SCAN` or `HSCAN` to the end on both; what was seen has to be the same.
    pub fn walk(&mut self, walk: &Walk) -> Result<(usize, Option<Unexplained>)> {
        let mut calls = 0;
        let mayfly = walk.seen(&mut self.mayfly, &mut calls).context("Mayfly")?;
        let redis = walk.seen(&mut self.redis, &mut 0).context("Redis")?;
        let difference = (mayfly != redis).then(|| Unexplained {
            request: format!("a walk: {}", walk.request("…")),
            mayfly: format!("{mayfly:?}"),
            redis: format!("{redis:?}"),
        });
        Ok((calls, difference))
    }
}

/// A walk over keys or fields.
pub struct Walk {
    /// What stands before the cursor.
    pub before: Vec<Vec<u8>>,
    /// What stands behind it.
    pub behind: Vec<Vec<u8>>,
    /// How many items belong together.
    pub group: usize,
}

impl Walk {
    fn request(&self, cursor: &str) -> Request {
        let cursor = vec![cursor.as_bytes().to_vec()];
        Request::new([self.before.clone(), cursor, self.behind.clone()].concat())
    }

    /// What one server shows until its cursor is 0 again: each thing once, since a walk may show it twice.
    fn seen(&self, connection: &mut Connection, calls: &mut usize) -> Result<Vec<String>> {
        const CALLS_MAX: usize = 100_000;
        let mut seen = HashMap::new();
        let mut cursor = "0".to_owned();
        for _ in 0..CALLS_MAX {
            *calls += 1;
            let reply = connection.ask(&self.request(&cursor))?;
            let Some([next, items]) = reply.as_items() else {
                return Ok(vec![reply.to_string()]);
            };
            for group in items.as_items().context("no items")?.chunks(self.group) {
                seen.insert(group.iter().map(Value::to_string).collect::<Vec<_>>().join(" "), ());
            }
            cursor = String::from_utf8_lossy(next.as_bytes().context("no cursor")?).into_owned();
            if cursor == "0" {
                let mut seen: Vec<String> = seen.into_keys().collect();
                seen.sort_unstable();
                return Ok(seen);
            }
        }
        anyhow::bail!("{} has not come to its end in {CALLS_MAX} calls", self.request("…"))
    }
}

fn compare_one(request: &Request, rule: Rule, mayfly: &Value, redis: &Value, found: &mut Vec<Unexplained>) {
    if !rule.accepts(mayfly, redis) && differences::explain(request, mayfly, redis).is_none() {
        let (request, mayfly, redis) = (request.to_string(), mayfly.to_string(), redis.to_string());
        found.push(Unexplained { request, mayfly, redis });
    }
}

/// `HRANDFIELD` may choose only what the `HGETALL` behind it shows.
fn compare_chosen(
    request: &Request,
    chosen: &Value,
    next: &Request,
    all: &Value,
    found: &mut Vec<Unexplained>,
) {
    let is_pair = request.is("hrandfield")
        && next.is("hgetall")
        && request.words.get(1) == next.words.get(1)
        && next.words.len() == 2;
    let is_data =
        matches!(chosen, Value::Bulk(_) | Value::Array(_)) && matches!(all, Value::Map(_) | Value::Array(_));
    if is_pair && is_data && !rules::are_members(chosen, request.words.len() == 4, all) {
        let (request, mayfly, redis) = (request.to_string(), chosen.to_string(), format!("one of {all}"));
        found.push(Unexplained { request, mayfly, redis });
    }
}

/// What was sent when a server fell silent: requests, the last of which has no reply.
fn sent(server: &str, requests: &[Request], at: usize) -> String {
    let lines: Vec<String> = requests[..=at].iter().map(|request| format!("  {request}")).collect();
    format!("{server}, behind\n{}", lines.join("\n"))
}

/// Another reply that is told from this one by every rule.
fn corrupted(reply: &Value) -> Value {
    match reply {
        Value::Error(text) => Value::Error(format!("{text}.")),
        other => Value::Error(format!("ERR {other}")),
    }
}

impl Unexplained {
    /// The same, found when all data of a database was compared.
    pub fn in_database(self, database: u16) -> Self {
        Unexplained {
            request: format!("{} in database {database}, some time after it changed", self.request),
            ..self
        }
    }
}

impl fmt::Display for Unexplained {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unexplained { request, mayfly, redis } = self;
        write!(out, "  {request}\n  Mayfly: {}\n  Redis:  {}", cut(mayfly), cut(redis))
    }
}

fn cut(text: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 600;
    text.chars().take(SHOWN_CHARS_MAX).collect::<String>().replace('\n', "\n          ")
}
