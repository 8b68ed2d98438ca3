//! Finds whole requests in a growing buffer.
//!
//! ```text
//!           consumed          cursor          scanned       buffer.len()
//!  │ whole requests │ partial: *3␍␊$3␍␊SET␍␊$1…   │   to come │
//!  └── take_burst ──┘ └ words so far ┘└ a header without its end ┘
//! ```
//!
//! Here: arrays of bulks, and where a line ends. Bytes before `cursor` are never looked at again; a bulk
//! is not looked at at all; a line that has no end yet is searched from `scanned` on. So the cost is
//! linear however the bytes are cut into pieces.
//!
//! Pipelines repeat their command: a request that begins with the very bytes of the one before it, up to the second
//! word, is read in one go (`read_alike`). Any other, and one cut short, is looked at closely.
//!
//! Elsewhere: the words of an inline line (`inline`), the meaning of the words (command).

use bytes::{Bytes, BytesMut};
use memchr::memchr;

use crate::limits::HEADER_BYTES_MAX;
use crate::{
    ProtocolError, RequestLimits, Span, UNAUTHENTICATED_BULK_BYTES_MAX, UNAUTHENTICATED_WORDS_MAX, inline,
    parse_integer,
};

/// The two bytes behind a header or a bulk; like Redis, the decoder skips them without looking.
const LINE_END_BYTES: usize = 2;
/// The words of which an announced number may allocate at once, and that stay allocated between requests.
const WORDS_KEPT_MAX: usize = 1024;
/// The longest beginning of a request that is remembered, to know the next like it: 24 bytes of name fit.
const HEAD_BYTES_MAX: usize = 40;
/// A word below this length has a header of three digits at most.
const SHORT_WORD_BYTES_MAX: u32 = 999;
/// The most that [`Decoder::bytes_wanted`] asks for at once, in bytes.
const WANTED_BYTES_MAX: usize = 1 << 20;
/// A span reaches this far; bytes beyond are looked at after the next `take_burst`.
const BURST_BYTES_MAX: usize = u32::MAX as usize;

/// What a look at the buffer found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A whole request: see [`Decoder::words`].
    Request,
    /// No whole request yet: read more bytes.
    Incomplete,
}

/// Resumable decoder: finds whole requests in a growing buffer.
///
/// Between two calls the buffer may only grow at its end; only [`Decoder::take_burst`] takes bytes off
/// its front. After an error the decoder is of no further use: the connection is to be closed.
#[derive(Debug)]
pub struct Decoder {
    limits: RequestLimits,
    authenticated: bool,
    words: Vec<Span>,
    /// How the last request began, up to its second word: `*3␍␊$3␍␊SET␍␊`. Empty if `words` are no longer those of a
    /// request that the limits would allow again.
    head: Vec<u8>,
    /// The request just decoded began like the one before it.
    is_alike: bool,
    /// End of the last whole request.
    consumed: usize,
    /// Where it begins.
    request_start: usize,
    /// End of a request that was put back, to be found again by the next decode.
    held: Option<usize>,
    /// End of what is understood: the next header, or the bulk behind the last header.
    cursor: usize,
    /// No line end lies between `cursor` and here.
    scanned: usize,
    /// Words of the partial request still to come; 0 between requests.
    words_missing: u32,
    /// Length of the bulk at `cursor`, if its header has been read.
    bulk: Option<u32>,
    /// Bytes known to be missing of that bulk.
    wanted: usize,
    #[cfg(test)]
    bytes_searched: usize,
}

impl Decoder {
    /// A decoder at the start of a connection, of a client that need not authenticate.
    pub fn new(limits: RequestLimits) -> Self {
        Self {
            limits,
            authenticated: true,
            words: Vec::new(),
            head: Vec::new(),
            is_alike: false,
            consumed: 0,
            request_start: 0,
            held: None,
            cursor: 0,
            scanned: 0,
            words_missing: 0,
            bulk: None,
            wanted: 0,
            #[cfg(test)]
            bytes_searched: 0,
        }
    }

    /// Changes the limits, from the next header on.
    pub fn set_limits(&mut self, limits: RequestLimits) {
        self.limits = limits;
        self.head.clear();
    }

