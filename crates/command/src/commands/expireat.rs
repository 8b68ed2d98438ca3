//! `EXPIREAT key unix-time-seconds [NX | XX | GT | LT]`

use super::expire::{CONDITION, set_expiry};
use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::expiry::TimeForm;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "expireat",
    summary: "Sets the expiration time of a key to a Unix timestamp.",
    since: "1.2.0",
    complexity: "O(1)",
    group: Group::Generic,
    arity: -3,
    flags: Flags::WRITE.and(Flags::FAST),
    keys: &[KeySpec::at(1, access::UPDATE)],
    arguments: &[Argument::key("key"), Argument::unix_time("unix-time-seconds"), CONDITION],
    run: Run::Keys(run),
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    set_expiry(context, words, TimeForm::UNIX_SECONDS)
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    // What all four commands share is tested in `expire.rs`.
    #[test]
    fn cases() {
        replay(&[
            ("HSET h f v", "(integer) 1"),
            ("EXPIREAT h 1767225660", "(integer) 1"),
            ("TTL h", "(integer) 60"),
            ("EXPIREAT h 1767225659 GT", "(integer) 0"),
            ("WAIT 60000", ""),
            ("EXPIREAT h 1767225720", "(integer) 0"),
            ("HSET h f v", "(integer) 1"),
            ("EXPIREAT h 1767225660", "(integer) 1"),
            ("EXISTS h", "(integer) 0"),
        ]);
    }
}
