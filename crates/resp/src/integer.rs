//! Strict decimal integers, as the wire and most commands want them.

/// The integer that `text` spells, or `None` if it is not spelt in the one canonical way: no plus sign,
/// no blanks, no leading zeros, no `-0`, and within `i64`.
#[inline]
pub fn parse_integer(text: &[u8]) -> Option<i64> {
    match text {
        [b'0'] => Some(0),
        [b'-', digits @ ..] => negative(digits),
        digits => magnitude(digits).and_then(|value| i64::try_from(value).ok()),
    }
}

fn negative(digits: &[u8]) -> Option<i64> {
    magnitude(digits).and_then(|value| 0i64.checked_sub_unsigned(value))
}

/// A positive number without leading zeros.
#[inline]
fn magnitude(digits: &[u8]) -> Option<u64> {
    if !matches!(digits, [b'1'..=b'9', ..]) || digits.len() > 19 {
        return None;
    }
    // Nineteen digits are below 10^19 and fit in 64 bits.
    let mut value = 0u64;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + u64::from(digit - b'0');
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::parse_integer;

    #[test]
    fn only_canonical_integers_are_read() {
        for value in [0, 1, -1, 9, 10, -10, 65_536, i64::MAX, i64::MIN, i64::MIN + 1] {
            assert_eq!(parse_integer(value.to_string().as_bytes()), Some(value));
        }
        for text in ["", "-", "+1", " 1", "1 ", "01", "00", "-0", "-01", "1a", "0x1", "--1", "1.0"] {
            assert_eq!(parse_integer(text.as_bytes()), None, "{text:?}");
        }
        let beyond =
            ["9223372036854775808", "-9223372036854775809", "10000000000000000000", "99999999999999999999"];
        for text in beyond {
            assert_eq!(parse_integer(text.as_bytes()), None, "{text:?}");
        }
    }
}