    /// Whether the client has authenticated, or need not. One that has not is held to
    /// [`UNAUTHENTICATED_WORDS_MAX`] and [`UNAUTHENTICATED_BULK_BYTES_MAX`] besides the limits, from the
    /// next header on, and is refused with texts of their own.
    pub fn set_authenticated(&mut self, authenticated: bool) {
        self.authenticated = authenticated;
        self.head.clear();
    }

    /// Looks at `buffer` (all bytes since the last [`Decoder::take_burst`]) and stops behind one whole
    /// request. Empty requests (`*0`, `*-1`, blank lines) are skipped.
    ///
    /// Quoted inline words are unescaped in place, which is why the buffer is mutable; they only ever get
    /// shorter. Of a buffer beyond 4 GiB only the first 4 GiB are looked at.
    ///
    /// # Errors
    /// What is wrong with the request, if no further byte could mend it.
    #[inline]
    pub fn decode(&mut self, buffer: &mut [u8]) -> Result<Decoded, ProtocolError> {
        if self.is_at_end(buffer) {
            return Ok(Decoded::Incomplete);
        }
        self.is_alike = self.read_alike(buffer);
        if self.is_alike { Ok(Decoded::Request) } else { self.look_closely(buffer) }
    }

    /// Whether the request just decoded has the name, spelled alike, and the number of words of the one before it.
    #[inline]
    pub fn is_alike(&self) -> bool {
        self.is_alike
    }

    /// Whether every byte belongs to a request that was found.
    #[inline]
    fn is_at_end(&self, buffer: &[u8]) -> bool {
        self.cursor == buffer.len() && self.words_missing == 0 && self.held.is_none()
    }

    /// Finds whatever there is, from where the last look stopped.
    fn look_closely(&mut self, buffer: &mut [u8]) -> Result<Decoded, ProtocolError> {
        if let Some(end) = self.held.take() {
            self.consumed = end;
            return Ok(Decoded::Request);
        }
        self.request_start = self.consumed;
        let visible = buffer.len().min(BURST_BYTES_MAX);
        let buffer = &mut buffer[..visible];
        self.wanted = 0;
        if self.words_missing == 0 {
            self.forget_words();
        }
        while self.words_missing == 0 {
            let found = match buffer.get(self.cursor) {
                None => return Ok(Decoded::Incomplete),
                Some(b'*') => self.begin_array(buffer)?,
                Some(_) => self.read_line(buffer)?,
            };
            if found == Decoded::Incomplete {
                return Ok(Decoded::Incomplete);
            }
            if self.words_missing == 0 && !self.words.is_empty() {
                return Ok(Decoded::Request);
            }
        }
        self.read_words(buffer)
    }

    /// The words of the request just decoded, as spans into the buffer, and into the burst that
    /// [`Decoder::take_burst`] makes of it. Valid until the next decode.
    #[inline]
    pub fn words(&self) -> &[Span] {
        &self.words
    }

    /// Puts the request just decoded back: the next decode finds it again, also behind a
    /// [`Decoder::take_burst`], which leaves it in the buffer.
    pub fn hold(&mut self) {
        self.head.clear();
        self.held = Some(std::mem::replace(&mut self.consumed, self.request_start));
    }

    /// Bytes of the buffer used up by whole requests so far.
    #[inline]
    pub fn consumed(&self) -> usize {
        self.consumed
    }

    /// How many more bytes are known to be missing of a bulk, at most 1 MiB: a hint what to reserve. An
    /// announcement alone makes nobody allocate more than that.
    pub fn bytes_wanted(&self) -> usize {
        self.wanted.min(WANTED_BYTES_MAX)
    }

    /// Splits the used-up bytes off as one reference-counted `Bytes`, without copying, and rebases the
    /// partial request behind them. `buffer` must be the one that was decoded.
    pub fn take_burst(&mut self, buffer: &mut BytesMut) -> Bytes {
        let taken = std::mem::take(&mut self.consumed);
        if taken == 0 {
            return Bytes::new();
        }
        self.cursor -= taken;
        self.scanned = self.scanned.saturating_sub(taken);
        self.request_start = self.request_start.saturating_sub(taken);
        self.held = self.held.map(|end| end - taken);
        if self.words_missing > 0 || self.held.is_some() {
            for word in &mut self.words {
                // A word of the partial or held request lies behind the bytes taken, all within 4 GiB.
                word.start -= taken as u32;
            }
        }
        buffer.split_to(taken).freeze()
    }

