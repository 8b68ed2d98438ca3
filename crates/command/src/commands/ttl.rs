//! `TTL key`

use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::expiry::rounded_seconds;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "ttl",
    summary: "Returns the seconds until a key expires: -1 without a deadline, -2 without the key.",
    since: "1.0.0",
    complexity: "O(1)",
    group: Group::Generic,
    arity: 2,
    flags: Flags::READONLY.and(Flags::FAST),
    keys: &[KeySpec::at(1, access::READ)],
    arguments: &[Argument::key("key")],
    run: Run::Keys(run),
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    reply_time(context, words, |deadline, now| rounded_seconds(deadline - now))
}

/// Answers what `shape` makes of the deadline and now (both Unix milliseconds) of the key at position 1;
/// -1 where it has none, -2 where there is no key.
pub(super) fn reply_time(
    context: &mut DataContext<'_>,
    words: Words<'_>,
    shape: impl Fn(i64, i64) -> i64,
) -> Outcome {
    let now = context.data.now.0;
    let answer = match context.data.peek(words.at(1)) {
        None => -2,
        Some(hash) => hash.deadline().map_or(-1, |deadline| shape(deadline.0, now)),
    };
    context.reply.integer(answer);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("TTL h", "(integer) -2"),
            ("HSET h f v", "(integer) 1"),
            ("TTL h", "(integer) -1"),
            ("HSETEX h f v 10", "(integer) 0"),
            ("WAIT 500", ""),
            ("TTL h", "(integer) 10"),
            ("WAIT 1", ""),
            ("TTL h", "(integer) 9"),
            ("WAIT 9499", ""),
            ("TTL h", "(integer) -2"),
        ]);
    }
}
