//! `PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]`

use super::expire::{CONDITION, set_expiry};
use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::expiry::TimeForm;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "pexpireat",
    summary: "Sets the expiration time of a key to a Unix milliseconds timestamp.",
    since: "2.6.0",
    complexity: "O(1)",
    group: Group::Generic,
    arity: -3,
    flags: Flags::WRITE.and(Flags::FAST),
    keys: &[KeySpec::at(1, access::UPDATE)],
    arguments: &[Argument::key("key"), Argument::unix_time("unix-time-milliseconds"), CONDITION],
    run: Run::Keys(run),
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    set_expiry(context, words, TimeForm::UNIX_MILLIS)
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    // What all four commands share is tested in `expire.rs`.
    #[test]
    fn cases() {
        replay(&[
            ("HSET h f v", "(integer) 1"),
            ("PEXPIREAT h 1767225600001", "(integer) 1"),
            ("PTTL h", "(integer) 1"),
            ("PEXPIREAT h 1767225600002 NX", "(integer) 0"),
            ("WAIT 1", ""),
            ("PEXPIREAT h 1767225600002", "(integer) 0"),
        ]);
    }
}
