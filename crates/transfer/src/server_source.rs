//! Hashes of a running server: Redis 6 and later, Valkey, Mayfly.
//!
//! ```text
//!  SCAN … TYPE hash ─▶ MEMORY USAGE of each ─┬─ small: MULTI, PEXPIRETIME, DUMP, EXEC, many in one burst
//!                                            └─ large: PEXPIRETIME, HLEN, then HSCAN piece by piece
//! ```
//!
//! A small hash and its deadline are read at one moment. A large one is not: a field that changes meanwhile is taken
//! as it was or as it is. A key that is there from the beginning to the end is handed over at least once, perhaps
//! twice (that is what SCAN promises); one that is removed later stays in the copy, until its deadline.

use mayfly_rdb::{RdbError, read_foreign_payload};
use redis::{Cmd, Value};

use crate::connection::{Server, integer, scanned};
use crate::sink::{Head, Sink};
use crate::source::{Filter, Progressed, Source};
use crate::{Report, ServerAddress, TransferError, clock};

/// Keys that a SCAN is asked for.
const SCAN_KEYS: u64 = 500;

/// Hashes of at most this size, as MEMORY USAGE tells it, are read whole; and so much at once.
const WHOLE_BYTES_MAX: u64 = 16 << 20;
const BURST_BYTES: u64 = 16 << 20;

/// About the bytes that an HSCAN is asked for, and the most fields.
const PIECE_BYTES: u64 = 1 << 20;
const PIECE_FIELDS_MAX: u64 = 1_000;

/// Where a scan of a server goes on.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Position {
    /// The database, by its place among those that are read.
    pub(crate) database: u64,
    /// The cursor of SCAN there.
    pub(crate) cursor: u64,
}

/// A connection to the server that is read.
pub(crate) struct ServerSource {
    server: Server,
    /// Changes when the server starts anew, and with it what cursors mean.
    run: String,
    /// Databases to read, in ascending order.
    databases: Vec<u64>,
    pattern: Option<String>,
    /// The next scan; `None` behind the last.
    position: Option<Position>,
    selected: Option<u64>,
    /// Redis 6 has no PEXPIRETIME.
    tells_deadlines: bool,
    tells_field_ttls: bool,
    done: u64,
    total: u64,
}

impl ServerSource {
    pub(crate) fn connect(address: &ServerAddress, filter: Filter) -> Result<Self, TransferError> {
        let mut server = Server::connect(address)?;
        let run = info(&mut server, "server")?
            .lines()
            .find_map(|line| line.strip_prefix("run_id:"))
            .map(str::to_owned);
        let keyspace = info(&mut server, "keyspace")?;
        let mut databases: Vec<(u64, u64)> = keyspace.lines().filter_map(keys_of_database).collect();
        databases.retain(|(database, _)| filter.admits_database(*database));
        databases.sort_unstable();
        let total = databases.iter().map(|(_, keys)| keys).sum();
        let databases: Vec<_> = databases.into_iter().map(|(database, _)| database).collect();
        server.push(Cmd::new().arg("PEXPIRETIME").arg(""));
        server.push(Cmd::new().arg("HPEXPIRETIME").arg("").arg("FIELDS").arg(1).arg(""));
        let probes = server.exchange()?;
        let knows = |place: usize| !matches!(probes.get(place), None | Some(Value::ServerError(_)));
        let position = databases.first().map(|&database| Position { database, cursor: 0 });
        Ok(ServerSource {
            run: run.unwrap_or_default(),
            databases,
            pattern: filter.pattern,
            position,
            selected: None,
            tells_deadlines: knows(0),
            tells_field_ttls: knows(1),
            done: 0,
            total,
            server,
        })
    }

    /// Which run of the server this is.
    pub(crate) fn run(&self) -> &str {
        &self.run
    }

    /// The databases that are read.
    pub(crate) fn databases(&self) -> &[u64] {
        &self.databases
    }

    /// Where the next round begins; `None` behind the last.
    pub(crate) fn position(&self) -> Option<Position> {
        self.position
    }

    /// Goes on where a scan of the same run of the server was, `done` keys on.
    pub(crate) fn resume(&mut self, position: Position, done: u64) {
        self.done = done;
        // The database may have become empty since.
        let next = self.databases.iter().find(|database| **database >= position.database);
        self.position =
            next.map(
                |&database| {
                    if database == position.database { position } else { Position { database, cursor: 0 } }
                },
            );
    }

    /// Keys that were read so far.
    pub(crate) fn done(&self) -> u64 {
        self.done
    }

