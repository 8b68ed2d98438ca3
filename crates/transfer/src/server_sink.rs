//! Hashes into a running Mayfly.
//!
//! A hash travels as a `RESTORE` with its deadline, many in one burst. One that is too large for a piece is begun by a
//! `RESTORE` of its first fields, so that it never stands there without its deadline, and goes on by
//! `HSETEX key XX FIELDS …`, which keeps that deadline and does nothing once the hash has expired or was removed.

use mayfly_rdb::write_payload;
use redis::{Cmd, Value};

use crate::connection::Server;
use crate::fields::Fields;
use crate::import::Existing;
use crate::sink::{Head, Sink};
use crate::{Report, ServerAddress, TransferError};

/// Fields of a piece of a large hash, and their bytes. A piece holds more only if one field does.
const PIECE_FIELDS: usize = 10_000;
const PIECE_BYTES: usize = 1 << 20;

/// Requests of a burst, and their bytes.
const BURST_REQUESTS: usize = 1_000;
const BURST_BYTES: usize = 1 << 20;

/// A connection to the target, and the hash that is on its way there.
pub(crate) struct ServerSink {
    server: Server,
    existing: Existing,
    database: u64,
    head: Option<Head>,
    fields: Fields,
    /// Of the hash on its way: whether its first piece is there, and the fields that are.
    sent: Sent,
    sent_fields: u64,
    /// The hashes that wait to be sent, in their order.
    waiting: Vec<Waiting>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Nothing,
    Begun,
    /// It was left out, or has expired: the rest of its fields too.
    LeftOut,
}

struct Waiting {
    key: Vec<u8>,
    fields: u64,
}

impl ServerSink {
    pub(crate) fn connect(address: &ServerAddress, existing: Existing) -> Result<Self, TransferError> {
        let server = Server::connect(address)?;
        Ok(ServerSink {
            server,
            existing,
            database: 0,
            head: None,
            fields: Fields::default(),
            sent: Sent::Nothing,
            sent_fields: 0,
            waiting: Vec::new(),
        })
    }

    /// Refuses a target with keys in this database.
    pub(crate) fn check_empty(&mut self, database: u64) -> Result<(), TransferError> {
        self.server.ask(Cmd::new().arg("SELECT").arg(database))?;
        let count = self.server.ask(&redis::cmd("DBSIZE"))?;
        self.server.ask(Cmd::new().arg("SELECT").arg(self.database))?;
        match count {
            Value::Int(0) => Ok(()),
            _ => Err(TransferError::NotEmpty { server: self.server.name().to_owned(), database }),
        }
    }

    fn push_restore(&mut self, head: &Head, report: &mut Report) -> Result<(), TransferError> {
        if head.database != self.database {
            // By itself: were it refused in a burst, the rest would go to another database.
            self.exchange(report)?;
            self.server.ask(Cmd::new().arg("SELECT").arg(head.database))?;
            self.database = head.database;
        }
        let payload = write_payload(self.fields.iter());
        let mut request = redis::cmd("RESTORE");
        request.arg(&head.key[..]).arg(head.deadline.unwrap_or(0)).arg(&payload[..]).arg("ABSTTL");
        if self.existing == Existing::Replace {
            request.arg("REPLACE");
        }
        self.server.push(&request);
        let fields = self.fields.len() as u64;
        self.waiting.push(Waiting { key: head.key.clone(), fields });
        Ok(())
    }

    /// Sends what waits. Says whether the last hash is there.
    fn exchange(&mut self, report: &mut Report) -> Result<bool, TransferError> {
        let replies = self.server.exchange()?;
        let mut is_there = true;
        for (Waiting { key, fields }, reply) in self.waiting.drain(..).zip(replies) {
            is_there = match reply {
                Value::Okay => {
                    report.taken(fields);
                    true
                }
                Value::ServerError(error) if error.code() == "BUSYKEY" => {
                    if self.existing != Existing::Skip {
                        let (server, key) = (self.server.name().to_owned(), key.escape_ascii().to_string());
                        return Err(TransferError::Exists { server, database: self.database, key });
                    }
                    report.existing += 1;
                    false
                }
                reply => {
                    let request = format!("RESTORE {}", key.escape_ascii());
                    self.server.accept(&request, reply)?;
                    return Err(self.server.unexpected(&request));
                }
            };
        }
        Ok(is_there)
    }

    /// Sends the fields at hand as a piece of a hash that is too large for one request.
    fn send_piece(&mut self, head: &Head, report: &mut Report) -> Result<(), TransferError> {
        match self.sent {
            Sent::Nothing => {
                self.push_restore(head, report)?;
                self.sent = if self.exchange(report)? { Sent::Begun } else { Sent::LeftOut };
            }
            Sent::Begun => self.send_more(head, report)?,
            Sent::LeftOut => {}
        }
        self.fields.clear();
        Ok(())
    }

    fn send_more(&mut self, head: &Head, report: &mut Report) -> Result<(), TransferError> {
        let mut request = redis::cmd("HSETEX");
        request.arg(&head.key[..]).arg("XX").arg("FIELDS").arg(self.fields.len());
        for (field, value) in self.fields.iter() {
            request.arg(field).arg(value);
        }
        match self.server.ask(&request)? {
            Value::Int(1) => report.fields += self.fields.len() as u64,
            Value::Int(_) => {
                // It was counted as taken when its first piece was.
                report.hashes -= 1;
                report.expired += 1;
                self.sent = Sent::LeftOut;
            }
            _ => return Err(self.server.unexpected("HSETEX")),
        }
        Ok(())
    }
}

impl Sink for ServerSink {
    fn begin(&mut self, head: Head) -> Result<(), TransferError> {
        self.head = Some(head);
        self.fields.clear();
        self.sent = Sent::Nothing;
        self.sent_fields = 0;
        Ok(())
    }

    fn field(&mut self, field: &[u8], value: &[u8], report: &mut Report) -> Result<(), TransferError> {
        let head = self.head.as_ref().expect("fields come behind their head");
        // A payload in which a field occurs twice is refused, so such a hash begins with one field.
        let fields_max = if head.may_repeat && self.sent == Sent::Nothing { 1 } else { PIECE_FIELDS };
        let room = PIECE_BYTES.saturating_sub(field.len() + value.len());
        if self.fields.len() >= fields_max || (self.fields.len() > 0 && self.fields.bytes() > room) {
            let head = head.clone();
            self.send_piece(&head, report)?;
        }
        self.fields.push(field, value);
        self.sent_fields += 1;
        Ok(())
    }

    fn end(&mut self, report: &mut Report) -> Result<(), TransferError> {
        let head = self.head.take().expect("an end comes behind its head");
        if self.sent_fields == 0 {
            report.expired += 1;
        } else if self.sent == Sent::Nothing {
            self.push_restore(&head, report)?;
            self.fields.clear();
            if self.server.waiting() >= BURST_REQUESTS || self.server.waiting_bytes() >= BURST_BYTES {
                self.exchange(report)?;
            }
        } else {
            self.send_piece(&head, report)?;
        }
        Ok(())
    }

    fn flush(&mut self, report: &mut Report) -> Result<(), TransferError> {
        self.exchange(report).map(|_| ())
    }
}
