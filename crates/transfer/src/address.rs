//! Where hashes come from and go to, as it is typed.

use std::fmt;
use std::path::PathBuf;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

use crate::TransferError;

/// Where an import comes from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// An RDB file.
    File(PathBuf),
    /// A running server.
    Server(ServerAddress),
}

impl Origin {
    /// `redis://[user:password@]host[:port][/database]`, else the path of a file.
    pub fn parse(text: &str) -> Result<Self, TransferError> {
        if text.contains("://") {
            ServerAddress::parse(text).map(Self::Server)
        } else {
            Ok(Self::File(text.into()))
        }
    }
}

/// A server and how to log in to it. It is shown without the password.
#[derive(Clone)]
pub struct ServerAddress {
    info: ConnectionInfo,
    shown: String,
    /// Whether a database was named, and which.
    database: Option<u64>,
}

impl ServerAddress {
    /// `redis://[user:password@]host[:port][/database]`, or `host[:port]`.
    pub fn parse(text: &str) -> Result<Self, TransferError> {
        let shown = without_password(text);
        let wrong =
            |problem: &str| TransferError::Address { text: shown.clone(), problem: problem.to_owned() };
        let url = match text.split_once("://") {
            Some(("redis" | "valkey", _)) => text.to_owned(),
            Some(("rediss" | "valkeys", _)) => return Err(wrong("TLS is not supported")),
            Some(_) => {
                return Err(wrong("not a server's address: redis://[user:password@]host[:port][/database]"));
            }
            None => format!("redis://{text}"),
        };
        let info = url.as_str().into_connection_info();
        let info =
            info.map_err(|_| wrong("not an address: host[:port] or redis://[user:password@]host[:port]"))?;
        let named = url.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
        let database = named.filter(|(_, path)| !path.is_empty()).map(|_| info.redis_settings().db());
        let database = database.map(|database| u64::try_from(database).unwrap_or_default());
        Ok(Self::new(info, database))
    }

    /// The server at this port of this machine, with the password of its user `default`.
    pub fn local(port: u16, password: Option<&str>) -> Self {
        let info = ("127.0.0.1", port).into_connection_info().expect("a port is no text that could be wrong");
        let settings = match password {
            Some(password) => info.redis_settings().clone().set_password(password),
            None => info.redis_settings().clone(),
        };
        Self::new(info.set_redis_settings(settings), None)
    }

    /// The one database that the address names.
    pub fn database(&self) -> Option<u64> {
        self.database
    }

    /// What to connect by; databases are selected later.
    pub(crate) fn info(&self) -> ConnectionInfo {
        let settings = self.info.redis_settings().clone().set_db(0);
        self.info.clone().set_redis_settings(settings)
    }

    fn new(info: ConnectionInfo, database: Option<u64>) -> Self {
        let shown = match info.addr() {
            ConnectionAddr::Tcp(host, port) if host.contains(':') => format!("[{host}]:{port}"),
            ConnectionAddr::Tcp(host, port) => format!("{host}:{port}"),
            other => other.to_string(),
        };
        ServerAddress { info, shown, database }
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

impl fmt::Debug for ServerAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// An address that may be wrong in any way, fit to be shown.
fn without_password(text: &str) -> String {
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    if scheme.is_empty() { host.to_owned() } else { format!("{scheme}://{host}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_their_password() {
        for (text, shown, database, password) in [
            ("127.0.0.1:7000", "127.0.0.1:7000", None, None),
            ("cache", "cache:6379", None, None),
            ("redis://cache", "cache:6379", None, None),
            ("redis://cache:7000/", "cache:7000", None, None),
            ("redis://cache/3", "cache:6379", Some(3), None),
            ("redis://[::1]:7000/0", "[::1]:7000", Some(0), None),
            ("redis://:secret@cache/", "cache:6379", None, Some("secret")),
            ("valkey://ada:s%40cret@cache:1/2", "cache:1", Some(2), Some("s@cret")),
        ] {
            let address = ServerAddress::parse(text).expect(text);
            assert_eq!(address.to_string(), shown, "{text}");
            assert_eq!(address.database(), database, "{text}");
            assert_eq!(address.info.redis_settings().password(), password, "{text}");
            assert_eq!(address.info().redis_settings().db(), 0);
        }
    }

    #[test]
    fn wrong_addresses_are_refused_without_showing_a_password() {
        for text in ["rediss://:secret@cache", "http://:secret@cache", "redis://:secret@cache:port", "a:b:c"]
        {
            let error = ServerAddress::parse(text).expect_err(text).to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn what_is_no_url_is_a_file() {
        assert!(matches!(Origin::parse("dump.rdb"), Ok(Origin::File(_))));
        assert!(matches!(Origin::parse("redis://cache"), Ok(Origin::Server(_))));
        assert!(Origin::parse("http://cache").is_err());
    }
}