    /// Drops the words of the last request, and what memory an unusually long one left behind.
    #[inline]
    fn forget_words(&mut self) {
        self.head.clear();
        self.words.clear();
        if self.words.capacity() > WORDS_KEPT_MAX {
            self.words = Vec::new();
        }
    }

    /// Reads a request that begins like the last one, over its words, if they are short, whole and within the limits.
    /// Pipelines repeat their command, so nearly every request is read here in one go. Otherwise nothing has happened
    /// but that a closer look begins anew.
    fn read_alike(&mut self, buffer: &[u8]) -> bool {
        let end = self.request_end(buffer);
        let Some(mut rest) = buffer.get(self.cursor..end).and_then(|rest| rest.strip_prefix(&self.head[..]))
        else {
            return false;
        };
        let ([name, others @ ..], false) = (&mut self.words[..], self.head.is_empty()) else { return false };
        name.start = (end - rest.len() - LINE_END_BYTES) as u32 - name.length;
        for word in others {
            let Some((span, behind)) = short_word(rest, end) else { return false };
            *word = span;
            rest = behind;
        }
        self.request_start = self.consumed;
        self.cursor = end - rest.len();
        self.consumed = self.cursor;
        true
    }

    /// Where the request at hand ends at the latest: within its limit and within what spans reach.
    #[inline]
    fn request_end(&self, buffer: &[u8]) -> usize {
        let request_bytes_max = self.limits.request_bytes_max as usize;
        buffer.len().min(BURST_BYTES_MAX).min(self.consumed + request_bytes_max)
    }

    /// Remembers how the request just decoded begins, if others like it can be read in one go.
    fn remember_head(&mut self, buffer: &[u8]) {
        let Some(name) = self.words.first() else { return };
        let head = self.request_start..(name.start + name.length) as usize + LINE_END_BYTES;
        let is_short = head.len() <= HEAD_BYTES_MAX && self.words.len() <= WORDS_KEPT_MAX;
        if is_short && self.limits.bulk_bytes_max >= SHORT_WORD_BYTES_MAX {
            self.head.extend_from_slice(&buffer[head]);
        }
    }

    /// Reads the header of an array: `*3␍␊`.
    #[inline]
    fn begin_array(&mut self, buffer: &[u8]) -> Result<Decoded, ProtocolError> {
        let (count, next) = match short_header(b'*', &buffer[self.cursor..]) {
            Some((count, behind)) => (i64::from(count), buffer.len() - behind.len()),
            None => match self.long_header(buffer, ProtocolError::MultibulkCountTooBig)? {
                None => return Ok(Decoded::Incomplete),
                Some((count, next)) => (count.ok_or(ProtocolError::InvalidMultibulkLength)?, next),
            },
        };
        let count = u32::try_from(count.max(0)).map_err(|_| ProtocolError::InvalidMultibulkLength)?;
        if count > self.limits.words_max {
            return Err(ProtocolError::InvalidMultibulkLength);
        }
        if count > UNAUTHENTICATED_WORDS_MAX && !self.authenticated {
            return Err(ProtocolError::UnauthenticatedMultibulkLength);
        }
        self.cursor = next;
        self.words_missing = count;
        self.words.reserve(WORDS_KEPT_MAX.min(count as usize));
        if count == 0 {
            self.consumed = next;
        }
        Ok(Decoded::Request)
    }

    /// Reads the words of an array that has begun: `$3␍␊SET␍␊`, as many as are there.
    #[inline]
    fn read_words(&mut self, buffer: &[u8]) -> Result<Decoded, ProtocolError> {
        loop {
            if self.bulk.is_none() {
                self.read_short_words(buffer);
            }
            if self.words_missing == 0 {
                self.request_start = self.consumed;
                self.consumed = self.cursor;
                self.remember_head(buffer);
                return Ok(Decoded::Request);
            }
            let length = match self.bulk {
                Some(length) => length as usize,
                None => match self.read_bulk_header(buffer)? {
                    None => return Ok(Decoded::Incomplete),
                    Some(length) => length,
                },
            };
            let next = self.cursor + length + LINE_END_BYTES;
            if next > buffer.len() {
                self.bulk = Some(length as u32);
                self.wanted = next - buffer.len();
                return Ok(Decoded::Incomplete);
            }
            self.bulk = None;
            self.words.push(Span { start: self.cursor as u32, length: length as u32 });
            self.cursor = next;
            self.words_missing -= 1;
        }
    }

