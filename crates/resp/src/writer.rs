//! Writes replies.
//!
//! ```text
//!              RESP2            RESP3
//! null         $-1              _
//! null_array   *-1              _
//! map of n     *2n              %n
//! set of n     *n               ~n
//! push of n    *n               >n
//! double       $3␍␊0.5          ,0.5
//! boolean      :1  :0           #t  #f
//! verbatim     $4␍␊text         =8␍␊txt:text
//! ```
//!
//! Here: the shape of each type in either dialect. Elsewhere: what a command replies (command), the order
//! of replies and the socket (engine, server).

use crate::Protocol;
use crate::double::write_double;

/// Writes replies as bytes into a buffer, in the shape of the client's protocol.
///
/// An aggregate (`array`, `map`, `set`, `push`) only writes its header; the caller writes as many
/// replies behind it as it announced, twice as many for a map.
#[derive(Debug)]
pub struct ReplyWriter<'a> {
    out: &'a mut Vec<u8>,
    protocol: Protocol,
}

impl<'a> ReplyWriter<'a> {
    /// A writer that appends to `out`.
    #[inline]
    pub fn new(out: &'a mut Vec<u8>, protocol: Protocol) -> Self {
        Self { out, protocol }
    }

    /// The dialect written.
    #[inline]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Changes the dialect of what is written from here on: `HELLO` answers in the new one.
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// Bytes in the buffer, for [`ReplyWriter::truncate`].
    #[inline]
    pub fn position(&self) -> usize {
        self.out.len()
    }

    /// Undoes everything written since `position`: a half-written reply.
    pub fn truncate(&mut self, position: usize) {
        self.out.truncate(position);
    }

    /// A status, as one line; line ends in it become blanks.
    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text);
    }

    /// The status `OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    /// An error: its code in capitals, a blank, the text. Line ends in it become blanks.
    pub fn error(&mut self, text: &str) {
        self.line(b'-', text);
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        self.number(b':', value);
    }

    /// A truth as the integer 1 or 0, in both dialects.
    #[inline]
    pub fn boolean_as_integer(&mut self, value: bool) {
        self.out.extend_from_slice(if value { b":1\r\n" } else { b":0\r\n" });
    }

    /// A string of any bytes.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.header(b'$', bytes.len());
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    /// An integer as a string.
    pub fn bulk_integer(&mut self, value: i64) {
        self.bulk(itoa::Buffer::new().format(value).as_bytes());
    }

    /// An unsigned integer as a string: a cursor.
    pub fn bulk_unsigned(&mut self, value: u64) {
        self.bulk(itoa::Buffer::new().format(value).as_bytes());
    }

    /// The absent value.
    #[inline]
    pub fn null(&mut self) {
        self.by_protocol(b"$-1\r\n", b"_\r\n");
    }

    /// The absent array.
    pub fn null_array(&mut self) {
        self.by_protocol(b"*-1\r\n", b"_\r\n");
    }

    /// The header of an array of `length` replies.
    #[inline]
    pub fn array(&mut self, length: usize) {
        self.header(b'*', length);
    }

    /// The header of a map of `pairs` keys, each followed by its value.
    #[inline]
    pub fn map(&mut self, pairs: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', pairs * 2),
            Protocol::Resp3 => self.header(b'%', pairs),
        }
    }

    /// The header of a set of `length` replies.
    pub fn set(&mut self, length: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', length),
            Protocol::Resp3 => self.header(b'~', length),
        }
    }

    /// The header of a message of `length` replies that answers no request.
    #[inline]
    pub fn push(&mut self, length: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', length),
            Protocol::Resp3 => self.header(b'>', length),
        }
    }

    /// A double, in the shortest spelling that reads back the same.
    pub fn double(&mut self, value: f64) {
        let mut text = Vec::with_capacity(24);
        write_double(&mut text, value);
        match self.protocol {
            Protocol::Resp2 => self.bulk(&text),
            Protocol::Resp3 => {
                self.out.push(b',');
                self.out.extend_from_slice(&text);
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// A truth; for clients of RESP2 the integer 1 or 0.
    pub fn boolean(&mut self, value: bool) {
        match value {
            true => self.by_protocol(b":1\r\n", b"#t\r\n"),
            false => self.by_protocol(b":0\r\n", b"#f\r\n"),
        }
    }

    /// A text for people. `format` is `txt` or `mkd`; one that has not three bytes is written as `txt`.
    pub fn verbatim(&mut self, format: &str, text: &[u8]) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => {
                let format = if format.len() == 3 { format } else { "txt" };
                self.header(b'=', text.len() + 4);
                self.out.extend_from_slice(format.as_bytes());
                self.out.push(b':');
                self.out.extend_from_slice(text);
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    #[inline]
    fn by_protocol(&mut self, resp2: &[u8], resp3: &[u8]) {
        self.out.extend_from_slice(match self.protocol {
            Protocol::Resp2 => resp2,
            Protocol::Resp3 => resp3,
        });
    }

    /// A type byte, a length, a line end.
    #[inline]
    fn header(&mut self, kind: u8, length: usize) {
        // No buffer holds more than `i64::MAX` bytes or replies.
        self.number(kind, length as i64);
    }

    /// A type byte, a number, a line end.
    #[inline]
    fn number(&mut self, kind: u8, value: i64) {
        match value {
            0..=9 => self.out.extend_from_slice(&[kind, b'0' + value as u8, b'\r', b'\n']),
            10..=99 => {
                let (tens, ones) = (value as u8 / 10, value as u8 % 10);
                self.out.extend_from_slice(&[kind, b'0' + tens, b'0' + ones, b'\r', b'\n']);
            }
            _ => self.long_number(kind, value),
        }
    }

    fn long_number(&mut self, kind: u8, value: i64) {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(value).as_bytes();
        self.out.reserve(digits.len() + 3);
        self.out.push(kind);
        self.out.extend_from_slice(digits);
        self.out.extend_from_slice(b"\r\n");
    }

    fn line(&mut self, kind: u8, text: &str) {
        self.out.reserve(text.len() + 3);
        self.out.push(kind);
        let start = self.out.len();
        self.out.extend_from_slice(text.as_bytes());
        for byte in &mut self.out[start..] {
            if matches!(*byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        self.out.extend_from_slice(b"\r\n");
    }
}
