//! What a session must answer by itself, and what it must make of a request that needs data.
//!
//! The counterpart of the model for the state of one connection: database, protocol, name, standing. It sees a
//! client's requests in the order they are sent, so it knows the answer before the session has read a byte.

use mayfly_command::{Flags, Run, Table, Words};
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
    /// Nothing: the conversation was over before.
    Ignored,
}

impl Conversation {
    /// A connection that begins.
    pub fn new(id: u64, has_password: bool) -> Self {
        Conversation {
            id,
            has_password,
            authenticated: !has_password,
            database: 0,
            protocol: Protocol::Resp2,
            name: Vec::new(),
            over: false,
        }
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
            Err(error) => return refused(error.line("").into_owned()),
        };
        if !self.authenticated && !command.spec.flags.has(Flags::NO_AUTH) {
            return refused("NOAUTH Authentication required.".to_owned());
        }
        match command.spec.run {
            Run::Session(_) | Run::Container(_) => {
                let words: Vec<&[u8]> = request.iter().map(|word| &word[..]).collect();
                match self.answer(command.full_name(), &words) {
                    Ok(expected) => Fate::Answered(expected),
                    Err(line) => refused(line),
                }
            }
            Run::Keys(_) | Run::AllShards(_) | Run::Cursor(_) | Run::Step(_) => {
                Fate::Data { name: command.full_name(), database: self.database }
            }
        }
    }

    fn answer(&mut self, name: &str, words: &[&[u8]]) -> Result<Expected, String> {
        let reply = match (name, words) {
            ("ping", [_]) => Reply::Simple("PONG"),
            ("ping" | "echo", [_, message]) => Reply::bulk(message),
            ("ping", _) => return Err("ERR wrong number of arguments for 'ping' command".to_owned()),
            ("quit", _) => {
                self.over = true;
                Reply::Simple("OK")
            }
            ("reset", _) => {
                let fresh = Conversation::new(self.id, self.has_password);
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
