//! What a session must answer by itself, and what it must make of a request that needs data.
//!
//! The counterpart of the model for the state of one connection: database, protocol, name, standing. It sees a
//! client's requests in the order they are sent, so it knows the answer before the session has read a byte.

use std::collections::BTreeSet;

use mayfly_command::{ChannelKind, Flags, Run, Step, Table, Words};
use mayfly_engine::SessionOptions;
use mayfly_resp::{Protocol, Span};

use crate::expected::{Expected, Reply};
use crate::host::PASSWORD;
use crate::model::DATABASES;

/// The state of one connection.
#[derive(Debug)]
pub struct Conversation {
    id: u64,
    has_password: bool,
    authenticated: bool,
    database: usize,
    protocol: Protocol,
    name: Vec<u8>,
    over: bool,
    limits: Limits,
    transaction: Option<Transaction>,
    /// Keys of `WATCH` that no transaction has used up.
    watched: Vec<Vec<u8>>,
    /// Channels, patterns and shard channels.
    subscriptions: [BTreeSet<Vec<u8>>; 3],
}

/// Limits of one conversation.
#[derive(Clone, Copy, Debug)]
struct Limits {
    transaction_calls_max: usize,
    transaction_bytes_max: usize,
    watched_keys_max: usize,
}

/// Requests that wait for `EXEC`.
#[derive(Debug, Default)]
struct Transaction {
    requests: Vec<(&'static str, Vec<Vec<u8>>)>,
    bytes: usize,
    is_aborted: bool,
}

/// A request of a transaction that is carried out.
#[derive(Clone, Debug)]
pub struct Inner {
    /// Full name of the command.
    pub name: &'static str,
    /// Its words.
    pub words: Vec<Vec<u8>>,
    /// The database it is for.
    pub database: usize,
    /// What the session answers, if it needs no data.
    pub answer: Option<(Expected, Protocol)>,
}

/// What must become of a request.
#[derive(Clone, Debug)]
pub enum Fate {
    /// The session answers.
    Answered(Expected),
    /// Shards carry it out.
    Data {
        /// Full name of the command.
        name: &'static str,
        /// In this database.
        database: usize,
    },
    /// Shards carry it out as one, if none of these keys has changed.
    Transaction {
        /// What was queued.
        calls: Vec<Inner>,
        /// The keys that were watched.
        watched: Vec<Vec<u8>>,
    },
    /// Nothing: the conversation was over before.
    Ignored,
}

impl Conversation {
    /// A connection that begins.
    pub fn new(id: u64, has_password: bool, options: &SessionOptions) -> Self {
        let limits = Limits {
            transaction_calls_max: options.transaction.calls_max,
            transaction_bytes_max: options.transaction.bytes_max,
            watched_keys_max: options.watched_keys_max,
        };
        Conversation::begin(id, has_password, limits)
    }

    fn begin(id: u64, has_password: bool, limits: Limits) -> Self {
        Conversation {
            id,
            has_password,
            authenticated: !has_password,
            database: 0,
            protocol: Protocol::Resp2,
            name: Vec::new(),
            over: false,
            limits,
            transaction: None,
            watched: Vec::new(),
            subscriptions: Default::default(),
        }
    }

    /// Whether requests are being queued.
    pub fn is_queuing(&self) -> bool {
        self.transaction.is_some()
    }

    /// Whether only few commands are allowed, since replies and messages cannot be told apart.
    pub fn is_restricted(&self) -> bool {
        self.protocol == Protocol::Resp2 && self.subscriptions.iter().any(|names| !names.is_empty())
    }

    /// Whether a request would make what comes next depend on whether a transaction is carried out.
    pub fn would_be_open(&self, request: &[Vec<u8>]) -> bool {
        let is_subscribing = || {
            let name = request[0].to_ascii_lowercase();
            name.ends_with(b"subscribe")
        };
        self.is_queuing() && !self.watched.is_empty() && is_subscribing()
    }

    /// How the replies to what comes next are shaped.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether the client has shown its password, or needs none.
    pub fn is_authenticated(&self) -> bool {
        self.authenticated
    }

