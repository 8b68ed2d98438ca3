//! The 80-bit floating-point numbers of `HINCRBYFLOAT`.
//!
//! Redis reads with C's `strtold`, adds in the x87 extended format and prints with `%.17Lf`. The format and its
//! rounding come from `rustc_apfloat`; here are the spellings that `strtold` takes and the decimal print, exact
//! to the last digit:
//!
//! ```text
//!   79     78 … 64     63 … 0
//!   sign   exponent    significand, its integer bit included     value = ± significand × 2^(exponent - 16446)
//! ```

use std::ops::Add;

use rustc_apfloat::ieee::X87DoubleExtended;
use rustc_apfloat::{Float, Round};

/// An 80-bit floating-point number that is not NaN unless two infinities met.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct LongDouble(X87DoubleExtended);

/// Bytes from which on a text is no number, as in Redis (`MAX_LONG_DOUBLE_CHARS`). The longest print has 4,951.
const TEXT_BYTES_MAX: usize = 5 * 1024;

/// Exponents are read up to here. No text of [`TEXT_BYTES_MAX`] has enough digits to bring one back in range.
const EXPONENT_MAX: i32 = 99_999;

/// Digits behind the point that are printed: the unit of a printed fraction is 10^-17.
const FRACTION_DIGITS: usize = 17;
const FRACTION_UNITS: u128 = 10u128.pow(FRACTION_DIGITS as u32);

/// What the stored exponent exceeds that of the significand's last bit by.
const EXPONENT_BIAS: i32 = 16_446;

impl LongDouble {
    /// Zero.
    pub(crate) const ZERO: LongDouble = LongDouble(X87DoubleExtended::ZERO);

    /// Reads what `strtold` reads: decimals, hexadecimals with `0x`, infinities. None for anything else, for
    /// NaN, and for numbers too large or too small to be told from infinity or zero.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        if text.len() >= TEXT_BYTES_MAX {
            return None;
        }
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let magnitude = parse_magnitude(text)?;
        Some(LongDouble(if negative { -magnitude } else { magnitude }))
    }

    /// Whether it is neither infinite nor NaN.
    pub(crate) fn is_finite(self) -> bool {
        self.0.is_finite()
    }

    /// The decimal print of a finite number: 17 digits behind the point, rounded to even, without the zeros at
    /// their end.
    pub(crate) fn print(self) -> Vec<u8> {
        let bits = self.0.to_bits();
        let negative = bits >> 79 & 1 == 1;
        // A denormal number has the exponent 0 and the scale of 1.
        let exponent = ((bits >> 64) as i32 & 0x7fff).max(1) - EXPONENT_BIAS;
        let significand = bits as u64;
        let mut text = Vec::with_capacity(40);
        if negative {
            text.push(b'-');
        }
        if exponent >= 0 {
            push_shifted(&mut text, significand, exponent as usize);
        } else {
            push_fraction(&mut text, significand, -exponent as u32);
        }
        if text == b"-0" {
            text.remove(0);
        }
        text
    }
}

impl Add for LongDouble {
    type Output = LongDouble;

    fn add(self, other: LongDouble) -> LongDouble {
        LongDouble((self.0 + other.0).value)
    }
}

/// Reads a number without its sign.
fn parse_magnitude(text: &[u8]) -> Option<X87DoubleExtended> {
    if text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity") {
        return Some(X87DoubleExtended::INFINITY);
    }
    let text = std::str::from_utf8(text).ok()?;
    let (prefix, body, radix, marker) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(body) => ("0x", body, 16, 'p'),
        None => ("", text, 10, 'e'),
    };
    let (digits, exponent) = match body.split_once([marker, marker.to_ascii_uppercase()]) {
        Some((digits, exponent)) => (digits, parse_exponent(exponent)?),
        None => (body, 0),
    };
    if !are_digits(digits, radix) {
        return None;
    }
    if digits.bytes().all(|byte| matches!(byte, b'0' | b'.')) {
        return Some(X87DoubleExtended::ZERO);
    }
    let spelling = format!("{prefix}{digits}{marker}{exponent}");
    let value = X87DoubleExtended::from_str_r(&spelling, Round::NearestTiesToEven).ok()?.value;
    (value.is_finite() && !value.is_zero()).then_some(value)
}

