//! A client, a server and a clock in one value, for the tables of cases beside the commands.
//!
//! ```ignore
//! replay(&[
//!     ("HSET h f v", "(integer) 1"),
//!     ("WAIT 1000", ""),            // advances the clock by that many milliseconds, without reclaiming
//!     ("RECLAIM", ""),              // lets the wheel turn
//!     ("EVENTS", "new h, hset h"),  // what was reported since the last look
//!     ("HELLO 3", "*"),             // any reply
//! ]);
//! ```
//!
//! Requests are inline commands with redis-cli's quoting; replies are compared as redis-cli shows them.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use mayfly_acl::{Access, Users};
use mayfly_resp::{Decoded, Decoder, Protocol, ReplyReader, ReplyWriter, RequestLimits};
use mayfly_store::{AccessPolicy, KeyHasher, Keyspace, StoreOptions, UnixMillis};

use crate::access::catalogue;
use crate::changes::{Change, Changes};
use crate::client::{ClientCard, ClientState};
use crate::context::{Data, DataContext, SessionContext, Shards};
use crate::cursor::Cursor;
use crate::error::CommandError;
use crate::host::{Host, HostFacts, ShardFacts};
use crate::routing::{Router, ShardId};
use crate::spec::{Flags, Run};
use crate::table::{Command, Table};
use crate::ttl::TtlRules;
use crate::words::Words;

/// When every fixture starts: 2026-01-01T00:00:00Z.
pub const START: UnixMillis = UnixMillis(1_767_225_600_000);

/// Runs requests on a fresh fixture of one shard, then on one of four, and compares their replies.
#[track_caller]
pub fn replay(cases: &[(&str, &str)]) {
    Fixture::new().replay(cases);
    Fixture::with_shards(4).replay(cases);
}

/// One client of one shard or of several.
pub struct Fixture {
    pub now: UnixMillis,
    pub client: ClientState,
    pub host: TestHost,
    keyspaces: Vec<Option<Box<Keyspace>>>,
    router: Router,
    random: fastrand::Rng,
    changes: Changes,
    /// The rules for TTLs, if there are any.
    pub ttl_rules: Option<TtlRules>,
}

impl Fixture {
    pub fn new() -> Self {
        Self::with_shards(1)
    }

    /// A fixture whose keys are spread over `shards` shards. A command holds those alone that its route names.
    pub fn with_shards(shards: u16) -> Self {
        let hasher = KeyHasher::from_seed(1);
        let keyspace = |_| Some(Box::new(Keyspace::new(StoreOptions::default(), hasher.clone())));
        let card = ClientCard::new(7, "127.0.0.1:50000".into(), "127.0.0.1:6379".into(), START.0);
        let mut changes = Changes::default();
        changes.set_watched(true);
        Fixture {
            changes,
            ttl_rules: None,
            now: START,
            client: ClientState::new(Arc::new(card), true),
            host: TestHost::default(),
            keyspaces: (0..shards).map(keyspace).collect(),
            router: Router::new(hasher, shards),
            random: fastrand::Rng::with_seed(1),
        }
    }

    /// Runs requests in order; each reply must be as stated, the store must be sound after each.
    #[track_caller]
    pub fn replay(&mut self, cases: &[(&str, &str)]) {
        for (line, expected) in cases {
            if let Some(millis) = line.strip_prefix("WAIT ") {
                self.now = UnixMillis(self.now.0 + millis.parse::<i64>().unwrap());
                continue;
            }
            if *line == "RECLAIM" {
                for keyspace in self.keyspaces.iter_mut().flatten() {
                    while keyspace.reclaim(self.now, 256, &mut |_, _, _| {}).more {}
                }
                continue;
            }
            let got = if *line == "EVENTS" { self.events() } else { self.run(line) };
            assert!(*expected == "*" || got == *expected, "{line}\n  expected {expected}\n  got      {got}");
            self.keyspaces.iter().flatten().for_each(|keyspace| keyspace.check());
        }
    }

    /// The changes reported since the last look, `event key` each, with `@N` behind it outside database 0.
    fn events(&mut self) -> String {
        let shown = self.changes.take().into_iter().map(|change| match change {
            Change::Key { database: 0, event, key, .. } => format!("{event} {}", key.escape_ascii()),
            Change::Key { database, event, key, .. } => format!("{event} {}@{database}", key.escape_ascii()),
            Change::Flushed { database } => format!("flushed @{database}"),
            Change::Swapped { first, second } => format!("swapped @{first} @{second}"),
        });
        shown.collect::<Vec<_>>().join(", ")
    }

    /// Changes what is kept of the use of a key.
    pub fn set_access_policy(&mut self, policy: AccessPolicy) {
        self.keyspaces.iter_mut().flatten().for_each(|keyspace| keyspace.set_access_policy(policy));
    }

    /// Look-ups so far: hits and misses.
    pub fn lookups(&self) -> (u64, u64) {
        let stats = || self.keyspaces.iter().flatten().map(|keyspace| keyspace.stats());
        (stats().map(|stats| stats.hits).sum(), stats().map(|stats| stats.misses).sum())
    }

    /// Runs one inline request and shows its reply as redis-cli does.
    pub fn run(&mut self, line: &str) -> String {
        let bytes = self.run_raw(line);
        let mut reader = ReplyReader::default();
        reader.feed(&bytes);
        let value = reader.next_reply().expect("replies are well-formed").expect("replies are whole");
        assert!(reader.is_empty(), "{line}: more than one reply");
        value.to_string()
    }

