//! A client that does everything, one request after the other, with keys of its own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fastrand::Rng;
use mayfly_resp::Value;

use crate::Shared;
use crate::harness::{Client, encode};

/// The longest TTL in seconds.
const TTL_SECONDS_MAX: u64 = 20;
/// What the clock of a deadline and that of this process may differ by.
const CLOCKS_DIFFER: Duration = Duration::from_millis(100);
/// Hashes that are looked at in one go once their time has come.
const GONE_AT_ONCE: usize = 64;
/// Fields that are set in one go on a big hash.
const FIELDS_AT_ONCE: u64 = 500;
/// Pieces of a walk over the keyspace.
const SCANS_MAX: usize = 50;
/// What an error may say: there is no memory, or so for a call that was queued.
const ALLOWED: [&str; 2] = ["(error) OOM ", "(error) EXECABORT "];

/// Works until the time is over.
pub fn start(address: SocketAddr, shared: &'static Shared, number: u64, random: Rng) -> JoinHandle<()> {
    let client = Client::connect(address);
    let mut worker = Worker { client, shared, number, random, next: 0, deadlines: BinaryHeap::new() };
    std::thread::spawn(move || {
        while !shared.is_over() {
            worker.step();
        }
    })
}

struct Worker {
    client: Client,
    shared: &'static Shared,
    number: u64,
    random: Rng,
    /// The number of the next key: none is used twice.
    next: u64,
    /// When keys are gone at the latest.
    deadlines: BinaryHeap<Reverse<(Instant, String)>>,
}

impl Worker {
    fn step(&mut self) {
        match self.random.u8(..100) {
            0..40 => self.set_with_ttl(),
            40..60 => self.set_and_expire(),
            60..75 => self.set_read_and_remove(),
            75..85 => self.transaction(),
            85..95 => self.publish(),
            95..98 => self.big_hash(),
            _ => self.walk(),
        }
        self.look_what_is_gone();
    }

    /// One request, whose reply is no error; nothing if there was no memory for it.
    fn call(&mut self, words: &[&str]) -> Option<Value> {
        let reply = self.client.call(words);
        self.shared.requests.fetch_add(1, Relaxed);
        let shown = reply.to_string();
        if ALLOWED.iter().any(|allowed| shown.starts_with(allowed)) {
            self.shared.refused.fetch_add(1, Relaxed);
            return None;
        }
        assert!(!shown.starts_with("(error)"), "{words:.3?} was answered {shown}");
        Some(reply)
    }

    fn integer(&mut self, words: &[&str]) -> Option<i64> {
        let reply = self.call(words)?;
        Some(reply.as_integer().unwrap_or_else(|| panic!("{words:.3?} was answered {reply}")))
    }

    fn key(&mut self) -> String {
        self.next += 1;
        format!("worker:{}:{}", self.number, self.next)
    }

    /// A value that says whose it is.
    fn value(&mut self, key: &str) -> String {
        let length = if self.random.u8(..) == 0 { 20_000 } else { self.random.usize(..300) };
        format!("{key}={}", "v".repeat(length))
    }

    fn expires(&mut self, key: String, seconds: u64) {
        let deadline = Instant::now() + Duration::from_secs(seconds) + CLOCKS_DIFFER;
        self.deadlines.push(Reverse((deadline, key)));
    }

    fn set_with_ttl(&mut self) {
        let key = self.key();
        let (value, seconds) = (self.value(&key), self.random.u64(1..=TTL_SECONDS_MAX));
        if self.integer(&["HSETEX", &key, "f", &value, &seconds.to_string()]) == Some(1) {
            self.reads_back(&key, &value);
            self.expires(key, seconds);
        }
    }

    fn set_and_expire(&mut self) {
        let key = self.key();
        let (value, seconds) = (self.value(&key), self.random.u64(1..=TTL_SECONDS_MAX));
        if self.integer(&["HSET", &key, "f", &value, "g", "1"]) == Some(2) {
            // Without a TTL nothing but this takes it.
            assert_eq!(self.integer(&["HINCRBY", &key, "g", "41"]).unwrap_or(42), 42, "{key}");
            assert_eq!(self.integer(&["EXPIRE", &key, &seconds.to_string()]), Some(1), "{key}");
            self.expires(key, seconds);
        }
    }

