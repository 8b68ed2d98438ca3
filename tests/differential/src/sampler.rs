//! Requests at random, right and wrong, drawn from the table of commands.
//!
//! A request follows the grammar in its command's spec, so a new command is compared without a word here. Few keys
//! and fields, so that requests meet. Time must not matter: a deadline is either past or far away, and no two are
//! alike, so that `GT` and `LT` do not depend on the millisecond in which a request arrived.

use fastrand::Rng;
use mayfly_command::argument::{Argument, Kind};
use mayfly_command::spec::Run;
use mayfly_command::{Command, Step, Table};
use mayfly_sim::grammar::{Draw, Grammar};

use crate::differences;
use crate::request::Request;

/// Commands that are not one request with one reply, end the connection, stop the server, or write
/// to its disk.
const UNSUITED: [&str; 20] = [
    "shutdown",
    "quit",
    "monitor",
    "psync",
    "sync",
    "debug",
    "client|reply",
    "client|kill",
    "client|pause",
    "client|unblock",
    "client|tracking",
    "client|caching",
    "config|set",
    "config|rewrite",
    "save",
    "bgsave",
    "bgrewriteaof",
    "lastsave",
    "hotkeys",
    "bigkeys",
];

/// Words in the place of numbers; none is a time to come that a test would see pass.
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

const VALUES: [&[u8]; 16] = [
    b"1",
    b"-7",
    b"10.5",
    b"0.25",
    b"abc",
    b"",
    b" 1",
    b"01",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"value",
    b"\r\n",
    b"\0\xff\xfe",
    b"1e400",
    b"nan",
    b"3.0e3",
];

const PATTERNS: [&str; 10] = ["*", "k*", "k[0-3]", "?1", "f*", "none", "", "[^k]*", "k\\1", "[k"];

/// How many of the databases are used.
pub const DATABASES: u16 = 3;

/// First of the deadlines, in Unix seconds: the year 2100.
const FAR_SECONDS: i64 = 4_102_444_800;

/// What is drawn.
#[derive(Debug)]
pub struct Sampler {
    weighted: Vec<&'static Command>,
    /// What `DUMP` has answered here and there, for `RESTORE`.
    payloads: Vec<Vec<u8>>,
    deadlines: i64,
}

/// What the requests before have made of a connection.
#[derive(Clone, Copy, Default, Debug)]
pub struct Conversation {
    /// `MULTI` was sent.
    pub in_multi: bool,
    /// `WATCH` was sent.
    pub watching: bool,
}

impl Conversation {
    /// What it is after a request.
    pub fn after(mut self, request: &Request) -> Conversation {
        let is_alone = request.words.len() == 1;
        // Outside a transaction they are errors, and the watch goes on.
        let ends = self.in_multi && (request.is("exec") || request.is("discard"));
        if (ends || request.is("reset")) && is_alone {
            return Conversation::default();
        }
        if request.is("multi") && is_alone {
            self.in_multi = true;
        }
        if request.is("watch") && !self.in_multi {
            self.watching = true;
        }
        if request.is("unwatch") && is_alone && !self.in_multi {
            self.watching = false;
        }
        self
    }
}

impl Sampler {
    /// A sampler that restores these payloads.
    pub fn new(payloads: Vec<Vec<u8>>) -> Self {
        let commands = Table::get().all().iter().copied();
        Sampler {
            weighted: commands.flat_map(|command| std::iter::repeat_n(command, weight(command))).collect(),
            payloads,
            deadlines: 0,
        }
    }

    /// A request that both servers may be sent.
    pub fn request(&mut self, random: &mut Rng, conversation: Conversation) -> Request {
        loop {
            let mut request = Request::new(self.words(random, conversation));
            request.is_inline = random.u32(..12) == 0 && request.fits_a_line();
            if differences::allow(&request) && !is_undecided(&request, conversation) {
                return request;
            }
        }
    }

