//! A connection to a server: requests in bursts, a reply for each, errors with the server's name.

use std::time::Duration;

use redis::{Client, Cmd, Connection, ConnectionLike, ErrorKind, RedisError, Value};
use socket2::TcpKeepalive;

use crate::{ServerAddress, TransferError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// After so long without a word the kernel asks whether the other machine is still there. A timeout of reading would
/// end a transfer that somebody has stopped for a while (SIGSTOP): the kernel then interrupts the read.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// A connection, and requests that wait to be sent.
pub(crate) struct Server {
    connection: Connection,
    name: String,
    waiting: Vec<u8>,
    count: usize,
}

impl Server {
    pub(crate) fn connect(address: &ServerAddress) -> Result<Self, TransferError> {
        let name = address.to_string();
        let failed = |error| TransferError::Connection { server: address.to_string(), error };
        let info = address.info();
        let settings = info.tcp_settings().clone().set_keepalive(TcpKeepalive::new().with_time(KEEPALIVE));
        let client = Client::open(info.set_tcp_settings(settings)).map_err(failed)?;
        let connection = client.get_connection_with_timeout(CONNECT_TIMEOUT).map_err(failed)?;
        Ok(Server { connection, name, waiting: Vec::new(), count: 0 })
    }

    /// Gives up when a reply takes longer.
    pub(crate) fn wait_for_replies_at_most(&mut self, timeout: Duration) -> Result<(), TransferError> {
        self.connection.set_read_timeout(Some(timeout)).map_err(|error| self.lost(error))
    }

    /// The server's address, without its password.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Puts a request behind those that wait.
    pub(crate) fn push(&mut self, request: &Cmd) {
        request.write_packed_command(&mut self.waiting);
        self.count += 1;
    }

    /// Requests that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.count
    }

    /// Bytes of the requests that wait.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting.len()
    }

    /// Sends the requests that wait, and returns their replies in the same order.
    pub(crate) fn exchange(&mut self) -> Result<Vec<Value>, TransferError> {
        let count = std::mem::take(&mut self.count);
        if count == 0 {
            return Ok(Vec::new());
        }
        let replies = self.connection.req_packed_commands(&self.waiting, 0, count);
        self.waiting.clear();
        let replies = replies.map_err(|error| self.lost(error))?;
        if replies.len() != count {
            return Err(self.lost(RedisError::from((ErrorKind::Parse, "it has left out a reply"))));
        }
        Ok(replies)
    }

    /// Sends one request, of which the first word is told in an error.
    pub(crate) fn ask(&mut self, request: &Cmd) -> Result<Value, TransferError> {
        self.push(request);
        let reply = self.exchange()?.pop().unwrap_or_default();
        let words = request.args_iter().next();
        let name = match words {
            Some(redis::Arg::Simple(word)) => String::from_utf8_lossy(word).into_owned(),
            _ => String::new(),
        };
        self.accept(&name, reply)
    }

    /// The reply, unless it is an error.
    pub(crate) fn accept(&self, request: &str, reply: Value) -> Result<Value, TransferError> {
        match reply {
            Value::ServerError(error) => {
                let text = format!("{} {}", error.code(), error.details().unwrap_or_default());
                Err(self.refused(request, text.trim_end()))
            }
            reply => Ok(reply),
        }
    }

    /// The error for a reply that is not what was asked for.
    pub(crate) fn refused(&self, request: &str, problem: &str) -> TransferError {
        let (server, request) = (self.name.clone(), request.to_owned());
        TransferError::Refused { server, request, problem: problem.to_owned() }
    }

    /// The error for a reply of another form than expected.
    pub(crate) fn unexpected(&self, request: &str) -> TransferError {
        self.refused(request, "the reply is not of the form that Redis gives it")
    }

    fn lost(&self, error: RedisError) -> TransferError {
        TransferError::Connection { server: self.name.clone(), error }
    }
}

/// An integer, also where it is given as text.
pub(crate) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Int(integer) => Some(*integer),
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
        _ => None,
    }
}

/// The cursor and the items that `SCAN` and `HSCAN` answer.
pub(crate) fn scanned(reply: Value) -> Option<(u64, Vec<Vec<u8>>)> {
    let Value::Array(parts) = reply else { return None };
    let [cursor, items] = <[Value; 2]>::try_from(parts).ok()?;
    let Value::BulkString(digits) = cursor else { return None };
    let cursor = std::str::from_utf8(&digits).ok()?.parse().ok()?;
    let Value::Array(items) = items else { return None };
    let bytes = |item| if let Value::BulkString(bytes) = item { Some(bytes) } else { None };
    Some((cursor, items.into_iter().map(bytes).collect::<Option<_>>()?))
}