    /// Reads words as long as they are short, whole and within the limits, which is often to the end of the
    /// request. Where it stops, the careful way goes on and finds out why.
    #[inline]
    fn read_short_words(&mut self, buffer: &[u8]) {
        let end = self.request_end(buffer);
        let Some(mut rest) = buffer.get(self.cursor..end) else { return };
        while self.words_missing > 0
            && let Some((word, behind)) = short_word(rest, end)
            && word.length <= self.limits.bulk_bytes_max
        {
            self.words.push(word);
            self.words_missing -= 1;
            rest = behind;
        }
        self.cursor = end - rest.len();
    }

    /// Reads the header of a bulk and moves behind it; `None` if it is not all there.
    #[cold]
    fn read_bulk_header(&mut self, buffer: &[u8]) -> Result<Option<usize>, ProtocolError> {
        match buffer.get(self.cursor) {
            None => return Ok(None),
            Some(b'$') => {}
            Some(&other) => return Err(ProtocolError::ExpectedBulk(other)),
        }
        let Some((length, next)) = self.long_header(buffer, ProtocolError::BulkCountTooBig)? else {
            return Ok(None);
        };
        let length = length.and_then(|length| u32::try_from(length).ok());
        let length = length.ok_or(ProtocolError::InvalidBulkLength)?;
        if length > self.limits.bulk_bytes_max {
            return Err(ProtocolError::InvalidBulkLength);
        }
        if length > UNAUTHENTICATED_BULK_BYTES_MAX && !self.authenticated {
            return Err(ProtocolError::UnauthenticatedBulkLength);
        }
        let request_bytes = next - self.consumed + length as usize + LINE_END_BYTES;
        if request_bytes > self.limits.request_bytes_max as usize {
            return Err(ProtocolError::RequestTooBig);
        }
        self.cursor = next;
        Ok(Some(length as usize))
    }

    /// Reads a header of any length at `cursor`: its integer, if it is one, and what lies behind it.
    /// `None` if its end is not there yet.
    #[cold]
    fn long_header(
        &mut self,
        buffer: &[u8],
        too_big: ProtocolError,
    ) -> Result<Option<(Option<i64>, usize)>, ProtocolError> {
        let Some(end) = self.find_line_end(buffer, b'\r', HEADER_BYTES_MAX as usize, too_big)? else {
            return Ok(None);
        };
        if end + LINE_END_BYTES > buffer.len() {
            self.scanned = end;
            return Ok(None);
        }
        Ok(Some((parse_integer(&buffer[self.cursor + 1..end]), end + LINE_END_BYTES)))
    }

    /// Reads an inline request: a line of words up to a newline.
    #[cold]
    fn read_line(&mut self, buffer: &mut [u8]) -> Result<Decoded, ProtocolError> {
        let bytes_max = self.limits.inline_bytes_max.min(self.limits.request_bytes_max) as usize;
        let Some(end) = self.find_line_end(buffer, b'\n', bytes_max, ProtocolError::InlineTooBig)? else {
            return Ok(Decoded::Incomplete);
        };
        let start = self.cursor;
        // The last byte before the newline may be a carriage return; it is a blank like others.
        inline::split(&mut buffer[start..end], start as u32, &mut self.words)?;
        self.cursor = end + 1;
        self.consumed = self.cursor;
        Ok(Decoded::Request)
    }

    /// Looks for the byte that ends the line at `cursor`, beginning where the last search stopped.
    fn find_line_end(
        &mut self,
        buffer: &[u8],
        line_end: u8,
        bytes_max: usize,
        too_big: ProtocolError,
    ) -> Result<Option<usize>, ProtocolError> {
        let from = self.scanned.max(self.cursor);
        let until = buffer.len().min(self.cursor + bytes_max + 1).max(from);
        #[cfg(test)]
        {
            self.bytes_searched += until - from;
        }
        match memchr(line_end, &buffer[from..until]) {
            Some(offset) => Ok(Some(from + offset)),
            None if until - self.cursor > bytes_max => Err(too_big),
            None => {
                self.scanned = until;
                Ok(None)
            }
        }
    }
}

