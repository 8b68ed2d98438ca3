//! The same random requests to Mayfly and to a real Redis, compared reply by reply.
//!
//! ```text
//!   seed ─► Sampler ─► burst of requests ─┬─► Mayfly ─► replies ─┐
//!                                         └─► Redis  ─► replies ─┴─► Rule ─► Differences ─► report
//! ```
//!
//! Some connections speak RESP2, some RESP3; a burst on one of them is over before the next begins, so both servers
//! see one order. What may differ, and why, is said in one place, `differences.toml`; the README shows it.
//!
//! Here: the course of a run. Beside it: what is drawn ([`sampler`]), what is the same ([`rules`]), what is known
//! to differ ([`differences`]), the two [`peer`]s and the connections to both ([`pair`]).

pub mod connection;
pub mod differences;
pub mod pair;
pub mod peer;
pub mod request;
pub mod rules;
pub mod sampler;

use std::fmt;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use fastrand::Rng;
use mayfly_resp::Value;

use crate::pair::{Pair, Unexplained, Walk};
pub use crate::peer::Peer;
use crate::request::Request;
use crate::sampler::{Conversation, DATABASES, Sampler};

/// Connections of each dialect.
const CONNECTIONS: usize = 3;

/// Most requests of one burst: few enough for all of them to fit the sockets' buffers.
const BURST_MAX: usize = 48;

/// What a run does.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Of everything random.
    pub seed: u64,
    /// Commands to send to each.
    pub commands: usize,
    /// Corrupt one reply of Mayfly's.
    pub mutate: bool,
    /// Stop after so many unexplained differences.
    pub differences_max: usize,
    /// Compare all data after so many bursts.
    pub check_every: usize,
}

/// What a run found.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    seed: u64,
    /// Commands sent over RESP2.
    pub resp2: usize,
    /// Commands sent over RESP3.
    pub resp3: usize,
    /// Differences that no entry of the list explains.
    pub unexplained: usize,
}

/// Compares two running servers, which lose all their data; each difference is told as it is found.
pub fn compare(
    mayfly: SocketAddr,
    redis: SocketAddr,
    options: Options,
    tell: &mut dyn FnMut(&Told<'_>),
) -> Result<Report> {
    let mut run = Run {
        random: Rng::with_seed(options.seed),
        sampler: Sampler::new(Vec::new()),
        pairs: Vec::new(),
        report: Report { seed: options.seed, resp2: 0, resp3: 0, unexplained: 0 },
        servers: (mayfly, redis),
        steps: 0,
    };
    run.begin_anew()?;
    run.sampler = Sampler::new(run.payloads()?);
    // Half-way, when there is data; if the commands of a run are few, at its end.
    let mutate_from = options.mutate.then_some(options.commands / 2);
    let mut is_mutated = false;
    while run.sent() < options.commands && run.report.unexplained < options.differences_max {
        let mutate = !is_mutated && mutate_from.is_some_and(|from| run.sent() >= from);
        let mut found = run.step(mutate, tell).with_context(|| format!("seed {}", options.seed))?;
        // A burst may have no reply whose change would be noticed; then the next one is asked for one.
        is_mutated |= mutate && found.is_some();
        run.steps += 1;
        if found.is_none() && run.steps.is_multiple_of(options.check_every) {
            found = run.difference_of_data()?;
        }
        if let Some(unexplained) = found {
            tell(&Told::Difference { seed: options.seed, at: run.sent(), unexplained: &unexplained });
            run.report.unexplained += 1;
            // Their data may differ by now, and one difference would be told again and again.
            run.begin_anew()?;
        }
    }
    Ok(run.report)
}

/// What is told while a run goes on.
#[derive(Debug)]
pub enum Told<'a> {
    /// Something that is sent, before it is.
    Sent {
        /// Number of the connection.
        connection: usize,
        /// The request.
        request: &'a Request,
    },
    /// An unexplained difference, with what repeats it.
    Difference {
        /// The seed of the run.
        seed: u64,
        /// How many commands had been sent.
        at: usize,
        /// The difference.
        unexplained: &'a Unexplained,
    },
}

struct Run {
    random: Rng,
    sampler: Sampler,
    pairs: Vec<Pair>,
    report: Report,
    servers: (SocketAddr, SocketAddr),
    steps: usize,
}

impl Run {
    fn sent(&self) -> usize {
        self.report.resp2 + self.report.resp3
    }

    /// Empties both servers and connects again.
    fn begin_anew(&mut self) -> Result<()> {
        self.pairs.clear();
        for protocol in [2, 3].repeat(CONNECTIONS) {
            self.pairs.push(Pair::connect(self.servers.0, self.servers.1, protocol)?);
        }
        self.pairs[0].ask_both(&Request::line("FLUSHALL"))?;
        Ok(())
    }

    /// What both answer to `DUMP`, of hashes in each of their encodings.
    fn payloads(&mut self) -> Result<Vec<Vec<u8>>> {
        let pair = &mut self.pairs[0];
        let mut payloads = Vec::new();
        for fields in [1, 3, 150, 600] {
            let pairs: Vec<String> =
                (0..fields).map(|at| format!("f{at} {}", "v".repeat(at % 90 + 1))).collect();
            pair.ask_both(&Request::line(&format!("HSET dumped {}", pairs.join(" "))))?;
            let (mayfly, redis) = pair.ask_both(&Request::line("DUMP dumped"))?;
            for reply in [mayfly, redis] {
                payloads.push(reply.as_bytes().context("DUMP answers a string")?.to_vec());
            }
            pair.ask_both(&Request::line("DEL dumped"))?;
        }
        Ok(payloads)
    }