    fn set_read_and_remove(&mut self) {
        let key = self.key();
        let value = self.value(&key);
        if self.integer(&["HSET", &key, "f", &value, "g", &key]) == Some(2) {
            let all = self.call(&["HGETALL", &key]).expect("a read needs no memory").to_string();
            assert!(all.contains(&value) && all.contains("\"g\""), "{key}: {all:.200}");
            assert_eq!(self.integer(&["DEL", &key]), Some(1), "{key}");
            assert_eq!(self.integer(&["EXISTS", &key]), Some(0), "{key}");
        }
    }

    /// Whole, or not at all.
    fn transaction(&mut self) {
        let key = self.key();
        let (value, seconds) = (self.value(&key), self.random.u64(1..=TTL_SECONDS_MAX));
        self.call(&["MULTI"]);
        self.call(&["HSET", &key, "f", &value]);
        self.call(&["EXPIRE", &key, &seconds.to_string()]);
        self.call(&["HGET", &key, "f"]);
        let Some(done) = self.call(&["EXEC"]) else { return };
        let shown = done.to_string();
        if !ALLOWED.iter().any(|allowed| shown.contains(allowed)) {
            assert!(shown.contains(&value), "{key}: {shown:.200}");
            self.expires(key, seconds);
        }
    }

    fn publish(&mut self) {
        let published = &self.shared.published[self.number as usize];
        let number = published.fetch_add(1, Relaxed);
        let message = format!("{}:{number}", self.number);
        assert_eq!(self.integer(&["PUBLISH", "soak", &message]), Some(1), "somebody listens");
    }

    /// A hash of many fields, which goes by its deadline, by DEL or by a flood of others.
    fn big_hash(&mut self) {
        let key = self.key();
        for piece in 0..self.random.u64(1..10) {
            let mut words = vec!["HSET".to_owned(), key.clone()];
            let fields = piece * FIELDS_AT_ONCE..(piece + 1) * FIELDS_AT_ONCE;
            fields.for_each(|field| words.extend([format!("field:{field}"), format!("{field:>60}")]));
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            if self.integer(&words).is_none() {
                break;
            }
        }
        let seconds = self.random.u64(1..=TTL_SECONDS_MAX);
        match self.random.bool() {
            true => self.call(&["UNLINK", &key]),
            false => self.call(&["EXPIRE", &key, &seconds.to_string()]),
        };
        self.expires(key, seconds);
    }

    fn walk(&mut self) {
        let mut cursor = "0".to_owned();
        for _ in 0..SCANS_MAX {
            let shown =
                self.call(&["SCAN", &cursor, "COUNT", "100"]).expect("a read needs no memory").to_string();
            cursor = shown.split('"').nth(1).unwrap_or_else(|| panic!("no cursor: {shown}")).to_owned();
            if cursor == "0" {
                break;
            }
        }
    }

    /// What was just set, unless it was evicted meanwhile.
    fn reads_back(&mut self, key: &str, value: &str) {
        let reply = self.call(&["HGET", key, "f"]).expect("a read needs no memory");
        let is_right = reply.as_bytes().is_none_or(|bytes| bytes == value.as_bytes());
        assert!(is_right, "{key} is {reply:.200}");
    }

    fn look_what_is_gone(&mut self) {
        let mut gone = Vec::new();
        let now = Instant::now();
        while gone.len() < GONE_AT_ONCE
            && self.deadlines.peek().is_some_and(|Reverse((deadline, _))| *deadline <= now)
        {
            gone.extend(self.deadlines.pop().map(|Reverse((_, key))| key));
        }
        if gone.is_empty() {
            return;
        }
        let requests: Vec<u8> = gone.iter().flat_map(|key| encode(&["EXISTS", key])).collect();
        for (key, reply) in gone.iter().zip(self.client.pipeline(&requests, gone.len())) {
            assert_eq!(reply.as_integer(), Some(0), "{key} is past its deadline");
        }
        self.shared.requests.fetch_add(gone.len() as u64, Relaxed);
        self.shared.expired.fetch_add(gone.len() as u64, Relaxed);
    }
}
