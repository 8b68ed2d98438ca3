//! `RENAMENX key newkey`

use super::rename::rename;
use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "renamenx",
    summary: "Renames a key, with its TTL, only if the new name is free.",
    since: "1.0.0",
    complexity: "O(1)",
    group: Group::Generic,
    arity: 3,
    flags: Flags::WRITE.and(Flags::FAST),
    keys: &[KeySpec::at(1, access::READ_DELETE), KeySpec::at(2, access::CREATE)],
    arguments: &[Argument::key("key"), Argument::key("newkey")],
    run: Run::Keys(run),
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let is_renamed = rename(context, words, false)?;
    context.reply.boolean_as_integer(is_renamed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("RENAMENX a b", "(error) ERR no such key"),
            ("RENAMENX a a", "(error) ERR no such key"),
            ("HSETEX a f 1 10", "(integer) 1"),
            ("RENAMENX a a", "(integer) 0"),
            ("HSETEX b f 2 1", "(integer) 1"),
            ("RENAMENX a b", "(integer) 0"),
            ("TTL a", "(integer) 10"),
            ("HGET b f", "\"2\""),
            ("RENAMENX a c", "(integer) 1"),
            ("TTL c", "(integer) 10"),
            ("EXISTS a", "(integer) 0"),
            ("WAIT 1000", ""),
            // b is past its deadline: absent as a source, free as a target.
            ("RENAMENX b d", "(error) ERR no such key"),
            ("RENAMENX c b", "(integer) 1"),
            ("TTL b", "(integer) 9"),
            ("RENAMENX a", "(error) ERR wrong number of arguments for 'renamenx' command"),
        ]);
    }
}
