//! `HGETALL key`

use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "hgetall",
    summary: "Returns all fields and values of a hash.",
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
    let Some(hash) = context.data.read(words.at(1)) else {
        context.reply.map(0);
        return Ok(());
    };
    context.reply.map(hash.len());
    for (field, value) in hash.fields() {
        context.reply.bulk(field);
        context.reply.bulk(value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("HGETALL h", "(empty array)"),
            ("HSET h a 1 b 2", "(integer) 2"),
            ("HGETALL h", "1) \"a\"\n2) \"1\"\n3) \"b\"\n4) \"2\""),
            ("HELLO 3", "*"),
            ("HGETALL h", "1# \"a\" => \"1\"\n2# \"b\" => \"2\""),
            ("HGETALL nothing", "(empty hash)"),
        ]);
    }
}