    /// Runs one inline request and returns its reply as bytes.
    pub fn run_raw(&mut self, line: &str) -> Vec<u8> {
        let mut burst = format!("{line}\r\n").into_bytes();
        let mut decoder = Decoder::new(RequestLimits::default());
        assert!(matches!(decoder.decode(&mut burst), Ok(Decoded::Request)), "{line}");
        let words = Words::new(&burst, decoder.words());
        let mut out = Vec::new();
        self.execute(words, &mut out);
        out
    }

    fn execute(&mut self, words: Words<'_>, out: &mut Vec<u8>) {
        let protocol = self.client.protocol;
        match find(words, self.client.authenticated) {
            Err(error) => ReplyWriter::new(out, protocol).error(&error.line("")),
            Ok(command) => self.dispatch(command, words, out, protocol),
        }
    }

    fn dispatch(
        &mut self,
        command: &'static Command,
        words: Words<'_>,
        out: &mut Vec<u8>,
        protocol: Protocol,
    ) {
        let reply = ReplyWriter::new(out, protocol);
        match command.spec.run {
            Run::Container(_) => unreachable!("a container alone is refused"),
            Run::Step(_) => {
                unreachable!("steps of the conversation are tested where they are: in the engine")
            }
            Run::Session(run) => {
                let now_micros = self.now.0 * 1_000;
                let mut context =
                    SessionContext { client: &mut self.client, host: &self.host, now_micros, reply };
                context.run(command, run, words);
            }
            Run::Keys(run) | Run::AllShards(run) | Run::Cursor(run) => {
                let first =
                    command.spec.key_positions(words.len()).next().map_or(&b""[..], |at| words.at(at));
                let routed = self.router.key(first);
                let mut held = self.take_routed(command, words);
                let shards = match held.iter().flatten().count() {
                    1 => Shards::One(held.iter_mut().flatten().next().expect("one is held")),
                    _ => Shards::Many(&mut held),
                };
                let data = Data::new(
                    shards,
                    &self.router,
                    routed,
                    &mut self.changes,
                    !self.client.card.no_touch.load(Relaxed),
                    self.client.database,
                    self.now,
                    self.ttl_rules.as_ref(),
                );
                let mut context = DataContext { data, host: &self.host, random: &mut self.random, reply };
                context.run(command, run, words);
                for (home, held) in self.keyspaces.iter_mut().zip(held) {
                    *home = held.or(home.take());
                }
            }
        }
    }

    /// The keyspaces of the shards that a call is routed to, each at its place.
    fn take_routed(&mut self, command: &Command, words: Words<'_>) -> Vec<Option<Box<Keyspace>>> {
        let router = &self.router;
        let shards: Vec<ShardId> = match command.spec.run {
            Run::AllShards(_) => router.all().collect(),
            Run::Cursor(_) => vec![Cursor::shard_of(words.at(1), router)],
            _ => {
                let keys = command.spec.key_positions(words.len()).map(|at| router.key(words.at(at)));
                keys.map(|key| router.shard_of(key)).collect()
            }
        };
        let places = router.all().zip(&mut self.keyspaces);
        places.map(|(shard, home)| if shards.contains(&shard) { home.take() } else { None }).collect()
    }
}

fn find(words: Words<'_>, authenticated: bool) -> Result<&'static Command, CommandError> {
    let command = Table::get().resolve(words)?;
    if !authenticated && !command.spec.flags.has(Flags::NO_AUTH) {
        return Err(CommandError::fixed("NOAUTH Authentication required."));
    }
    Ok(command)
}

/// A host with a fixed config and no other clients.
pub struct TestHost {
    pub access: Access,
    pub clients: Vec<Arc<ClientCard>>,
    pub shut_down: AtomicBool,
    pub shards_at_reset: Mutex<ShardFacts>,
    pub disconnected: Mutex<Vec<u64>>,
}

impl Default for TestHost {
    fn default() -> Self {
        TestHost {
            access: Access::new(Users::default(), catalogue()),
            clients: Vec::new(),
            shut_down: AtomicBool::new(false),
            shards_at_reset: Mutex::default(),
            disconnected: Mutex::default(),
        }
    }
}

impl TestHost {
    /// Has the default user need this password.
    pub fn set_password(&self, password: &str) {
        self.access.change(|users| users.set_default_password(password));
    }
}

impl Host for TestHost {
    fn access(&self) -> &Access {
        &self.access
    }

    /// Counts upwards.
    fn fill_with_random(&self, bytes: &mut [u8]) -> Result<(), String> {
        bytes.iter_mut().enumerate().for_each(|(index, byte)| *byte = index as u8);
        Ok(())
    }

    fn databases(&self) -> u16 {
        16
    }

    fn parameters(&self, visit: &mut dyn FnMut(&str, &str)) {
        visit("maxclients", "10000");
        visit("save", "");
        visit("timeout", "0");
    }

    /// Accepts everything but the value `wrong`.
    fn set_parameters(&self, pairs: &[(&[u8], &[u8])]) -> Result<(), String> {
        match pairs.iter().any(|(_, value)| *value == b"wrong") {
            true => Err("refused: wrong".to_owned()),
            false => Ok(()),
        }
    }

    fn reset_statistics(&self, shards: ShardFacts) {
        *self.shards_at_reset.lock().unwrap() = shards;
    }

    fn clients(&self) -> Vec<Arc<ClientCard>> {
        self.clients.clone()
    }

    fn disconnect(&self, clients: &[Arc<ClientCard>]) {
        self.disconnected.lock().unwrap().extend(clients.iter().map(|card| card.id));
    }

    fn facts(&self) -> HostFacts {
        let shards_at_reset = *self.shards_at_reset.lock().unwrap();
        HostFacts { port: 6379, memory_policy: "noeviction", shards_at_reset, ..HostFacts::default() }
    }

    fn shutdown(&self) {
        self.shut_down.store(true, Relaxed);
    }
}