    /// Reads all data from both, so that nothing can differ for long without being seen.
    fn difference_of_data(&self) -> Result<Option<Unexplained>> {
        let mut pair = Pair::connect(self.servers.0, self.servers.1, 3)?;
        for database in 0..DATABASES {
            let keys = [Request::line(&format!("SELECT {database}")), Request::line("KEYS *")];
            if let Some(found) = pair.burst(&keys, None)?.pop() {
                return Ok(Some(found.in_database(database)));
            }
            let (_, keys) = pair.ask_both(&keys[1])?;
            for keys in keys.as_items().context("KEYS answers a list")?.chunks(BURST_MAX) {
                let about = |key: &Value| {
                    let key = key.as_bytes().unwrap_or_default().to_vec();
                    [&b"HGETALL"[..], b"PEXPIRETIME"]
                        .map(|name| Request::new(vec![name.to_vec(), key.clone()]))
                };
                let requests: Vec<Request> = keys.iter().flat_map(about).collect();
                if let Some(found) = pair.burst(&requests, None)?.into_iter().next() {
                    return Ok(Some(found.in_database(database)));
                }
            }
        }
        Ok(None)
    }

    /// A burst or a walk on one of the connections; the first difference, since others follow from it.
    fn step(&mut self, mutate: bool, tell: &mut dyn FnMut(&Told<'_>)) -> Result<Option<Unexplained>> {
        let random = &mut self.random;
        let at = random.usize(..self.pairs.len());
        let pair = &mut self.pairs[at];
        let is_walk = !mutate && !pair.conversation.in_multi && random.u32(..12) == 0;
        let (count, found) = if is_walk {
            pair.walk(&walk(random))?
        } else {
            let requests = burst(&mut self.sampler, pair, random);
            let mutated = mutate.then(|| random.usize(..requests.len()));
            for request in &requests {
                tell(&Told::Sent { connection: at, request });
            }
            (requests.len(), pair.burst(&requests, mutated)?.into_iter().next())
        };
        match pair.protocol {
            3 => self.report.resp3 += count,
            _ => self.report.resp2 += count,
        }
        Ok(found)
    }
}

/// Requests to be sent in one go: often few, sometimes many.
fn burst(sampler: &mut Sampler, pair: &mut Pair, random: &mut Rng) -> Vec<Request> {
    if !pair.conversation.in_multi && random.u32(..16) == 0 {
        pair.conversation = Conversation::default();
        return sampler.channels(random);
    }
    let depth = 1 + random.usize(..BURST_MAX).min(random.usize(..BURST_MAX));
    let mut requests = Vec::with_capacity(depth + 1);
    while requests.len() < depth {
        let request = sampler.request(random, pair.conversation);
        let stands_alone = request.words.iter().any(|word| word.eq_ignore_ascii_case(b"auth"));
        if stands_alone && (!requests.is_empty() || pair.conversation.in_multi) {
            continue;
        }
        pair.conversation = pair.conversation.after(&request);
        let is_reset = request.is("reset") && request.words.len() == 1;
        let shows_members = request.is("hrandfield") && request.words.len() > 1;
        let all = shows_members.then(|| Request::new(vec![b"HGETALL".to_vec(), request.words[1].clone()]));
        requests.push(request);
        requests.extend(all);
        if is_reset {
            // It has gone back to RESP2.
            requests.push(Request::line(&format!("HELLO {}", random.u32(2..=3))));
        }
        // Redis 8.2.3 gives a failing AUTH no reply behind others in a burst or a transaction.
        if stands_alone {
            break;
        }
    }
    requests
}

/// A walk over the keys, or over the fields of a key.
fn walk(random: &mut Rng) -> Walk {
    let words = |line: &str| Request::line(line).words;
    let behind = ["COUNT 1000", "COUNT 3", "MATCH k*", "COUNT 7 MATCH *1*"];
    let behind = words(behind[random.usize(..behind.len())]);
    let key = format!("k{}", random.u32(..6));
    match random.u32(..4) {
        0 => Walk { before: words("SCAN"), behind, group: 1 },
        1 => Walk { before: words("SCAN"), behind: [behind, words("TYPE hash")].concat(), group: 1 },
        2 => Walk { before: words(&format!("HSCAN {key}")), behind, group: 2 },
        _ => Walk {
            before: words(&format!("HSCAN {key}")),
            behind: [behind, words("NOVALUES")].concat(),
            group: 1,
        },
    }
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Sent { connection, request } => write!(out, "{connection}> {request}"),
            Told::Difference { seed, at, unexplained } => {
                write!(out, "DIFFERENCE with --seed {seed} within {at} commands\n{unexplained}\n")
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { seed, resp2, resp3, unexplained } = self;
        write!(
            out,
            "{} commands compared, {resp2} over RESP2 and {resp3} over RESP3, seed {seed}: \
             {unexplained} unexplained differences",
            resp2 + resp3,
        )
    }
}
