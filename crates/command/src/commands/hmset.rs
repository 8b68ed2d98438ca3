//! `HMSET key field value [field value ...]`

use super::hset::{PAIR, set_pairs};
use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "hmset",
    summary: "Sets fields of a hash as HSET does, and answers OK.",
    since: "2.0.0",
    complexity: "O(N) where N is the number of fields to set.",
    group: Group::Hash,
    arity: -4,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    keys: &[KeySpec::at(1, access::UPDATE)],
    arguments: &[Argument::key("key"), Argument::block("data", &PAIR).multiple()],
    run: Run::Keys(run),
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    set_pairs(context, words, 2)?;
    context.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    const ARITY: &str = "(error) ERR wrong number of arguments for 'hmset' command";

    #[test]
    fn cases() {
        replay(&[
            ("HMSET h a 1 b 2", "OK"),
            ("HMSET h a 3", "OK"),
            ("HMGET h a b", "1) \"3\"\n2) \"2\""),
            ("HMSET h a", ARITY),
            ("HMSET h a 4 b", ARITY),
            ("HMSET new a 4 b", ARITY),
            ("HGET h a", "\"3\""),
            ("EXISTS new", "(integer) 0"),
            ("PEXPIRE h 10", "(integer) 1"),
            ("HMSET h a 5", "OK"),
            ("PTTL h", "(integer) 10"),
        ]);
    }
}
