//! Numbers as Redis reads them.
//!
//! Integers are strict: no `+`, no blanks, no leading zeros, no `-0`. The 80-bit floats of `HINCRBYFLOAT`
//! are in `long_double.rs`.

pub use mayfly_resp::parse_integer as integer;

/// Reads a cursor: an unsigned 64-bit decimal, as lenient as Redis, which leaves what is no plain number to
/// `strtoull`: blanks before it, a sign and leading zeros are fine; behind a blank even a minus, which wraps around.
pub fn cursor(word: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(word).ok()?;
    let trimmed = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let (is_negative, digits) = match trimmed.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    let is_plain_negative = is_negative && integer(word).is_some();
    (!is_plain_negative).then_some(if is_negative { value.wrapping_neg() } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_unsigned() {
        assert_eq!(cursor(b"0"), Some(0));
        assert_eq!(cursor(b"18446744073709551615"), Some(u64::MAX));
        for (word, value) in [("+1", 1), (" 1", 1), ("\t 01", 1), (" -1", u64::MAX), ("-0", 0)] {
            assert_eq!(cursor(word.as_bytes()), Some(value), "{word:?}");
        }
        for word in ["", " ", "+", "-1", "+ 1", "1 ", "x", "18446744073709551616", "1x"] {
            assert_eq!(cursor(word.as_bytes()), None, "{word:?}");
        }
    }
}