    fn scan(&mut self, position: Position) -> Result<Vec<Vec<u8>>, TransferError> {
        let mut request = redis::cmd("SCAN");
        request.arg(position.cursor).arg("COUNT").arg(SCAN_KEYS);
        if let Some(pattern) = &self.pattern {
            request.arg("MATCH").arg(pattern);
        }
        request.arg("TYPE").arg("hash");
        let reply = self.server.ask(&request)?;
        let (cursor, keys) = scanned(reply).ok_or_else(|| self.server.unexpected("SCAN"))?;
        self.position = if cursor == 0 {
            let next = self.databases.iter().find(|database| **database > position.database);
            next.map(|&database| Position { database, cursor: 0 })
        } else {
            Some(Position { cursor, ..position })
        };
        Ok(keys)
    }

    /// The size of each key, 0 where it is gone.
    fn sizes(&mut self, keys: &[Vec<u8>]) -> Result<Vec<u64>, TransferError> {
        for key in keys {
            self.server.push(Cmd::new().arg("MEMORY").arg("USAGE").arg(&key[..]));
        }
        let replies = self.server.exchange()?;
        let size = |reply| {
            let reply = self.server.accept("MEMORY USAGE", reply)?;
            Ok(integer(&reply).and_then(|size| u64::try_from(size).ok()).unwrap_or_default())
        };
        replies.into_iter().map(size).collect()
    }

    /// Asks for when a key expires.
    fn push_deadline(&mut self, key: &[u8]) {
        let name = if self.tells_deadlines { "PEXPIRETIME" } else { "PTTL" };
        self.server.push(Cmd::new().arg(name).arg(key));
    }

    /// What the answer means; `asked` is a time before it.
    fn lifetime(&self, reply: &Value, asked: i64) -> Result<Lifetime, TransferError> {
        let base = if self.tells_deadlines { 0 } else { asked };
        match integer(reply) {
            Some(-1) => Ok(Lifetime::Endless),
            Some(time @ 0..) => Ok(Lifetime::Until(base.saturating_add(time))),
            Some(_) => Ok(Lifetime::Gone),
            None => Err(self.server.unexpected("PEXPIRETIME")),
        }
    }

    fn read_whole(
        &mut self,
        database: u64,
        keys: &[Vec<u8>],
        sink: &mut dyn Sink,
        report: &mut Report,
    ) -> Result<(), TransferError> {
        const REQUESTS: usize = 4;
        let asked = clock::unix_millis();
        for key in keys {
            self.server.push(&redis::cmd("MULTI"));
            self.push_deadline(key);
            self.server.push(Cmd::new().arg("DUMP").arg(&key[..]));
            self.server.push(&redis::cmd("EXEC"));
        }
        let mut replies = self.server.exchange()?.into_iter().skip(REQUESTS - 1).step_by(REQUESTS);
        for key in keys {
            let reply = self.server.accept("EXEC", replies.next().unwrap_or_default())?;
            let Value::Array(parts) = reply else { return Err(self.server.unexpected("EXEC")) };
            let [time, payload] =
                <[Value; 2]>::try_from(parts).map_err(|_| self.server.unexpected("EXEC"))?;
            let lifetime = self.lifetime(&time, asked)?;
            match (self.server.accept("DUMP", payload)?, lifetime) {
                (Value::BulkString(payload), lifetime @ (Lifetime::Endless | Lifetime::Until(_))) => {
                    let head =
                        Head { database, key: key.clone(), deadline: lifetime.deadline(), may_repeat: false };
                    self.hand_over(&head, &payload, sink, report)?;
                }
                _ => report.gone += 1,
            }
        }
        Ok(())
    }

    fn hand_over(
        &self,
        head: &Head,
        payload: &[u8],
        sink: &mut dyn Sink,
        report: &mut Report,
    ) -> Result<(), TransferError> {
        let now = clock::unix_millis();
        if head.deadline.is_some_and(|deadline| deadline <= now) {
            report.expired += 1;
            return Ok(());
        }
        let request = || format!("DUMP {}", head.key.escape_ascii());
        sink.begin(head.clone())?;
        let mut refusal = None;
        let read = read_foreign_payload(payload, now, &mut |field, value| {
            refusal = sink.field(field, value, report).err();
            refusal.is_none()
        });
        match (refusal, read) {
            (Some(error), _) => Err(error),
            (None, Ok(counts)) => {
                report.without_ttl(counts);
                sink.end(report)
            }
            // It was replaced by something else since the scan.
            (None, Err(RdbError::NotAHash(_))) => {
                report.gone += 1;
                Ok(())
            }
            (None, Err(problem)) => Err(self.server.refused(&request(), &problem.to_string())),
        }
    }

