//! `COMMAND GETKEYSANDFLAGS command [arg [arg ...]]`

use super::getkeys::{REQUEST, keys};
use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "getkeysandflags",
    summary: "Extracts the key names and access flags for an arbitrary command.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of arguments to the command",
    group: Group::Server,
    arity: -3,
    flags: Flags::LOADING.and(Flags::STALE),
    arguments: &REQUEST,
    run: Run::Session(run),
    ..Spec::BLANK
};

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let keys = keys(words.after(2))?;
    context.reply.array(keys.len());
    for found in keys {
        context.reply.array(2);
        context.reply.bulk(found.key);
        context.reply.set(found.access.len());
        found.access.iter().for_each(|word| context.reply.simple(word));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("COMMAND GETKEYSANDFLAGS hset k f v", "1) 1) \"k\"\n   2) 1) RW\n      2) update"),
            (
                "COMMAND GETKEYSANDFLAGS hget k",
                "(error) ERR Invalid number of arguments specified for command",
            ),
            ("COMMAND GETKEYSANDFLAGS ping", "(error) ERR The command has no key arguments"),
            ("HELLO 3", "*"),
            ("COMMAND GETKEYSANDFLAGS hgetall k", "1) 1) \"k\"\n   2) 1~ RO\n      2~ access"),
        ]);
    }
}
