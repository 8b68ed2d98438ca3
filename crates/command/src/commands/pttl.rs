//! `PTTL key`

use super::ttl::reply_time;
use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "pttl",
    summary: "Returns the expiration time in milliseconds of a key.",
    since: "2.6.0",
    complexity: "O(1)",
    group: Group::Generic,
    arity: 2,
    flags: Flags::READONLY.and(Flags::FAST),
    keys: &[KeySpec::at(1, access::READ)],
    arguments: &[Argument::key("key")],
    run: Run::Keys(run),
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    reply_time(context, words, |deadline, now| deadline - now)
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("PTTL h", "(integer) -2"),
            ("HSET h f v", "(integer) 1"),
            ("PTTL h", "(integer) -1"),
            ("HSETEX h f v 10", "(integer) 0"),
            ("PTTL h", "(integer) 10000"),
            ("WAIT 9999", ""),
            ("PTTL h", "(integer) 1"),
            ("WAIT 1", ""),
            ("PTTL h", "(integer) -2"),
            ("PTTL", "(error) ERR wrong number of arguments for 'pttl' command"),
            ("PTTL h h", "(error) ERR wrong number of arguments for 'pttl' command"),
        ]);
    }
}
