//! Sizes as text: `"64KiB"`, `"512mb"`, `"65536"`. Read as Redis reads them, written in the largest unit that
//! divides evenly. The ranges of sizes are in `directives.rs`.

/// 1 KiB in bytes.
pub(crate) const KIB: u64 = 1 << 10;
/// 1 MiB in bytes.
pub(crate) const MIB: u64 = 1 << 20;
/// 1 GiB in bytes.
pub(crate) const GIB: u64 = 1 << 30;

/// Unit and its bytes, lower case. As in Redis, `kb` is 1024 and the bare `k` is 1000.
const UNITS: [(&str, u64); 11] = [
    ("", 1),
    ("b", 1),
    ("k", 1_000),
    ("kb", KIB),
    ("kib", KIB),
    ("m", 1_000_000),
    ("mb", MIB),
    ("mib", MIB),
    ("g", 1_000_000_000),
    ("gb", GIB),
    ("gib", GIB),
];

/// Reads a size. Case does not matter, one blank before the unit is fine; `None` for anything else, signs and
/// fractions included, and for more than 64 bits.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = unit.strip_prefix(' ').filter(|unit| !unit.is_empty()).unwrap_or(unit).to_ascii_lowercase();
    let (_, bytes) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*bytes)
}

/// Writes a size: `65536` is `64KiB`, `65537` is `65537`.
pub(crate) fn format(bytes: u64) -> String {
    for (unit, size) in [("GiB", GIB), ("MiB", MIB), ("KiB", KIB)] {
        if bytes >= size && bytes.is_multiple_of(size) {
            return format!("{}{unit}", bytes / size);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_redis_reads_them() {
        let cases = [
            ("0", Some(0)),
            ("65536", Some(65_536)),
            ("7b", Some(7)),
            ("1k", Some(1_000)),
            ("1kb", Some(1_024)),
            ("64KiB", Some(65_536)),
            ("64 KiB", Some(65_536)),
            ("64kib", Some(65_536)),
            ("2m", Some(2_000_000)),
            ("512mb", Some(512 << 20)),
            ("512MiB", Some(512 << 20)),
            ("3G", Some(3_000_000_000)),
            ("1GB", Some(1 << 30)),
            ("1GiB", Some(1 << 30)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("17179869184GiB", None),
            ("", None),
            (" ", None),
            ("KiB", None),
            ("1 ", None),
            ("1  KiB", None),
            (" 1", None),
            ("-1", None),
            ("+1", None),
            ("1.5GiB", None),
            ("1_000", None),
            ("1TiB", None),
            ("1KiBs", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse(text), bytes, "{text:?}");
        }
    }

    #[test]
    fn sizes_are_written_in_the_largest_even_unit() {
        let cases = [
            (0, "0"),
            (1_023, "1023"),
            (1_024, "1KiB"),
            (65_537, "65537"),
            (1 << 20, "1MiB"),
            (1_536 << 10, "1536KiB"),
            (1 << 30, "1GiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(format(bytes), text);
            assert_eq!(parse(text), Some(bytes));
        }
    }
}