    /// Requests about channels, often in a transaction, that leave no subscription behind. Each names one channel, so
    /// that it has one reply; nobody publishes to it, since a message has no place among the replies of a burst.
    pub fn channels(&mut self, random: &mut Rng) -> Vec<Request> {
        let names = [("", "c1"), ("", "c2"), ("P", "p*"), ("S", "s1")];
        let in_multi = random.u32(..3) > 0;
        let mut requests = vec![Request::line(if in_multi { "MULTI" } else { "PING" })];
        for _ in 0..random.usize(1..8) {
            let (kind, name) = names[random.usize(..names.len())];
            let line = match random.u32(..8) {
                0..3 => format!("{kind}SUBSCRIBE {name}"),
                3 => format!("{kind}UNSUBSCRIBE {name}"),
                4 => "PING".to_owned(),
                5 => "PING hello".to_owned(),
                6 => "PUBSUB NUMSUB c1 c2".to_owned(),
                _ => "HGET k1 f1".to_owned(),
            };
            requests.push(Request::line(&line));
        }
        if in_multi {
            requests.push(Request::line(["EXEC", "EXEC", "EXEC", "DISCARD"][random.usize(..4)]));
        }
        requests.push(Request::line("PING"));
        requests.extend(names.map(|(kind, name)| Request::line(&format!("{kind}UNSUBSCRIBE {name}"))));
        requests.push(Request::line("RESET"));
        requests.push(Request::line(&format!("HELLO {}", random.u32(2..=3))));
        requests
    }

    fn words(&mut self, random: &mut Rng, conversation: Conversation) -> Vec<Vec<u8>> {
        if random.u32(..200) == 0 {
            return vec![b"NoSuch".to_vec(), key(random), value(random)];
        }
        // A transaction has to end some time.
        if conversation.in_multi && random.u32(..8) == 0 {
            return vec![cased(if random.u32(..5) == 0 { "discard" } else { "exec" }, random)];
        }
        let command = self.weighted[random.usize(..self.weighted.len())];
        let mut words: Vec<Vec<u8>> =
            command.full_name().split('|').map(|word| cased(word, random)).collect();
        Grammar { draw: self, random, words: &mut words, count_at: None }.all(command.spec.arguments);
        if command.full_name().starts_with("command|getkeys") {
            words.truncate(2);
            words.extend(self.words(random, conversation));
        }
        if random.u32(..16) == 0 {
            spoil(&mut words, random);
        }
        words
    }

    /// Seconds that no other deadline has.
    fn far(&mut self) -> i64 {
        self.deadlines += 1;
        100_000 + (self.deadlines * 7_919 % 1_000_003) * 60
    }
}

/// A transaction that may fail must not hold commands of the session: they run all the same here.
fn is_undecided(request: &Request, conversation: Conversation) -> bool {
    let command = Table::get().find_full(request.full_name().as_bytes());
    conversation.in_multi
        && conversation.watching
        && command.is_some_and(|command| matches!(command.spec.run, Run::Session(_)))
        && !request.is("reset")
}

/// How often a command is drawn: data first.
fn weight(command: &Command) -> usize {
    let name = command.full_name();
    if UNSUITED.iter().any(|unsuited| name == *unsuited || name.split('|').next() == Some(*unsuited)) {
        return 0;
    }
    match name {
        "flushdb" | "flushall" | "swapdb" | "reset" | "hello" => 2,
        "select" => 6,
        "hset" | "hsetex" | "hgetall" => 40,
        _ => match command.spec.run {
            Run::Keys(_) => 20,
            Run::AllShards(_) | Run::Cursor(_) => 8,
            Run::Session(_) => 2,
            // See [`Sampler::channels`].
            Run::Step(Step::Subscribe(_) | Step::Unsubscribe(_)) | Run::Container(_) => 0,
            Run::Step(Step::Multi) => 24,
            Run::Step(Step::Watch) => 12,
            Run::Step(_) => 4,
        },
    }
}

impl Draw for Sampler {
    fn token(&mut self, token: &str, random: &mut Rng) -> Vec<u8> {
        cased(token, random)
    }

