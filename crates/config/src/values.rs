//! The types of settings that Rust has no type for, and how each setting's type meets the [`Value`] that the
//! table speaks. The table itself is in `directives.rs`.

use std::fmt;
use std::net::IpAddr;

use crate::directive::Value;
use crate::save_points::SavePoints;

/// What stands for a secret that is set, wherever settings are shown. Never accepted as a secret itself.
pub(crate) const MASK: &str = "***";

/// A text that is never shown: `Debug` prints `***`, or nothing when it is empty.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether there is a secret at all; an empty one counts as none.
    pub fn is_set(&self) -> bool {
        !self.0.is_empty()
    }

    /// The text itself, for comparing only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.is_set() { MASK } else { "" })
    }
}

/// How much is logged; each level includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Failures an operator has to act on.
    Error,
    /// Something unexpected that Mayfly dealt with.
    Warn,
    /// Start, stop and changes of state.
    Info,
    /// What each connection does.
    Debug,
    /// What each step does.
    Trace,
}

impl Level {
    const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The level's word in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    /// The level that a word of Redis stands for.
    pub(crate) fn from_redis(word: &str) -> Option<Self> {
        let levels = [Self::Warn, Self::Info, Self::Debug, Self::Trace];
        levels.into_iter().find(|level| level.redis_name().eq_ignore_ascii_case(word))
    }

    /// Redis' nearest word for it, for `CONFIG GET loglevel`. Redis counts one level fewer.
    pub const fn redis_name(self) -> &'static str {
        match self {
            Self::Error | Self::Warn => "warning",
            Self::Info => "notice",
            Self::Debug => "verbose",
            Self::Trace => "debug",
        }
    }
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogFormat {
    /// For people: time, level, text, fields.
    Text,
    /// For collectors: one JSON object a line.
    Json,
}

impl LogFormat {
    const ALL: [Self; 2] = [Self::Text, Self::Json];

    /// The format's word in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// What is evicted when memory runs out, and so what is kept of the use of keys. Redis' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemoryPolicy {
    /// Of the keys with a TTL those that were not used for longest.
    VolatileLru,
    /// Of the keys with a TTL those that are used least often.
    VolatileLfu,
    /// Of the keys with a TTL any.
    VolatileRandom,
    /// Of the keys with a TTL those that expire first.
    VolatileTtl,
    /// Those that were not used for longest.
    AllkeysLru,
    /// Those that are used least often.
    AllkeysLfu,
    /// Any.
    AllkeysRandom,
    /// Nothing.
    Noeviction,
}

impl MemoryPolicy {
    const ALL: [Self; 8] = [
        Self::VolatileLru,
        Self::VolatileLfu,
        Self::VolatileRandom,
        Self::VolatileTtl,
        Self::AllkeysLru,
        Self::AllkeysLfu,
        Self::AllkeysRandom,
        Self::Noeviction,
    ];

    /// The policies' words, in Redis' order.
    pub(crate) const NAMES: [&'static str; 8] = [
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "volatile-ttl",
        "allkeys-lru",
        "allkeys-lfu",
        "allkeys-random",
        "noeviction",
    ];

    /// The policy's word in the file.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// Whether it goes by how often a key is used, and not by when it was used last.
    pub const fn is_by_frequency(self) -> bool {
        matches!(self, Self::VolatileLfu | Self::AllkeysLfu)
    }
}

/// Whether clients show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthClients {
    /// They have to.
    Yes,
    /// They are not asked.
    No,
    /// They may; one that is shown is checked.
    Optional,
}

impl AuthClients {
    const ALL: [Self; 3] = [Self::Yes, Self::No, Self::Optional];

    /// The words, those of Redis.
    pub(crate) const NAMES: [&'static str; 3] = ["yes", "no", "optional"];

    /// The word in the file.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// The versions of TLS that are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsProtocols {
    /// 1.2 and 1.3.
    Both,
    /// 1.2 alone.
    Tls12,
    /// 1.3 alone.
    Tls13,
}

impl TlsProtocols {
    const ALL: [Self; 3] = [Self::Both, Self::Tls12, Self::Tls13];

