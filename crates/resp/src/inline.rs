//! Inline requests: a line of words, as typed into a terminal.
//!
//! Here: splitting one line, with quotes and escapes undone where they stand. A word only ever gets
//! shorter, so it is written over its own spelling:
//!
//! ```text
//! before  s e t   k   " a \ x 4 2 c "
//! after   s e t   k   a B c 4 2 c "       the span covers `aBc`, the rest is dead
//! ```
//!
//! Elsewhere: finding the end of the line ([`crate::Decoder`]).

use crate::{ProtocolError, Span};

/// Splits `line` (without its newline) and appends its words, shifted by `base` bytes. A NUL ends the
/// line, as in Redis.
///
/// # Errors
/// [`ProtocolError::UnbalancedQuotes`] if a quote is not closed, or closed in the middle of a word.
pub(crate) fn split(line: &mut [u8], base: u32, words: &mut Vec<Span>) -> Result<(), ProtocolError> {
    let end = memchr::memchr(0, line).unwrap_or(line.len());
    let line = &mut line[..end];
    let mut position = 0;
    loop {
        position += line[position..].iter().take_while(|&&byte| is_blank(byte)).count();
        if position == line.len() {
            return Ok(());
        }
        let (length, next) = unescape(line, position)?;
        words.push(Span { start: base + position as u32, length: length as u32 });
        position = next;
    }
}

enum Quote {
    None,
    Single,
    Double,
}

/// Undoes the quoting of the word at `start`; returns its length and where the search for the next one
/// goes on.
fn unescape(line: &mut [u8], start: usize) -> Result<(usize, usize), ProtocolError> {
    let mut quote = Quote::None;
    let (mut read, mut write) = (start, start);
    while let Some(&byte) = line.get(read) {
        let (plain, taken) = match (&quote, byte) {
            (Quote::None, b' ' | b'\t' | b'\r' | b'\n') => break,
            (Quote::None, b'"' | b'\'') => {
                quote = if byte == b'"' { Quote::Double } else { Quote::Single };
                read += 1;
                continue;
            }
            (Quote::Double, b'"') | (Quote::Single, b'\'') => {
                return match line.get(read + 1) {
                    Some(&next) if !is_blank(next) => Err(ProtocolError::UnbalancedQuotes),
                    _ => Ok((write - start, read + 1)),
                };
            }
            (Quote::Double, b'\\') => escape(&line[read..]),
            (Quote::Single, b'\\') if line.get(read + 1) == Some(&b'\'') => (b'\'', 2),
            _ => (byte, 1),
        };
        line[write] = plain;
        write += 1;
        read += taken;
    }
    match quote {
        Quote::None => Ok((write - start, read)),
        Quote::Single | Quote::Double => Err(ProtocolError::UnbalancedQuotes),
    }
}

/// The byte that an escape in double quotes stands for, and how many bytes spell it.
fn escape(spelling: &[u8]) -> (u8, usize) {
    match spelling {
        [_, b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            (hexadecimal(*high) << 4 | hexadecimal(*low), 4)
        }
        [_, b'n', ..] => (b'\n', 2),
        [_, b'r', ..] => (b'\r', 2),
        [_, b't', ..] => (b'\t', 2),
        [_, b'b', ..] => (0x08, 2),
        [_, b'a', ..] => (0x07, 2),
        [_, other, ..] => (*other, 2),
        _ => (b'\\', 1),
    }
}

fn hexadecimal(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// What separates words: C's `isspace`.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_of(line: &str) -> Result<Vec<Vec<u8>>, ProtocolError> {
        let mut bytes = line.as_bytes().to_vec();
        let mut spans = Vec::new();
        split(&mut bytes, 0, &mut spans)?;
        Ok(spans.iter().map(|span| span.of(&bytes).to_vec()).collect())
    }

    #[test]
    fn words_are_split_and_unquoted() {
        let table: &[(&str, &[&[u8]])] = &[
            ("", &[]),
            (" \t \x0b\x0c ", &[]),
            ("PING", &[b"PING"]),
            ("  set  key\tvalue ", &[b"set", b"key", b"value"]),
            (r#"set k "a b""#, &[b"set", b"k", b"a b"]),
            (r#""" ''"#, &[b"", b""]),
            (r#"pre"fix" x"#, &[b"prefix", b"x"]),
            (r"pre'fix'", &[b"prefix"]),
            (r#""\n\r\t\b\a\\\"\q""#, &[b"\n\r\t\x08\x07\\\"q"]),
            (r#""\x00\xfF\x4g""#, &[b"\x00\xffx4g"]),
            (r#""\x4""#, &[b"x4"]),
            (r"'it\'s' '\n\x41'", &[b"it's", br"\n\x41"]),
            (r#"'a"b' "a'b""#, &[b"a\"b", b"a'b"]),
            (r"bare\n", &[br"bare\n"]),
            ("cut\0here", &[b"cut"]),
            ("caf\u{e9}", &["caf\u{e9}".as_bytes()]),
        ];
        for (line, words) in table {
            assert_eq!(words_of(line).unwrap(), *words, "{line:?}");
        }
    }

    #[test]
    fn unbalanced_quotes_are_refused() {
        for line in [
            "\"",
            "'",
            "\"abc",
            "'abc",
            "\"a\"b",
            "'a'b",
            "\"a\\\"",
            "'a\\'",
            "\"a\\",
            "a \"b\0\" c",
            "\"a\"\"b\"",
        ] {
            assert_eq!(words_of(line), Err(ProtocolError::UnbalancedQuotes), "{line:?}");
        }
    }

    #[test]
    fn words_are_unescaped_where_they_stand() {
        let mut line = br#"k "a\x42c" d"#.to_vec();
        let mut words = Vec::new();
        split(&mut line, 100, &mut words).unwrap();
        let spans = [(100, 1), (102, 3), (111, 1)].map(|(start, length)| Span { start, length });
        assert_eq!(words, spans);
        assert_eq!(&line[2..5], b"aBc");
    }
}
