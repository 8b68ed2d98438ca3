//! Passwords, of which nothing but the SHA-256 is kept.

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::rule::RuleError;

/// The SHA-256 of a password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Password([u8; 32]);

impl Password {
    /// Of a password in the clear.
    pub(crate) fn of(clear: &[u8]) -> Self {
        Password(Sha256::digest(clear).into())
    }

    /// Reads 64 lower-case hexadecimal digits.
    pub(crate) fn parse(digits: &[u8]) -> Result<Self, RuleError> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(RuleError::BadHash),
        };
        if digits.len() != 64 {
            return Err(RuleError::BadHash);
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Password(hash))
    }

    /// 64 hexadecimal digits.
    pub(crate) fn digits(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether a password in the clear is one of these. How long it takes says nothing about them but their number.
    pub(crate) fn is_among(all: &[Password], clear: &[u8]) -> bool {
        let given = Password::of(clear);
        let found = all.iter().fold(Choice::from(0), |found, known| found | known.0.ct_eq(&given.0));
        found.into()
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("***")
    }
}

/// Whether a rule holds a password, or its hash.
pub fn hidden(rule: &[u8]) -> bool {
    matches!(rule.first(), Some(b'>' | b'<' | b'#' | b'!'))
}

/// A rule without a password in the clear: `>secret` becomes `#` and its hash, `<secret` becomes `!` and its hash.
pub fn hide_passwords(rule: &str) -> String {
    let hashed = |sign, clear: &str| format!("{sign}{}", Password::of(clear.as_bytes()).digits());
    match rule.split_at_checked(1) {
        Some((">", clear)) => hashed('#', clear),
        Some(("<", clear)) => hashed('!', clear),
        _ => rule.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_by_its_hash_alone() {
        let digits = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        assert_eq!(Password::of(b"secret").digits(), digits);
        assert_eq!(Password::parse(digits.as_bytes()), Ok(Password::of(b"secret")));
        assert_eq!(hide_passwords(">secret"), format!("#{digits}"));
        assert_eq!(hide_passwords("<secret"), format!("!{digits}"));
        assert_eq!(hide_passwords("~secret"), "~secret");
        let long = format!("{digits}0");
        for wrong in ["", "0", &digits.to_uppercase(), &long, &digits.replace('2', "g")] {
            assert_eq!(Password::parse(wrong.as_bytes()), Err(RuleError::BadHash), "{wrong}");
        }
        let all = [Password::of(b"a"), Password::of(b"b")];
        assert!(Password::is_among(&all, b"a") && Password::is_among(&all, b"b"));
        assert!(!Password::is_among(&all, b"c") && !Password::is_among(&[], b"a"));
    }
}
