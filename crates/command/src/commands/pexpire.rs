//! `PEXPIRE key milliseconds [NX | XX | GT | LT]`

use super::expire::{CONDITION, set_expiry};
use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::expiry::TimeForm;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "pexpire",
    summary: "Sets the expiration time of a key in milliseconds.",
    since: "2.6.0",
    complexity: "O(1)",
    group: Group::Generic,
    arity: -3,
    flags: Flags::WRITE.and(Flags::FAST),
    keys: &[KeySpec::at(1, access::UPDATE)],
    arguments: &[Argument::key("key"), Argument::integer("milliseconds"), CONDITION],
    run: Run::Keys(run),
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    set_expiry(context, words, TimeForm::MILLIS)
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    // What all four commands share is tested in `expire.rs`.
    #[test]
    fn cases() {
        replay(&[
            ("HSET h f v", "(integer) 1"),
            ("PEXPIRE h 1500", "(integer) 1"),
            ("PTTL h", "(integer) 1500"),
            ("PEXPIRE h 1499 GT", "(integer) 0"),
            ("PEXPIRE h 1501 GT", "(integer) 1"),
            ("WAIT 1501", ""),
            ("PEXPIRE h 1", "(integer) 0"),
        ]);
    }
}
