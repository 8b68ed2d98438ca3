//! `EXPIRETIME key`

use super::ttl::reply_time;
use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::expiry::rounded_seconds;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "expiretime",
    summary: "Returns the expiration time of a key as a Unix timestamp.",
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
    reply_time(context, words, |deadline, _| rounded_seconds(deadline))
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("EXPIRETIME h", "(integer) -2"),
            ("HSET h f v", "(integer) 1"),
            ("EXPIRETIME h", "(integer) -1"),
            ("PEXPIREAT h 1767225601499", "(integer) 1"),
            ("EXPIRETIME h", "(integer) 1767225601"),
            ("PEXPIREAT h 1767225601500", "(integer) 1"),
            ("EXPIRETIME h", "(integer) 1767225602"),
            ("WAIT 1500", ""),
            ("EXPIRETIME h", "(integer) -2"),
            ("EXPIRETIME", "(error) ERR wrong number of arguments for 'expiretime' command"),
            ("EXPIRETIME h h", "(error) ERR wrong number of arguments for 'expiretime' command"),
        ]);
    }
}
