//! Requests at random, drawn from the table of commands.
//!
//! A request follows the grammar in its command's spec, so a new command is sampled without a word here. Few keys,
//! fields and numbers, so that requests meet; among the numbers those at which something breaks. Some requests are
//! spoilt afterwards.

use fastrand::Rng;
use mayfly_command::Command;
use mayfly_command::Table;
use mayfly_command::argument::{Argument, Kind};
use mayfly_command::spec::{Run, Step};

use crate::grammar::{Draw, Grammar};

/// Numbers at which something breaks, and words that are none.
const ODD_NUMBERS: [&str; 14] = [
    "0",
    "-1",
    "01",
    "+1",
    " 1",
    "",
    "x",
    "1.5",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "2147483648",
    "-2147483649",
    "9223372036854775",
];

/// Values that some command takes for a number.
const VALUES: [&str; 12] = [
    "1",
    "-7",
    "10.5",
    "0.25",
    "abc",
    "",
    " 1",
    "01",
    "9223372036854775807",
    "-9223372036854775808",
    "value",
    "\r\n",
];

/// Patterns, as the model's glob knows them.
const PATTERNS: [&str; 8] = ["*", "k*", "k[0-3]", "?1", "f*", "none", "__key*__:*", "__keyspace@0__:k[0-3]"];

/// Channels of keyspace events. Nobody but the server publishes to them.
const EVENT_CHANNELS: [&str; 5] = [
    "__keyevent@0__:hset",
    "__keyevent@0__:expired",
    "__keyevent@1__:del",
    "__keyspace@0__:k1",
    "__keyspace@0__:k2",
];

/// What is drawn.
#[derive(Debug)]
pub struct Sampler {
    weighted: Vec<&'static Command>,
}

impl Default for Sampler {
    fn default() -> Self {
        Sampler::new()
    }
}

impl Sampler {
    /// A sampler of every command of the table but `SHUTDOWN`, which has no reply.
    pub fn new() -> Self {
        let commands = Table::get().all().iter().copied();
        let commands = commands.filter(|command| command.full_name() != "shutdown");
        Sampler {
            weighted: commands.flat_map(|command| std::iter::repeat_n(command, weight(command))).collect(),
        }
    }

    /// A request, given the time in Unix milliseconds.
    pub fn request(&self, random: &mut Rng, now: i64) -> Vec<Vec<u8>> {
        if random.u32(..100) == 0 {
            return vec![b"NOSUCH".to_vec(), key(random), value(random)];
        }
        let command = self.weighted[random.usize(..self.weighted.len())];
        let mut words: Vec<Vec<u8>> =
            command.full_name().split('|').map(|word| cased(word, random).into_bytes()).collect();
        Grammar { draw: &mut Words { now }, random, words: &mut words, count_at: None }
            .all(command.spec.arguments);
        if random.u32(..20) == 0 {
            spoil(&mut words, random);
        }
        words
    }
}

/// How often a command is drawn: data first, and what touches several shards more often than its share.
fn weight(command: &Command) -> usize {
    match command.full_name() {
        "flushdb" | "flushall" => 1,
        // Without replies nothing can be compared.
        "client|reply" => 0,
        // Lines would come between the replies.
        "monitor" => 0,
        // The model has no caches; `tests/tracking.rs` has.
        "client|tracking" => 0,
        // Nor has it users; `tests/access.rs` has.
        "acl|setuser" | "acl|deluser" => 0,
        "hello" => 4,
        "reset" => 2,
        "hsetex" | "rename" | "del" | "scan" | "hscan" => 30,
        _ => match command.spec.run {
            Run::Keys(_) => 12,
            Run::AllShards(_) | Run::Cursor(_) => 8,
            Run::Session(_) => 1,
            Run::Step(Step::Multi | Step::Watch | Step::Publish(_)) => 20,
            Run::Step(Step::Exec) => 6,
            Run::Step(_) => 4,
            Run::Container(_) => 0,
        },
    }
}

/// Draws words at a time in Unix milliseconds.
struct Words {
    now: i64,
}

