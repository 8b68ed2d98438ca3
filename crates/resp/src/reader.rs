//! Reads replies of both dialects: for tests, the simulator and bench clients.
//!
//! Here: a reader that keeps its place. Aggregates that are not complete yet wait on a stack, so a reply
//! in small pieces is read once, and depth is a number that is checked, not a call stack that overflows:
//!
//! ```text
//! *2␍␊ %1␍␊ $1␍␊a␍␊ │ more to come        stack: Array (2 missing) ▸ Map (1 missing)
//! ```
//!
//! Elsewhere: how a value is shown (`render`).

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

use crate::{Value, parse_integer};

/// Items an announced length may allocate at once.
const ITEMS_RESERVED_MAX: usize = 1024;

/// Limits of one reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyLimits {
    /// Most aggregates inside each other.
    pub depth_max: usize,
    /// Most bytes of one reply.
    pub reply_bytes_max: usize,
}

impl Default for ReplyLimits {
    /// 32 levels, 1 GiB.
    fn default() -> Self {
        Self { depth_max: 32, reply_bytes_max: 1 << 30 }
    }
}

/// Why bytes are not a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// A reply begins with a byte that is no type.
    #[error("unknown reply type {0:#04x}")]
    UnknownType(u8),
    /// A line does not hold what its type asks for.
    #[error("malformed reply line")]
    MalformedLine,
    /// A string is not followed by a line end.
    #[error("reply string without its line end")]
    MissingLineEnd,
    /// Aggregates are nested deeper than `depth_max`.
    #[error("reply nested too deeply")]
    TooDeep,
    /// The reply is, or announces, more than `reply_bytes_max`.
    #[error("reply too big")]
    TooBig,
}

/// Reads replies from bytes as they come: [`ReplyReader::feed`] them, then ask for
/// [`ReplyReader::next_reply`] until there is none.
#[derive(Debug, Default)]
pub struct ReplyReader {
    limits: ReplyLimits,
    buffer: BytesMut,
    stack: Vec<Frame>,
    /// Bytes of the current reply that have left the buffer.
    reply_bytes: usize,
    /// Bytes at the start of the buffer known to hold no line end.
    scanned: usize,
    /// A string whose header has been read: its type and length.
    bulk: Option<(u8, usize)>,
}

/// An aggregate under construction.
#[derive(Debug)]
struct Frame {
    kind: u8,
    missing: usize,
    items: Vec<Value>,
}

/// One step through the bytes.
enum Step {
    Whole(Value),
    Nothing,
    Incomplete,
}

