//! `HKEYS key`

use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "hkeys",
    summary: "Returns the names of all fields of a hash.",
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
    reply_each(context, words, |field, _| field)
}

/// Answers an array of what `part` takes of each field and value of the hash at position 1.
pub(super) fn reply_each(
    context: &mut DataContext<'_>,
    words: Words<'_>,
    part: for<'f> fn(&'f [u8], &'f [u8]) -> &'f [u8],
) -> Outcome {
    let Some(hash) = context.data.read(words.at(1)) else {
        context.reply.array(0);
        return Ok(());
    };
    context.reply.array(hash.len());
    for (field, value) in hash.fields() {
        context.reply.bulk(part(field, value));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("HKEYS h", "(empty array)"),
            ("HSET h a 1 b 2", "(integer) 2"),
            ("HKEYS h", "1) \"a\"\n2) \"b\""),
            ("HELLO 3", "*"),
            ("HKEYS h", "1) \"a\"\n2) \"b\""),
            ("HKEYS h a", "(error) ERR wrong number of arguments for 'hkeys' command"),
            ("PEXPIRE h 10", "(integer) 1"),
            ("WAIT 10", ""),
            ("HKEYS h", "(empty array)"),
        ]);
    }
}