impl Draw for Words {
    fn token(&mut self, token: &str, random: &mut Rng) -> Vec<u8> {
        cased(token, random).into_bytes()
    }

    fn word(&mut self, argument: &Argument, words: &[Vec<u8>], random: &mut Rng) -> Vec<u8> {
        match (argument.kind, argument.name) {
            (Kind::Key, _) => key(random),
            (Kind::Pattern, _) => PATTERNS[random.usize(..PATTERNS.len())].into(),
            (Kind::Double, _) => VALUES[random.usize(..VALUES.len())].into(),
            (Kind::UnixTime | Kind::Integer, _) => number(argument, self.now, random),
            (_, "value") => value(random),
            (_, "type") => b"hash".to_vec(),
            (_, "channel") if words[0].eq_ignore_ascii_case(b"subscribe") && random.u32(..3) == 0 => {
                EVENT_CHANNELS[random.usize(..EVENT_CHANNELS.len())].into()
            }
            (_, "username") => b"default".to_vec(),
            (_, "password") => crate::host::PASSWORD.into(),
            _ => field(random),
        }
    }
}

fn key(random: &mut Rng) -> Vec<u8> {
    match random.u32(..20) {
        0 => [&b"{t}a"[..], b"{t}b", b"", b"\0\xff"][random.usize(..4)].to_vec(),
        1..3 => format!("k{}", random.u32(..300)).into_bytes(),
        _ => format!("k{}", random.u32(..6)).into_bytes(),
    }
}

fn field(random: &mut Rng) -> Vec<u8> {
    match random.u32(..16) {
        0 => [&b"FIELDS"[..], b"", b"KEY"][random.usize(..3)].to_vec(),
        1..4 => format!("f{}", random.u32(..60)).into_bytes(),
        _ => format!("f{}", random.u32(..5)).into_bytes(),
    }
}

fn value(random: &mut Rng) -> Vec<u8> {
    match random.u32(..100) {
        0 => vec![b'v'; random.usize(..100_000)],
        1..10 => vec![b'w'; random.usize(..400)],
        _ => VALUES[random.usize(..VALUES.len())].into(),
    }
}

/// A number that suits its argument, mostly.
fn number(argument: &Argument, now: i64, random: &mut Rng) -> Vec<u8> {
    if random.u32(..12) == 0 {
        return ODD_NUMBERS[random.usize(..ODD_NUMBERS.len())].into();
    }
    let is_millis = argument.name.contains("milliseconds");
    let near = [1, 2, 5, 60, 3_600, 86_400, 31_536_000][random.usize(..7)];
    let ttl = if is_millis { near * 7 } else { near };
    let number = match argument.kind {
        Kind::UnixTime if is_millis => now + ttl - 3,
        Kind::UnixTime => now / 1_000 + ttl - 3,
        _ if argument.name.contains("seconds") => ttl,
        _ if argument.name == "protover" => random.i64(2..=3),
        _ => match argument.name {
            "cursor" => random.i64(..).max(0) >> random.u32(..60),
            "index" | "db" | "index1" | "index2" | "destination-db" => random.i64(0..3),
            "increment" => random.i64(-9..10),
            _ => random.i64(-3..12),
        },
    };
    number.to_string().into_bytes()
}

/// Makes a request wrong, or at least another one: a word more, a word less, a word replaced.
fn spoil(words: &mut Vec<Vec<u8>>, random: &mut Rng) {
    let at = random.usize(1..=words.len());
    let odd = ODD_NUMBERS[random.usize(..ODD_NUMBERS.len())].into();
    match random.u32(..4) {
        0 => words.truncate(at),
        1 => words.insert(at, odd),
        2 if at < words.len() => words[at] = odd,
        _ => words.push(field(random)),
    }
}

/// A name in capitals, small letters, or both.
fn cased(name: &str, random: &mut Rng) -> String {
    match random.u32(..4) {
        0 => name.to_ascii_lowercase(),
        1 => name.chars().map(|c| if random.bool() { c.to_ascii_uppercase() } else { c }).collect(),
        _ => name.to_ascii_uppercase(),
    }
}
