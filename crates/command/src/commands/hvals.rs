//! `HVALS key`

use super::hkeys::reply_each;
use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "hvals",
    summary: "Returns the values of all fields of a hash.",
    since: "2.0.0",
    complexity: "O(N) where N is the size of the hash.",
    group: Group::Hash,
    arity: 2,
    flags: Flags::READONLY,
    keys: &[KeySpec::at(1, access::READ)],
    arguments: &[Argument::key("key")],
    run: Run::Keys(run),
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    reply_each(context, words, |_, value| value)
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("HVALS h", "(empty array)"),
            ("HSET h a 1 b 1", "(integer) 2"),
            ("HVALS h", "1) \"1\"\n2) \"1\""),
            ("HVALS", "(error) ERR wrong number of arguments for 'hvals' command"),
            ("PEXPIRE h 10", "(integer) 1"),
            ("WAIT 10", ""),
            ("HVALS h", "(empty array)"),
        ]);
    }
}