    fn word(&mut self, argument: &Argument, _: &[Vec<u8>], random: &mut Rng) -> Vec<u8> {
        match (argument.kind, argument.name) {
            (Kind::Key, _) => key(random),
            (Kind::Pattern, _) => PATTERNS[random.usize(..PATTERNS.len())].into(),
            (Kind::Double, _) | (Kind::String, "value") => value(random),
            (Kind::UnixTime | Kind::Integer, _) => self.number(argument, random),
            (_, "type") => [&b"hash"[..], b"HASH", b"string", b"nosuch"][random.usize(..4)].to_vec(),
            (_, "serialized-value") => self.payload(random),
            _ => field(random),
        }
    }
}

impl Sampler {
    /// What was dumped, sometimes with a byte that has changed.
    fn payload(&self, random: &mut Rng) -> Vec<u8> {
        if self.payloads.is_empty() {
            return value(random);
        }
        let mut payload = self.payloads[random.usize(..self.payloads.len())].clone();
        match random.u32(..10) {
            0 => {
                let at = random.usize(..payload.len());
                payload[at] ^= 1 << random.u32(..8);
            }
            1 => payload.truncate(random.usize(..payload.len())),
            _ => {}
        }
        payload
    }

    /// A number that suits its argument, mostly.
    fn number(&mut self, argument: &Argument, random: &mut Rng) -> Vec<u8> {
        if random.u32(..12) == 0 {
            return ODD_NUMBERS[random.usize(..ODD_NUMBERS.len())].into();
        }
        let is_millis = argument.name.contains("milliseconds") || argument.name == "ttl";
        let is_time = is_millis || argument.name.contains("seconds");
        let mut seconds = || match random.u32(..12) {
            0 => -random.i64(1..1_000),
            1 => 0,
            _ => self.far() + if argument.name.contains("unix") { FAR_SECONDS } else { 0 },
        };
        let number = match argument.name {
            _ if is_time => seconds() * if is_millis { 1_000 } else { 1 },
            "protover" => random.i64(2..=3),
            "cursor" => 0,
            "index" | "db" | "index1" | "index2" | "destination-db" => random.i64(0..i64::from(DATABASES)),
            "increment" => random.i64(-9..10),
            _ => random.i64(-3..12),
        };
        number.to_string().into_bytes()
    }
}

fn key(random: &mut Rng) -> Vec<u8> {
    match random.u32(..20) {
        0 => [&b"{t}a"[..], b"{t}b", b"", b"\0\xff", b"K1"][random.usize(..5)].to_vec(),
        1..3 => format!("k{}", random.u32(..300)).into_bytes(),
        _ => format!("k{}", random.u32(..6)).into_bytes(),
    }
}

fn field(random: &mut Rng) -> Vec<u8> {
    match random.u32(..16) {
        0 => [&b"FIELDS"[..], b"", b"\xc3\x28"][random.usize(..3)].to_vec(),
        1..4 => format!("f{}", random.u32(..300)).into_bytes(),
        _ => format!("f{}", random.u32(..5)).into_bytes(),
    }
}

fn value(random: &mut Rng) -> Vec<u8> {
    match random.u32(..300) {
        0 => vec![b'v'; random.usize(..20_000)],
        1..20 => vec![b'w'; random.usize(..400)],
        _ => VALUES[random.usize(..VALUES.len())].to_vec(),
    }
}

/// Makes a request wrong, or at least another one: a word more, a word less, a word replaced or repeated.
fn spoil(words: &mut Vec<Vec<u8>>, random: &mut Rng) {
    let at = random.usize(1..=words.len());
    let odd = ODD_NUMBERS[random.usize(..ODD_NUMBERS.len())].into();
    match random.u32(..5) {
        0 => words.truncate(at),
        1 => words.insert(at, odd),
        2 if at < words.len() => words[at] = odd,
        3 if at < words.len() => words.push(words[at].clone()),
        _ => words.push(field(random)),
    }
}

/// A name in capitals, small letters, or both.
fn cased(name: &str, random: &mut Rng) -> Vec<u8> {
    match random.u32(..4) {
        0 => name.to_ascii_lowercase(),
        1 => name
            .chars()
            .map(|c| if random.bool() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
            .collect(),
        _ => name.to_ascii_uppercase(),
    }
    .into_bytes()
}