    fn read_in_pieces(
        &mut self,
        database: u64,
        key: &[u8],
        size: u64,
        sink: &mut dyn Sink,
        report: &mut Report,
    ) -> Result<(), TransferError> {
        let asked = clock::unix_millis();
        self.push_deadline(key);
        self.server.push(Cmd::new().arg("HLEN").arg(key));
        let replies = self.server.exchange()?;
        let [time, length] = <[Value; 2]>::try_from(replies).map_err(|_| self.server.unexpected("HLEN"))?;
        let lifetime = self.lifetime(&time, asked)?;
        let length = integer(&length).and_then(|length| u64::try_from(length).ok()).unwrap_or_default();
        if lifetime == Lifetime::Gone || length == 0 {
            report.gone += 1;
            return Ok(());
        }
        sink.begin(Head { database, key: key.to_vec(), deadline: lifetime.deadline(), may_repeat: true })?;
        let fields = (PIECE_BYTES.saturating_mul(length) / size.max(1)).clamp(1, PIECE_FIELDS_MAX);
        let mut cursor = 0;
        loop {
            let request = Cmd::new().arg("HSCAN").arg(key).arg(cursor).arg("COUNT").arg(fields).take();
            let reply = self.server.ask(&request)?;
            let (next, items) = scanned(reply).ok_or_else(|| self.server.unexpected("HSCAN"))?;
            let pairs = items.chunks_exact(2);
            if !pairs.remainder().is_empty() {
                return Err(self.server.unexpected("HSCAN"));
            }
            report.field_ttls += self.count_ttls(key, pairs.clone().map(|pair| &pair[0][..]))?;
            for pair in pairs {
                sink.field(&pair[0], &pair[1], report)?;
            }
            if next == 0 {
                return sink.end(report);
            }
            cursor = next;
        }
    }

    /// How many of these fields have a TTL of their own.
    fn count_ttls<'f>(
        &mut self,
        key: &[u8],
        fields: impl ExactSizeIterator<Item = &'f [u8]>,
    ) -> Result<u64, TransferError> {
        if !self.tells_field_ttls || fields.len() == 0 {
            return Ok(0);
        }
        let mut request = redis::cmd("HPEXPIRETIME");
        request.arg(key).arg("FIELDS").arg(fields.len());
        for field in fields {
            request.arg(field);
        }
        match self.server.ask(&request)? {
            Value::Array(times) => {
                Ok(times.iter().filter(|time| integer(time).is_some_and(|time| time >= 0)).count() as u64)
            }
            _ => Ok(0),
        }
    }
}

impl Source for ServerSource {
    fn round(&mut self, sink: &mut dyn Sink, report: &mut Report) -> Result<bool, TransferError> {
        let Some(position) = self.position else { return Ok(false) };
        if self.selected != Some(position.database) {
            self.server.ask(Cmd::new().arg("SELECT").arg(position.database))?;
            self.selected = Some(position.database);
        }
        let keys = self.scan(position)?;
        let sizes = self.sizes(&keys)?;
        let mut burst = 0..0;
        let mut burst_bytes = 0;
        for (place, (key, &size)) in keys.iter().zip(&sizes).enumerate() {
            let is_large = size > WHOLE_BYTES_MAX;
            if is_large || burst_bytes + size > BURST_BYTES {
                self.read_whole(position.database, &keys[burst.clone()], sink, report)?;
                (burst, burst_bytes) = (place..place, 0);
            }
            if is_large {
                self.read_in_pieces(position.database, key, size, sink, report)?;
                burst = place + 1..place + 1;
            } else {
                burst.end = place + 1;
                burst_bytes += size;
            }
        }
        self.read_whole(position.database, &keys[burst], sink, report)?;
        self.done += keys.len() as u64;
        Ok(self.position.is_some())
    }

    fn progressed(&self) -> Progressed {
        Progressed { done: self.done, total: self.total, is_bytes: false }
    }
}

/// How long a key lives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lifetime {
    Gone,
    Endless,
    Until(i64),
}

impl Lifetime {
    fn deadline(self) -> Option<i64> {
        if let Lifetime::Until(deadline) = self { Some(deadline) } else { None }
    }
}

fn info(server: &mut Server, section: &str) -> Result<String, TransferError> {
    match server.ask(Cmd::new().arg("INFO").arg(section))? {
        Value::BulkString(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Value::VerbatimString { text, .. } | Value::SimpleString(text) => Ok(text),
        _ => Err(server.unexpected("INFO")),
    }
}

/// `db0:keys=5,expires=1,…`: the database and its keys.
fn keys_of_database(line: &str) -> Option<(u64, u64)> {
    let (database, counts) = line.strip_prefix("db")?.split_once(':')?;
    let keys = counts.split(',').find_map(|count| count.strip_prefix("keys="))?;
    Some((database.parse().ok()?, keys.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_those_of_info() {
        assert_eq!(keys_of_database("db0:keys=5,expires=1,avg_ttl=0"), Some((0, 5)));
        assert_eq!(keys_of_database("db15:keys=1"), Some((15, 1)));
        for line in ["# Keyspace", "", "db0_distrib:keys=1", "db:keys=1"] {
            assert_eq!(keys_of_database(line), None);
        }
    }
}
