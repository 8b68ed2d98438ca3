//! The wire: RESP2 and RESP3 requests in, replies out.
//!
//! ```text
//!  socket bytes                     a burst (one `Bytes`, shared)              reply bytes
//!  ───────────▶  Decoder::decode ─▶ *5␍␊$6␍␊HSETEX␍␊$1␍␊k␍␊ … ─▶ command ─▶  ReplyWriter ───────────▶
//!                     │                      └─────┘     └┘
//!                     └─ words(): Span { start, length } of each word
//! ```
//!
//! Here: finding requests in a growing buffer ([`Decoder`]), the limits of one request
//! ([`RequestLimits`]), what is wrong with bytes that are no request ([`ProtocolError`]), and writing
//! replies in the shape of the client's protocol ([`ReplyWriter`]). For tests, the simulator and bench
//! clients there is the other side too: [`ReplyReader`] reads replies into [`Value`]s, which print as
//! redis-cli shows them.
//!
//! Elsewhere: sockets and the reading and writing of bytes (server), what the words mean (command), and
//! the order of replies (engine). This crate knows no threads, sockets or clocks; it neither allocates
//! per request nor copies a word.

mod decoder;
mod double;
mod error;
mod inline;
mod integer;
mod limits;
mod reader;
mod render;
mod span;
mod value;
mod writer;

pub use decoder::{Decoded, Decoder};
pub use error::ProtocolError;
pub use integer::parse_integer;
pub use limits::{RequestLimits, UNAUTHENTICATED_BULK_BYTES_MAX, UNAUTHENTICATED_WORDS_MAX};
pub use reader::{ReplyError, ReplyLimits, ReplyReader};
pub use span::Span;
pub use value::Value;
pub use writer::ReplyWriter;

/// The dialect a client speaks: RESP2 until it asks for RESP3 with `HELLO 3`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Protocol {
    /// The first dialect: five types, everything else is dressed up as one of them.
    #[default]
    Resp2,
    /// The second dialect: maps, sets, booleans, doubles, one null, push messages.
    Resp3,
}