    /// Whether nothing more is answered.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// The answer to bytes that are no request.
    pub fn protocol_error(&mut self, text: &str) -> Fate {
        if std::mem::replace(&mut self.over, true) {
            return Fate::Ignored;
        }
        refused(format!("ERR Protocol error: {text}"))
    }

    /// What must become of a request.
    pub fn take(&mut self, request: &[Vec<u8>]) -> Fate {
        if self.over {
            return Fate::Ignored;
        }
        let burst = request.concat();
        let mut start = 0;
        let spans: Vec<Span> = request
            .iter()
            .map(|word| {
                let span = Span { start, length: word.len() as u32 };
                start += word.len() as u32;
                span
            })
            .collect();
        let command = match Table::get().resolve(Words::new(&burst, &spans)) {
            Ok(command) => command,
            // The texts have tests of their own; here it counts that the reply stands in its place.
            Err(error) => return self.reject(&request[0], error.line("").into_owned()),
        };
        let name = command.full_name();
        if !self.authenticated && !command.spec.flags.has(Flags::NO_AUTH) {
            return self.reject(&request[0], "NOAUTH Authentication required.".to_owned());
        }
        let is_subscribing = matches!(command.spec.run, Run::Step(Step::Subscribe(_) | Step::Unsubscribe(_)));
        if self.is_restricted() && !is_subscribing && !matches!(name, "ping" | "quit" | "reset") {
            return self.reject(&request[0], format!(
                "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
                 allowed in this context"
            ));
        }
        if self.is_queuing() && command.spec.flags.has(Flags::NO_MULTI) {
            return self.reject(&request[0], "ERR Command not allowed inside a transaction".to_owned());
        }
        if self.is_queuing() && !matches!(name, "multi" | "exec" | "discard" | "watch" | "quit" | "reset") {
            return self.queue(name, request);
        }
        let words: Vec<&[u8]> = request.iter().map(|word| &word[..]).collect();
        match command.spec.run {
            Run::Session(_) | Run::Container(_) => match self.answer(name, &words) {
                Ok(expected) => Fate::Answered(expected),
                Err(line) => refused(line),
            },
            Run::Step(step) => self.step(step, name, request),
            Run::Keys(_) | Run::AllShards(_) | Run::Cursor(_) => Fate::Data { name, database: self.database },
        }
    }

    /// Refuses a request; a transaction that misses one is not carried out.
    fn reject(&mut self, name: &[u8], line: String) -> Fate {
        if name.eq_ignore_ascii_case(b"exec") {
            self.transaction = None;
            self.watched.clear();
            return refused(format!(
                "EXECABORT Transaction discarded because of: {}",
                line.trim_start_matches("ERR ")
            ));
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.is_aborted = true;
        }
        refused(line)
    }

    fn queue(&mut self, name: &'static str, request: &[Vec<u8>]) -> Fate {
        let Limits { transaction_calls_max, transaction_bytes_max, .. } = self.limits;
        let Some(transaction) = &mut self.transaction else { return Fate::Ignored };
        let bytes = transaction.bytes + request.iter().map(Vec::len).sum::<usize>();
        if transaction.requests.len() >= transaction_calls_max || bytes > transaction_bytes_max {
            return self.reject(&request[0], format!(
                "ERR transaction too long: at most {transaction_calls_max} commands, {transaction_bytes_max} bytes"
            ));
        }
        transaction.bytes = bytes;
        transaction.requests.push((name, request.to_vec()));
        Fate::Answered(Expected::Exactly(Reply::Simple("QUEUED")))
    }