impl ReplyReader {
    /// A reader with limits of its own.
    pub fn new(limits: ReplyLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Adds bytes as they came.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The buffer, to read into its end without a copy. Only ever append to it.
    pub fn buffer_mut(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Whether all bytes fed so far belong to replies already handed out.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.stack.is_empty() && self.bulk.is_none()
    }

    /// The next whole reply, or `None` if more bytes are needed.
    ///
    /// # Errors
    /// What is wrong with the bytes; the reader is of no further use then.
    pub fn next_reply(&mut self) -> Result<Option<Value>, ReplyError> {
        loop {
            match self.step()? {
                Step::Incomplete => return Ok(None),
                Step::Nothing => {}
                Step::Whole(value) => {
                    if let Some(reply) = self.place(value) {
                        self.reply_bytes = 0;
                        return Ok(Some(reply));
                    }
                }
            }
        }
    }

    /// Puts a value into the aggregate it belongs to, and that into its own if it is complete thereby.
    /// Returns the value that belongs nowhere: the reply.
    fn place(&mut self, mut value: Value) -> Option<Value> {
        while let Some(frame) = self.stack.last_mut() {
            frame.items.push(value);
            frame.missing -= 1;
            if frame.missing > 0 {
                return None;
            }
            value = self.stack.pop()?.into_value()?;
        }
        Some(value)
    }

    fn step(&mut self) -> Result<Step, ReplyError> {
        if let Some((kind, length)) = self.bulk {
            return self.read_bulk(kind, length);
        }
        let Some(line) = self.take_line()? else {
            return Ok(Step::Incomplete);
        };
        let (&kind, text) = line.split_first().ok_or(ReplyError::MalformedLine)?;
        let value = match kind {
            b'+' => Value::Simple(lossy(text)),
            b'-' => Value::Error(lossy(text)),
            b':' => Value::Integer(parse_integer(text).ok_or(ReplyError::MalformedLine)?),
            b'_' if text.is_empty() => Value::Null,
            b'#' if text == b"t" => Value::Boolean(true),
            b'#' if text == b"f" => Value::Boolean(false),
            b',' => Value::Double(double(text)?),
            b'(' => Value::BigNumber(big_number(text)?),
            b'$' | b'*' if text == b"-1" => Value::Null,
            b'$' | b'=' | b'!' => {
                self.bulk = Some((kind, self.announced(text, 1)?));
                return Ok(Step::Nothing);
            }
            b'*' | b'~' | b'>' => return self.begin(kind, self.announced(text, 3)?),
            b'%' | b'|' => return self.begin(kind, self.announced(text, 6)? * 2),
            b'_' | b'#' => return Err(ReplyError::MalformedLine),
            other => return Err(ReplyError::UnknownType(other)),
        };
        Ok(Step::Whole(value))
    }

    /// Begins an aggregate of `missing` items; an empty one is complete at once.
    fn begin(&mut self, kind: u8, missing: usize) -> Result<Step, ReplyError> {
        let frame = Frame { kind, missing, items: Vec::with_capacity(missing.min(ITEMS_RESERVED_MAX)) };
        if missing == 0 {
            return Ok(frame.into_value().map_or(Step::Nothing, Step::Whole));
        }
        if self.stack.len() >= self.limits.depth_max {
            return Err(ReplyError::TooDeep);
        }
        self.stack.push(frame);
        Ok(Step::Nothing)
    }

    fn read_bulk(&mut self, kind: u8, length: usize) -> Result<Step, ReplyError> {
        if self.buffer.len() < length + 2 {
            return Ok(Step::Incomplete);
        }
        let text = self.buffer.split_to(length).freeze();
        if !self.buffer.starts_with(b"\r\n") {
            return Err(ReplyError::MissingLineEnd);
        }
        self.buffer.advance(2);
        self.reply_bytes += length + 2;
        self.bulk = None;
        Ok(Step::Whole(match kind {
            b'!' => Value::Error(lossy(&text)),
            b'=' => verbatim(&text)?,
            _ => Value::Bulk(text),
        }))
    }

    /// Takes a line off the buffer, without its line end.
    fn take_line(&mut self) -> Result<Option<Bytes>, ReplyError> {
        let Some(offset) = memchr(b'\n', &self.buffer[self.scanned..]) else {
            self.scanned = self.buffer.len();
            self.check_size(self.scanned)?;
            return Ok(None);
        };
        let end = std::mem::take(&mut self.scanned) + offset;
        self.check_size(end + 1)?;
        let mut line = self.buffer.split_to(end + 1).freeze();
        self.reply_bytes += line.len();
        line.truncate(end);
        if line.last() != Some(&b'\r') {
            return Err(ReplyError::MalformedLine);
        }
        line.truncate(end - 1);
        Ok(Some(line))
    }

    /// The announced number of things that take at least `bytes_min` bytes each.
    fn announced(&self, text: &[u8], bytes_min: usize) -> Result<usize, ReplyError> {
        let count = parse_integer(text).and_then(|count| usize::try_from(count).ok());
        let count = count.ok_or(ReplyError::MalformedLine)?;
        self.check_size(count.saturating_mul(bytes_min))?;
        Ok(count)
    }

    fn check_size(&self, more: usize) -> Result<(), ReplyError> {
        match self.reply_bytes.saturating_add(more) > self.limits.reply_bytes_max {
            true => Err(ReplyError::TooBig),
            false => Ok(()),
        }
    }
}

impl Frame {
    /// The aggregate, now that it is complete; `None` for attributes, which belong to no reply.
    fn into_value(self) -> Option<Value> {
        match self.kind {
            b'|' => None,
            b'%' => {
                let mut items = self.items.into_iter();
                let pairs = std::iter::from_fn(|| Some((items.next()?, items.next()?)));
                Some(Value::Map(pairs.collect()))
            }
            b'~' => Some(Value::Set(self.items)),
            b'>' => Some(Value::Push(self.items)),
            _ => Some(Value::Array(self.items)),
        }
    }
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

fn double(text: &[u8]) -> Result<f64, ReplyError> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(ReplyError::MalformedLine)
}

fn big_number(text: &[u8]) -> Result<String, ReplyError> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    match !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
        true => Ok(lossy(text)),
        false => Err(ReplyError::MalformedLine),
    }
}

fn verbatim(text: &Bytes) -> Result<Value, ReplyError> {
    match text.get(3) {
        Some(b':') => Ok(Value::Verbatim { format: lossy(&text[..3]), text: text.slice(4..) }),
        _ => Err(ReplyError::MalformedLine),
    }
}
