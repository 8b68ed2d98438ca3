//! Numbers as clients write them.

use super::NOT_AN_INTEGER;

/// A 64-bit integer in the one spelling that is allowed.
pub fn integer(word: &[u8]) -> Result<i64, String> {
    let value: Option<i64> = std::str::from_utf8(word).ok().and_then(|text| text.parse().ok());
    value.filter(|value| value.to_string().as_bytes() == word).ok_or_else(|| NOT_AN_INTEGER.to_owned())
}

/// A cursor: any unsigned number, also behind blanks and a plus. The simulator's clients send no other oddities.
pub fn cursor(word: &[u8]) -> Result<u64, String> {
    let text = std::str::from_utf8(word).unwrap_or_default().trim_start();
    let digits = text.strip_prefix('+').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let value = Some(digits).filter(|_| is_number).and_then(|digits| digits.parse().ok());
    value.ok_or_else(|| "ERR invalid cursor".to_owned())
}

/// A deadline from a number, which counts `unit` milliseconds from `base` on.
pub fn deadline(amount: i64, unit: i64, base: i64, command: &str) -> Result<i64, String> {
    let millis = amount.checked_mul(unit).and_then(|millis| millis.checked_add(base));
    millis.ok_or_else(|| format!("ERR invalid expire time in '{command}' command"))
}

/// A number in quarters, for `HINCRBYFLOAT`. The simulator's clients send no other fractions; whatever is no
/// such number is a text to it.
pub fn quarters(word: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(word).ok()?;
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let quarters = match fraction {
        "" | "0" => 0,
        "25" => 1,
        "5" => 2,
        "75" => 3,
        _ => return None,
    };
    let is_number = !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit());
    let whole: i128 = is_number.then(|| whole.parse().ok())??;
    Some(sign * (whole * 4 + quarters))
}

/// A number of quarters as an 80-bit float holds it: 64 digits of two, rounded to even.
pub fn rounded(quarters: i128) -> i128 {
    let magnitude = quarters.unsigned_abs();
    let excess = (u128::BITS - magnitude.leading_zeros()).saturating_sub(64);
    let (kept, lost) = (magnitude >> excess, magnitude & ((1 << excess) - 1));
    let half = (1u128 << excess) >> 1;
    let up = excess > 0 && (lost > half || (lost == half && kept & 1 == 1));
    ((kept + u128::from(up)) << excess) as i128 * quarters.signum()
}

/// A number of quarters as text.
pub fn quarters_text(quarters: i128) -> String {
    let sign = if quarters < 0 { "-" } else { "" };
    let magnitude = quarters.unsigned_abs();
    let fraction = ["", ".25", ".5", ".75"][(magnitude % 4) as usize];
    format!("{sign}{}{fraction}", magnitude / 4)
}