    /// The words, those of Redis.
    pub(crate) const NAMES: [&'static str; 3] = ["TLSv1.2 TLSv1.3", "TLSv1.2", "TLSv1.3"];

    /// The word in the file.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// The cipher suites of TLS 1.2, by the names of OpenSSL.
pub const TLS12_CIPHERS: [&str; 6] = [
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-CHACHA20-POLY1305",
];

/// The cipher suites of TLS 1.3, by the names of OpenSSL.
pub const TLS13_CIPHERSUITES: [&str; 3] =
    ["TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"];

/// When changes are brought to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FsyncPolicy {
    /// Before their replies leave.
    Always,
    /// At least once a second.
    Everysec,
    /// When the system likes to.
    Never,
}

impl FsyncPolicy {
    const ALL: [Self; 3] = [Self::Always, Self::Everysec, Self::Never];

    /// The policies' words.
    pub(crate) const NAMES: [&'static str; 3] = ["always", "everysec", "never"];

    /// The policy's word in the file.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// Redis' word for it, for `CONFIG GET appendfsync`.
    pub const fn redis_name(self) -> &'static str {
        match self {
            Self::Never => "no",
            other => other.name(),
        }
    }
}

/// A type that a field of a section may have. `from_value` answers `None` for a value of another shape, or
/// one that does not fit; a directive's [`crate::Kind`] admits neither.
pub(crate) trait Setting: Sized {
    fn to_value(&self) -> Value;
    fn from_value(value: Value) -> Option<Self>;
}

macro_rules! integer_settings {
    ($($type:ty),*) => {$(
        impl Setting for $type {
            fn to_value(&self) -> Value {
                // A setting is unsigned: none is wider than 64 bits.
                Value::Integer(*self as u64)
            }

            fn from_value(value: Value) -> Option<Self> {
                match value {
                    Value::Integer(number) => Self::try_from(number).ok(),
                    _ => None,
                }
            }
        }
    )*};
}

integer_settings!(u16, u32, usize, u64);

impl Setting for bool {
    fn to_value(&self) -> Value {
        Value::Flag(*self)
    }

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Flag(flag) => Some(flag),
            _ => None,
        }
    }
}

impl Setting for String {
    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl Setting for SavePoints {
    fn to_value(&self) -> Value {
        Value::Text(self.text())
    }

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Text(text) => SavePoints::parse(&text),
            _ => None,
        }
    }
}

impl Setting for Vec<String> {
    fn to_value(&self) -> Value {
        Value::Texts(self.clone())
    }

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Texts(texts) => Some(texts),
            _ => None,
        }
    }
}

impl Setting for Secret {
    fn to_value(&self) -> Value {
        Value::Secret(self.clone())
    }

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Secret(secret) => Some(secret),
            _ => None,
        }
    }
}

impl Setting for IpAddr {
    fn to_value(&self) -> Value {
        Value::Addresses(vec![*self])
    }

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Addresses(addresses) => match addresses[..] {
                [address] => Some(address),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Setting for Vec<IpAddr> {
    fn to_value(&self) -> Value {
        Value::Addresses(self.clone())
    }

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Addresses(addresses) => Some(addresses),
            _ => None,
        }
    }
}

macro_rules! word_settings {
    ($($type:ty),*) => {$(
        impl Setting for $type {
            fn to_value(&self) -> Value {
                Value::Word(self.name())
            }

            fn from_value(value: Value) -> Option<Self> {
                match value {
                    Value::Word(word) => Self::ALL.into_iter().find(|setting| setting.name() == word),
                    _ => None,
                }
            }
        }
    )*};
}

word_settings!(Level, LogFormat, MemoryPolicy, FsyncPolicy, AuthClients, TlsProtocols);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_in_debug() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "***");
        assert_eq!(format!("{:?}", Secret::default()), "");
        assert_eq!(Secret::new("hunter2").reveal(), "hunter2");
    }
}
