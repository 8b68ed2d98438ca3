//! A reply as a value: for tests, the simulator and bench clients. The server itself never builds one.

use bytes::Bytes;

/// A reply, as a client sees it. `Display` shows it as redis-cli does on a terminal.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A status line, `+`.
    Simple(String),
    /// An error line, `-`, or an error of many bytes, `!`.
    Error(String),
    /// An integer, `:`.
    Integer(i64),
    /// A string of any bytes, `$`.
    Bulk(Bytes),
    /// The absent value: `$-1`, `*-1` or `_`.
    Null,
    /// An array, `*`.
    Array(Vec<Value>),
    /// A map in the order of the wire, `%`.
    Map(Vec<(Value, Value)>),
    /// A set in the order of the wire, `~`.
    Set(Vec<Value>),
    /// A message that answers no request, `>`.
    Push(Vec<Value>),
    /// A double, `,`.
    Double(f64),
    /// A truth, `#`.
    Boolean(bool),
    /// A text for people, `=`.
    Verbatim {
        /// What the text is: `txt` or `mkd`.
        format: String,
        /// The text without its format.
        text: Bytes,
    },
    /// An integer of any size, `(`, as its digits.
    BigNumber(String),
}

impl Value {
    /// A string.
    pub fn bulk(bytes: impl AsRef<[u8]>) -> Self {
        Self::Bulk(Bytes::copy_from_slice(bytes.as_ref()))
    }

    /// Whether this is an error.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }

    /// The integer, if this is one.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The bytes of a string, status, error or text.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bulk(bytes) | Self::Verbatim { text: bytes, .. } => Some(bytes),
            Self::Simple(text) | Self::Error(text) | Self::BigNumber(text) => Some(text.as_bytes()),
            _ => None,
        }
    }

    /// The replies inside an array, set or push message.
    pub fn as_items(&self) -> Option<&[Value]> {
        match self {
            Self::Array(items) | Self::Set(items) | Self::Push(items) => Some(items),
            _ => None,
        }
    }
}
