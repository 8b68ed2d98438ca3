//! `HEXISTS key field`

use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "hexists",
    summary: "Tells whether a hash has a field.",
    since: "2.0.0",
    complexity: "O(1)",
    group: Group::Hash,
    arity: 3,
    flags: Flags::READONLY.and(Flags::FAST),
    keys: &[KeySpec::at(1, access::LOOK)],
    arguments: &[Argument::key("key"), Argument::string("field")],
    run: Run::Keys(run),
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let hash = context.data.read(words.at(1));
    let exists = hash.is_some_and(|hash| hash.get(words.at(2)).is_some());
    context.reply.boolean_as_integer(exists);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("HEXISTS h f", "(integer) 0"),
            ("HSET h f \"\"", "(integer) 1"),
            ("HEXISTS h f", "(integer) 1"),
            ("HEXISTS h F", "(integer) 0"),
            ("HEXISTS h", "(error) ERR wrong number of arguments for 'hexists' command"),
            ("PEXPIRE h 10", "(integer) 1"),
            ("WAIT 10", ""),
            ("HEXISTS h f", "(integer) 0"),
        ]);
    }
}