/// Whether `text` is digits with at most one point among them.
fn are_digits(text: &str, radix: u32) -> bool {
    let points = text.bytes().filter(|&byte| byte == b'.').count();
    let digits = text.chars().filter(|digit| digit.is_digit(radix)).count();
    points <= 1 && digits > 0 && points + digits == text.len()
}

/// Reads an exponent, cut off at [`EXPONENT_MAX`].
fn parse_exponent(text: &str) -> Option<i32> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits.parse().map_or(EXPONENT_MAX, |exponent: i32| exponent.min(EXPONENT_MAX));
    Some(if text.starts_with('-') { -magnitude } else { magnitude })
}

/// Appends `significand / 2^shift`, rounded.
fn push_fraction(text: &mut Vec<u8>, significand: u64, shift: u32) {
    let mut whole = significand.checked_shr(shift).unwrap_or(0);
    let rest = significand - whole.checked_shl(shift).unwrap_or(0);
    // Below 2^64 × 10^17, which is below 2^121.
    let scaled = u128::from(rest) * FRACTION_UNITS;
    let mut units = scaled.checked_shr(shift).unwrap_or(0);
    // Beyond 127 bits even the largest `scaled` is less than half a unit.
    if shift < u128::BITS {
        let lost = scaled - (units << shift);
        let half = 1u128 << (shift - 1);
        if lost > half || (lost == half && units & 1 == 1) {
            units += 1;
        }
    }
    if units == FRACTION_UNITS {
        (whole, units) = (whole + 1, 0);
    }
    text.extend_from_slice(whole.to_string().as_bytes());
    if units > 0 {
        let digits = format!("{units:0FRACTION_DIGITS$}");
        text.push(b'.');
        text.extend_from_slice(digits.trim_end_matches('0').as_bytes());
    }
}

/// Appends `significand × 2^shift`.
fn push_shifted(text: &mut Vec<u8>, significand: u64, shift: usize) {
    if shift <= 64 {
        text.extend_from_slice((u128::from(significand) << shift).to_string().as_bytes());
        return;
    }
    push_large(text, significand, shift);
}

/// 32-bit limbs of the largest number, 2^16384, and of the two limbs that a shift may touch beyond it.
const LIMBS: usize = 16_384 / 32 + 2;

/// What a limb is divided by at a time: nine digits.
const CHUNK: u64 = 1_000_000_000;

