//! What is wrong with bytes that are no request.

use std::fmt;

/// Why the bytes of a client are not a request. The client is told and the connection closed: nobody
/// knows where the next request would begin.
///
/// `Display` is the text behind `ERR Protocol error: `, worded as Redis words it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The number of words is no integer, or over `words_max`.
    #[error("invalid multibulk length")]
    InvalidMultibulkLength,
    /// The length of a word is no integer, negative, or over `bulk_bytes_max`.
    #[error("invalid bulk length")]
    InvalidBulkLength,
    /// A word does not begin with `$` but with this byte.
    #[error("expected '$', got '{}'", Shown(*.0))]
    ExpectedBulk(u8),
    /// A quote of an inline request is never closed, or has something stuck to its closing side.
    #[error("unbalanced quotes in request")]
    UnbalancedQuotes,
    /// An inline request is over `inline_bytes_max`.
    #[error("too big inline request")]
    InlineTooBig,
    /// The line that tells the number of words does not end.
    #[error("too big mbulk count string")]
    MultibulkCountTooBig,
    /// The line that tells the length of a word does not end.
    #[error("too big bulk count string")]
    BulkCountTooBig,
    /// A client that has not authenticated sends more words than it may.
    #[error("unauthenticated multibulk length")]
    UnauthenticatedMultibulkLength,
    /// A client that has not authenticated sends a longer word than it may.
    #[error("unauthenticated bulk length")]
    UnauthenticatedBulkLength,
    /// All words together are over `request_bytes_max`. Redis closes without a word here.
    #[error("too big request")]
    RequestTooBig,
}

/// One byte as text: itself if printable, else `\xHH`.
struct Shown(u8);

impl fmt::Display for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            byte @ b' '..=b'~' => write!(formatter, "{}", char::from(byte)),
            byte => write!(formatter, "\\x{byte:02x}"),
        }
    }
}
