//! `TYPE key`

use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "type",
    summary: "Returns hash for a key that exists, else none.",
    since: "1.0.0",
    complexity: "O(1)",
    group: Group::Generic,
    arity: 2,
    flags: Flags::READONLY.and(Flags::FAST),
    keys: &[KeySpec::at(1, access::LOOK)],
    arguments: &[Argument::key("key")],
    run: Run::Keys(run),
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let exists = context.data.peek(words.at(1)).is_some();
    context.reply.simple(if exists { "hash" } else { "none" });
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("TYPE h", "none"),
            ("HSETEX h f v 1", "(integer) 1"),
            ("TYPE h", "hash"),
            ("WAIT 1000", ""),
            ("TYPE h", "none"),
            ("TYPE", "(error) ERR wrong number of arguments for 'type' command"),
            ("TYPE h h", "(error) ERR wrong number of arguments for 'type' command"),
        ]);
    }
}