/// A whole word with a short header, and what lies behind it; `bytes` reach to `end` of the buffer.
#[inline]
fn short_word(bytes: &[u8], end: usize) -> Option<(Span, &[u8])> {
    let (length, text) = short_header(b'$', bytes)?;
    let (_, behind) = text.split_at_checked(length as usize + LINE_END_BYTES)?;
    Some((Span { start: (end - text.len()) as u32, length }, behind))
}

/// A header of this kind whose number has one to three digits, which is nearly every header: the number, and
/// what lies behind the line. `None` means "look closer", be it long, wrong or incomplete.
#[inline]
fn short_header(kind: u8, bytes: &[u8]) -> Option<(u32, &[u8])> {
    let digit = |byte: u8| u32::from(byte - b'0');
    let (&[first, a, b, c], behind) = bytes.split_first_chunk()?;
    if first != kind || !a.is_ascii_digit() {
        return None;
    }
    if b == b'\r' {
        return Some((digit(a), behind));
    }
    let (&d, behind) = behind.split_first()?;
    if a == b'0' || !b.is_ascii_digit() {
        return None;
    }
    let tens = digit(a) * 10 + digit(b);
    if c == b'\r' {
        return Some((tens, behind));
    }
    let (_, behind) = behind.split_first()?;
    (c.is_ascii_digit() && d == b'\r').then(|| (tens * 10 + digit(c), behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bulk_in_pieces_is_not_looked_at() {
        const BULK_BYTES: usize = 100 << 20;
        let header = format!("*2\r\n$4\r\nECHO\r\n${BULK_BYTES}\r\n");
        let mut decoder = Decoder::new(RequestLimits::default());
        let mut buffer = BytesMut::with_capacity(header.len() + BULK_BYTES + LINE_END_BYTES);
        buffer.extend_from_slice(header.as_bytes());
        let piece = [b'\r'; 64 << 10];
        for arrived in (0..BULK_BYTES).step_by(piece.len()) {
            assert_eq!(decoder.decode(&mut buffer), Ok(Decoded::Incomplete));
            assert_eq!(decoder.wanted, BULK_BYTES - arrived + LINE_END_BYTES);
            assert_eq!(decoder.cursor, header.len());
            buffer.extend_from_slice(&piece);
        }
        buffer.extend_from_slice(b"\r\n");
        assert_eq!(decoder.decode(&mut buffer), Ok(Decoded::Request));
        assert_eq!(decoder.words()[1].of(&buffer).len(), BULK_BYTES);
        assert!(decoder.bytes_searched <= header.len(), "{}", decoder.bytes_searched);
    }

    #[test]
    fn line_in_pieces_is_searched_once() {
        for line in ["x".repeat(60_000), format!("*{}", "1".repeat(60_000))] {
            let mut decoder = Decoder::new(RequestLimits::default());
            let mut buffer = BytesMut::new();
            for byte in line.bytes() {
                buffer.extend_from_slice(&[byte]);
                assert_eq!(decoder.decode(&mut buffer), Ok(Decoded::Incomplete));
            }
            assert_eq!(decoder.bytes_searched, line.len());
        }
    }

    #[test]
    fn unusually_many_words_are_not_kept() {
        let mut decoder = Decoder::new(RequestLimits::default());
        let mut buffer = BytesMut::from(&b"*1048576\r\n"[..]);
        assert_eq!(decoder.decode(&mut buffer), Ok(Decoded::Incomplete));
        assert_eq!(decoder.words.capacity(), WORDS_KEPT_MAX);
        for _ in 0..1_048_576 {
            buffer.extend_from_slice(b"$0\r\n\r\n");
        }
        buffer.extend_from_slice(b"PING\r\n");
        assert_eq!(decoder.decode(&mut buffer), Ok(Decoded::Request));
        assert_eq!(decoder.words().len(), 1_048_576);
        assert_eq!(decoder.decode(&mut buffer), Ok(Decoded::Request));
        assert!(decoder.words.capacity() <= WORDS_KEPT_MAX);
    }
}