/// Appends a number beyond 128 bits: divides it by 10^9 until nothing is left.
fn push_large(text: &mut Vec<u8>, significand: u64, shift: usize) {
    let mut limbs = [0u32; LIMBS];
    let (first, shift) = (shift / 32, shift % 32);
    let shifted = u128::from(significand) << shift;
    for (position, limb) in limbs[first..].iter_mut().take(3).enumerate() {
        *limb = (shifted >> (32 * position)) as u32;
    }
    let mut chunks = Vec::new();
    let mut used = LIMBS;
    loop {
        while used > 0 && limbs[used - 1] == 0 {
            used -= 1;
        }
        if used == 0 {
            break;
        }
        let mut remainder = 0;
        for limb in limbs[..used].iter_mut().rev() {
            let dividend = remainder << 32 | u64::from(*limb);
            *limb = (dividend / CHUNK) as u32;
            remainder = dividend % CHUNK;
        }
        chunks.push(remainder);
    }
    for (position, chunk) in chunks.iter().rev().enumerate() {
        let digits = if position == 0 { chunk.to_string() } else { format!("{chunk:09}") };
        text.extend_from_slice(digits.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn sum(left: &str, right: &str) -> String {
        let [left, right] = [left, right].map(|text| LongDouble::parse(text.as_bytes()).expect(text));
        String::from_utf8((left + right).print()).unwrap()
    }

    #[test]
    fn sums_print_as_in_redis() {
        for (left, right, expected) in [
            ("0.1", "0.2", "0.3"),
            ("1.1", "2.2", "3.3"),
            ("10.5", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("-1.5", "0.5", "-1"),
            ("-2", "1.25", "-0.75"),
            ("007", "1", "8"),
            (".5", "5.", "5.5"),
            ("+1", "0x10", "17"),
            ("0x.8", "0X1.8P+1", "3.5"),
            ("0", "1e17", "100000000000000000"),
            ("0e99999999999999999999", "1", "1"),
            ("3.141592653589793238462643", "0", "3.14159265358979324"),
            // Below the last digit: rounded, ties to even, carried into the whole part, never "-0".
            ("1", "1e-17", "1.00000000000000001"),
            ("0", "5e-18", "0"),
            ("0", "15e-18", "0.00000000000000002"),
            ("0", "0x1p-18", "0.00000381469726562"),
            ("0", "0x3p-18", "0.00001144409179688"),
            ("0.99999999999999999", "9e-18", "1"),
            ("-0", "-0", "0"),
            ("0", "-1e-30", "0"),
            ("1.9e-4951", "0", "0"),
            // 64 bits of precision.
            ("9223372036854775807", "1", "9223372036854775808"),
            ("18446744073709551615", "1", "18446744073709551616"),
            ("18446744073709551616", "1", "18446744073709551616"),
            ("340282366920938463463374607431768211456", "0", "340282366920938463463374607431768211456"),
            ("1e40", "-1", "9999999999999999999783686092270256259072"),
        ] {
            assert_eq!(sum(left, right), expected, "{left} + {right}");
        }
    }

    #[test]
    fn the_largest_number_prints_in_full() {
        let largest = sum("0x1.fffffffffffffffep16383", "0");
        assert!(largest.starts_with("118973149535723176502126385303097020516906332229"), "{largest}");
        assert!(largest.ends_with("604419552086811989770240"), "{largest}");
        assert_eq!(largest.len(), 4_933);
        assert_eq!(sum(&largest, "-1"), largest);
        assert!(sum("1e4932", "0").starts_with("10000000000000000000060189493879638913238377742545331147"));
    }

    #[test]
    fn only_what_strtold_reads_is_a_number() {
        for text in [
            "",
            ".",
            "+",
            "-",
            "-+1",
            " 1",
            "1 ",
            "1,5",
            "1_0",
            "1f",
            "e1",
            "1e",
            "1e+",
            "1e 1",
            "1.2.3",
            "0x",
            "0x.",
            "0x.p1",
            "0x1p",
            "0b1",
            "0o7",
            "infin",
            "nan",
            "-nan",
            "nan(12)",
            "1\0",
            "\u{ff11}",
            "1e5000",
            "1e-5000",
            "1.8e-4951",
            "1e99999999999999999999",
            "1e-99999999999999999999",
            "0x1p16384",
            "0x1p-16446",
        ] {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(LongDouble::parse(b"\xff"), None);
        let longest = "0".repeat(TEXT_BYTES_MAX - 2) + "7";
        assert_eq!(sum(&longest, "0"), "7");
        assert_eq!(LongDouble::parse(format!("0{longest}").as_bytes()), None);
    }

    #[test]
    fn infinities_are_read_and_are_not_finite() {
        for text in ["inf", "-inf", "+INF", "Infinity", "-INFINITY"] {
            let infinite = LongDouble::parse(text.as_bytes()).expect(text);
            assert!(!infinite.is_finite(), "{text}");
        }
        let [plus, minus] = [&b"inf"[..], b"-inf"].map(|text| LongDouble::parse(text).unwrap());
        assert!(!(plus + minus).is_finite());
        let largest = LongDouble::parse(b"0x1.fffffffffffffffep16383").unwrap();
        assert!(!(largest + largest).is_finite());
    }
}
