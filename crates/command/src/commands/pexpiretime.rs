//! `PEXPIRETIME key`

use super::ttl::reply_time;
use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "pexpiretime",
    summary: "Returns the expiration time of a key as a Unix milliseconds timestamp.",
    since: "7.0.0",
    complexity: "O(1)",
    group: Group::Generic,
    arity: 2,
    flags: Flags::READONLY.and(Flags::FAST),
    keys: &[KeySpec::at(1, access::READ)],
    arguments: &[Argument::key("key")],
    run: Run::Keys(run),
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    reply_time(context, words, |deadline, _| deadline)
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("PEXPIRETIME h", "(integer) -2"),
            ("HSET h f v", "(integer) 1"),
            ("PEXPIRETIME h", "(integer) -1"),
            ("PEXPIRE h 1", "(integer) 1"),
            ("PEXPIRETIME h", "(integer) 1767225600001"),
            ("WAIT 1", ""),
            ("PEXPIRETIME h", "(integer) -2"),
            ("PEXPIRETIME", "(error) ERR wrong number of arguments for 'pexpiretime' command"),
            ("PEXPIRETIME h h", "(error) ERR wrong number of arguments for 'pexpiretime' command"),
        ]);
    }
}
