//! Times in commands: from what the client says to a deadline, and back to a ttl.

use mayfly_store::UnixMillis;

use crate::error::CommandError;

/// The unit a client's number is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
}

/// What a client's number counts from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Base {
    /// From now on: a ttl.
    Now,
    /// From the Unix epoch: a deadline.
    Epoch,
}

/// How a client states a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeForm {
    /// The unit of the number.
    pub unit: Unit,
    /// What it counts from.
    pub base: Base,
}

impl TimeForm {
    /// `EXPIRE`, `EX`.
    pub const SECONDS: TimeForm = TimeForm { unit: Unit::Seconds, base: Base::Now };
    /// `PEXPIRE`, `PX`.
    pub const MILLIS: TimeForm = TimeForm { unit: Unit::Millis, base: Base::Now };
    /// `EXPIREAT`, `EXAT`.
    pub const UNIX_SECONDS: TimeForm = TimeForm { unit: Unit::Seconds, base: Base::Epoch };
    /// `PEXPIREAT`, `PXAT`.
    pub const UNIX_MILLIS: TimeForm = TimeForm { unit: Unit::Millis, base: Base::Epoch };

    /// The deadline that `amount` means at `now`, also one that is past; an error where it does not fit into
    /// 64 bits of milliseconds.
    pub fn deadline(self, amount: i64, now: UnixMillis) -> Result<UnixMillis, CommandError> {
        let millis = match self.unit {
            Unit::Seconds => amount.checked_mul(1_000),
            Unit::Millis => Some(amount),
        };
        let deadline = match self.base {
            Base::Now => millis.and_then(|millis| millis.checked_add(now.0)),
            Base::Epoch => millis,
        };
        deadline.map(UnixMillis).ok_or(CommandError::InvalidExpireTime)
    }

    /// The same, but `amount` must be positive.
    pub fn positive_deadline(self, amount: i64, now: UnixMillis) -> Result<UnixMillis, CommandError> {
        if amount <= 0 {
            return Err(CommandError::InvalidExpireTime);
        }
        self.deadline(amount, now)
    }
}

/// A duration or instant in milliseconds as whole seconds, rounded to the nearest as `TTL` does.
pub fn rounded_seconds(millis: i64) -> i64 {
    millis.saturating_add(500) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_never_wrap() {
        let now = UnixMillis(1_000);
        let max = i64::MAX;
        for (form, amount, expected) in [
            (TimeForm::SECONDS, 60, Some(61_000)),
            (TimeForm::SECONDS, -1, Some(0)),
            (TimeForm::SECONDS, max, None),
            (TimeForm::SECONDS, max / 1_000, None),
            (TimeForm::SECONDS, max / 1_000 - 1, Some((max / 1_000 - 1) * 1_000 + 1_000)),
            (TimeForm::MILLIS, max, None),
            (TimeForm::MILLIS, max - 1_000, Some(max)),
            (TimeForm::UNIX_SECONDS, 5, Some(5_000)),
            (TimeForm::UNIX_SECONDS, i64::MIN, None),
            (TimeForm::UNIX_MILLIS, max, Some(max)),
        ] {
            let got = form.deadline(amount, now).ok().map(|deadline| deadline.0);
            assert_eq!(got, expected, "{form:?} {amount}");
        }
        assert!(TimeForm::SECONDS.positive_deadline(0, now).is_err());
    }
}