    fn step(&mut self, step: Step, name: &'static str, request: &[Vec<u8>]) -> Fate {
        let ok = Fate::Answered(Expected::Exactly(Reply::Simple("OK")));
        match step {
            Step::Multi if self.is_queuing() => refused("ERR MULTI calls can not be nested".to_owned()),
            Step::Multi => {
                self.transaction = Some(Transaction::default());
                ok
            }
            Step::Exec => match self.transaction.take() {
                None => refused("ERR EXEC without MULTI".to_owned()),
                Some(transaction) => self.exec(transaction),
            },
            Step::Discard if !self.is_queuing() => refused("ERR DISCARD without MULTI".to_owned()),
            Step::Discard | Step::Unwatch => {
                self.transaction = None;
                self.watched.clear();
                ok
            }
            Step::Watch if self.is_queuing() => refused("ERR WATCH inside MULTI is not allowed".to_owned()),
            Step::Watch => {
                let max = self.limits.watched_keys_max;
                if self.watched.len() + request.len() - 1 > max {
                    return refused(format!("ERR a client may watch {max} keys at most"));
                }
                self.watched.extend_from_slice(&request[1..]);
                Fate::Data { name, database: self.database }
            }
            _ => {
                self.note_subscriptions(step, request);
                Fate::Data { name, database: self.database }
            }
        }
    }

    fn note_subscriptions(&mut self, step: Step, request: &[Vec<u8>]) {
        match step {
            Step::Subscribe(kind) => {
                self.subscriptions[kind as usize].extend(request[1..].iter().cloned());
            }
            Step::Unsubscribe(kind) => {
                let names = &mut self.subscriptions[kind as usize];
                if request.len() == 1 {
                    names.clear();
                }
                for name in &request[1..] {
                    names.remove(name);
                }
            }
            _ => {}
        }
    }

    fn exec(&mut self, transaction: Transaction) -> Fate {
        let watched = std::mem::take(&mut self.watched);
        if transaction.is_aborted {
            return refused("EXECABORT Transaction discarded because of previous errors.".to_owned());
        }
        let mut calls = Vec::new();
        for (name, words) in transaction.requests {
            let run = Table::get().find_full(name.as_bytes()).map(|command| command.spec.run);
            match run {
                // Refused.
                Some(Run::Step(Step::Subscribe(ChannelKind::ShardChannel))) => {}
                Some(Run::Step(step)) => self.note_subscriptions(step, &words),
                _ => {}
            }
            let answer = match run {
                Some(Run::Step(Step::Subscribe(ChannelKind::ShardChannel))) => {
                    let line = "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client".to_owned();
                    Some(Expected::Exactly(Reply::Error(line)))
                }
                Some(Run::Session(_) | Run::Container(_)) => {
                    let words: Vec<&[u8]> = words.iter().map(|word| &word[..]).collect();
                    let answer = self.answer(name, &words);
                    Some(answer.unwrap_or_else(|line| Expected::Exactly(Reply::Error(line))))
                }
                Some(Run::Step(Step::Unwatch)) => Some(Expected::Exactly(Reply::Simple("OK"))),
                _ => None,
            };
            let answer = answer.map(|expected| (expected, self.protocol));
            calls.push(Inner { name, words, database: self.database, answer });
        }
        if watched.is_empty() && calls.iter().all(|call| call.answer.is_some()) {
            return Fate::Answered(Expected::Sequence(
                calls.into_iter().filter_map(|call| call.answer).collect(),
            ));
        }
        Fate::Transaction { calls, watched }
    }

    fn answer(&mut self, name: &str, words: &[&[u8]]) -> Result<Expected, String> {
        let reply = match (name, words) {
            ("ping", [_] | [_, _]) if self.is_restricted() => {
                let message = words.get(1).copied().unwrap_or_default();
                Reply::Array(vec![Reply::bulk("pong"), Reply::bulk(message)])
            }
            ("ping", [_]) => Reply::Simple("PONG"),
            ("ping" | "echo", [_, message]) => Reply::bulk(message),
            ("ping", _) => return Err("ERR wrong number of arguments for 'ping' command".to_owned()),
            ("quit", _) => {
                self.over = true;
                Reply::Simple("OK")
            }
            ("reset", _) => {
                let fresh = Conversation::begin(self.id, self.has_password, self.limits);
                *self = fresh;
                Reply::Simple("RESET")
            }
            ("select", [_, index]) => {
                self.database = database(index)?;
                Reply::Simple("OK")
            }
            ("auth", [_, _]) if !self.has_password => {
                return Err(
                    "ERR AUTH <password> called without any password configured for the default user. \
                            Are you sure your configuration is correct?"
                        .to_owned(),
                );
            }
            ("auth", [_, password]) => self.authenticate(b"default", password)?,
            ("auth", [_, user, password]) => self.authenticate(user, password)?,
            ("auth", _) => return Err("ERR syntax error".to_owned()),
            ("hello", _) => self.hello(&words[1..])?,
            ("client|id", _) => Reply::Integer(self.id as i64),
            ("client|getname", _) if self.name.is_empty() => Reply::Null,
            ("client|getname", _) => Reply::bulk(&self.name),
            ("client|setname", [_, _, name]) => {
                self.name = checked_name(name)?;
                Reply::Simple("OK")
            }
            _ => return Ok(Expected::Any),
        };
        Ok(Expected::Exactly(reply))
    }

