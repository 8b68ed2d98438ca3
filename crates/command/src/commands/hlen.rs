//! `HLEN key`

use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "hlen",
    summary: "Returns the number of fields of a hash.",
    since: "2.0.0",
    complexity: "O(1)",
    group: Group::Hash,
    arity: 2,
    flags: Flags::READONLY.and(Flags::FAST),
    keys: &[KeySpec::at(1, access::LOOK)],
    arguments: &[Argument::key("key")],
    run: Run::Keys(run),
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let fields = context.data.read(words.at(1)).map_or(0, |hash| hash.len());
    context.reply.integer(fields as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("HLEN h", "(integer) 0"),
            ("HSET h a 1 b 2", "(integer) 2"),
            ("HLEN h", "(integer) 2"),
            ("HLEN h a", "(error) ERR wrong number of arguments for 'hlen' command"),
            ("PEXPIRE h 10", "(integer) 1"),
            ("WAIT 10", ""),
            ("HLEN h", "(integer) 0"),
        ]);
    }
}
