//! Numbers as Redis reads them.
//!
//! Integers are strict: no `+`, no blanks, no leading zeros, no `-0`. The 80-bit floats of `HINCRBYFLOAT`
//! are in `long_double.rs`.

pub use mayfly_resp::parse_integer as integer;

/// Reads a cursor: an unsigned 64-bit decimal, as lenient as Redis (leading zeros are fine).
pub fn cursor(word: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(word).ok()?;
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_unsigned() {
        assert_eq!(cursor(b"0"), Some(0));
        assert_eq!(cursor(b"18446744073709551615"), Some(u64::MAX));
        for word in ["", "-1", "+1", "x", "18446744073709551616", "1x"] {
            assert_eq!(cursor(word.as_bytes()), None, "{word:?}");
        }
    }
}