    fn authenticate(&mut self, user: &[u8], password: &[u8]) -> Result<Reply, String> {
        let is_right = !self.has_password || password == PASSWORD.as_bytes();
        if user != b"default" || !is_right {
            return Err("WRONGPASS invalid username-password pair or user is disabled.".to_owned());
        }
        self.authenticated = true;
        Ok(Reply::Simple("OK"))
    }

    fn hello(&mut self, words: &[&[u8]]) -> Result<Reply, String> {
        let protocol = match words.first().copied() {
            None => None,
            Some(b"2") => Some(Protocol::Resp2),
            Some(b"3") => Some(Protocol::Resp3),
            Some(word) if crate::model::is_integer(word) => {
                return Err("NOPROTO unsupported protocol version".to_owned());
            }
            Some(_) => return Err("ERR Protocol version is not an integer or out of range".to_owned()),
        };
        let (mut credentials, mut name) = (None, None);
        let mut rest = words.get(1..).unwrap_or_default();
        while let [option, behind @ ..] = rest {
            rest = match (option.to_ascii_lowercase().as_slice(), behind) {
                (b"auth", [user, password, rest @ ..]) => {
                    credentials = Some((*user, *password));
                    rest
                }
                (b"setname", [word, rest @ ..]) => {
                    name = Some(checked_name(word)?);
                    rest
                }
                _ => {
                    let option = String::from_utf8_lossy(&option[..option.len().min(128)]);
                    return Err(format!("ERR Syntax error in HELLO option '{option}'"));
                }
            };
        }
        if let Some((user, password)) = credentials {
            self.authenticate(user, password)?;
        }
        if !self.authenticated {
            return Err("NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO \
                        <proto> AUTH <user> <pass> option can be used to authenticate the client and select the \
                        RESP protocol version at the same time"
                .to_owned());
        }
        self.name = name.unwrap_or_else(|| std::mem::take(&mut self.name));
        self.protocol = protocol.unwrap_or(self.protocol);
        let number = if self.protocol == Protocol::Resp2 { 2 } else { 3 };
        let entry = |name: &str, reply: Reply| (Reply::bulk(name), reply);
        Ok(Reply::Map(vec![
            entry("server", Reply::bulk("redis")),
            entry("version", Reply::bulk(mayfly_command::REDIS_VERSION)),
            entry("proto", Reply::Integer(number)),
            entry("id", Reply::Integer(self.id as i64)),
            entry("mode", Reply::bulk("standalone")),
            entry("role", Reply::bulk("master")),
            entry("modules", Reply::Array(Vec::new())),
        ]))
    }
}

fn refused(line: String) -> Fate {
    Fate::Answered(Expected::Exactly(Reply::Error(line)))
}

fn checked_name(name: &[u8]) -> Result<Vec<u8>, String> {
    if name.iter().all(u8::is_ascii_graphic) {
        Ok(name.to_vec())
    } else {
        Err("ERR Client names cannot contain spaces, newlines or special characters.".to_owned())
    }
}

fn database(index: &[u8]) -> Result<usize, String> {
    if !crate::model::is_integer(index) {
        return Err("ERR value is not an integer or out of range".to_owned());
    }
    let index: i64 = String::from_utf8_lossy(index).parse().unwrap_or(-1);
    let index = i32::try_from(index)
        .map_err(|_| "ERR value is out of range, value must between -2147483648 and 2147483647")?;
    usize::try_from(index)
        .ok()
        .filter(|&index| index < DATABASES)
        .ok_or("ERR DB index is out of range".to_owned())
}
