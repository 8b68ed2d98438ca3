//! Which versions of the format are read, and whose they are.
//!
//! Redis counts up: 6 to 9 are Redis 2.6 to 6, 10 is 7.0, 11 is 7.2 (and Valkey 7.2 and 8), 12 is 7.4 to 8.2. Valkey
//! went on at 80 with its version 9.0, so that the two cannot be taken for each other. A file names its family, a
//! payload only has the number. What a newer server writes is read as long as it consists of what is known: any
//! type or opcode that is not is an error.

use crate::hash::Dialect;

const REDIS_MAX: u16 = 14;
const VALKEY_MIN: u16 = 80;
const VALKEY_MAX: u16 = 81;

/// Whose format a payload of this version is in, if it is known.
pub(crate) fn dialect_of_payload(version: u16) -> Option<Dialect> {
    match version {
        1..=REDIS_MAX => Some(Dialect::Redis),
        VALKEY_MIN..=VALKEY_MAX => Some(Dialect::Valkey),
        _ => None,
    }
}

/// Whose format a file is in by its first nine bytes, and its version.
pub(crate) fn of_file(header: &[u8; 9]) -> Option<(Dialect, u16)> {
    let (dialect, digits) = if let Some(digits) = header.strip_prefix(b"REDIS") {
        (Dialect::Redis, digits)
    } else {
        (Dialect::Valkey, header.strip_prefix(b"VALKEY")?)
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let version = digits.iter().fold(0, |version, digit| version * 10 + u16::from(digit - b'0'));
    Some((dialect, version))
}

/// Whether a file of this version is read.
pub(crate) fn is_known(dialect: Dialect, version: u16) -> bool {
    dialect_of_payload(version) == Some(dialect)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_names_family_and_version() {
        assert_eq!(of_file(b"REDIS0009"), Some((Dialect::Redis, 9)));
        assert_eq!(of_file(b"REDIS0012"), Some((Dialect::Redis, 12)));
        assert_eq!(of_file(b"VALKEY080"), Some((Dialect::Valkey, 80)));
        for header in [b"REDIS00x9", b"REDIS-009", b"VALKEY08 ", b"redis0009", b"\0\0\0\0\0\0\0\0\0"] {
            assert_eq!(of_file(header), None);
        }
    }

    #[test]
    fn what_is_known_are_the_families_own_numbers() {
        for (dialect, version, known) in [
            (Dialect::Redis, 0, false),
            (Dialect::Redis, 1, true),
            (Dialect::Redis, 14, true),
            (Dialect::Redis, 15, false),
            (Dialect::Redis, 80, false),
            (Dialect::Valkey, 79, false),
            (Dialect::Valkey, 80, true),
            (Dialect::Valkey, 82, false),
        ] {
            assert_eq!(is_known(dialect, version), known, "{dialect:?} {version}");
        }
    }
}
