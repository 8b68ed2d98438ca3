//! `HGET key field`

use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "hget",
    summary: "Returns the value of a field of a hash.",
    since: "2.0.0",
    complexity: "O(1)",
    group: Group::Hash,
    arity: 3,
    flags: Flags::READONLY.and(Flags::FAST),
    keys: &[KeySpec::at(1, access::READ)],
    arguments: &[Argument::key("key"), Argument::string("field")],
    run: Run::Keys(run),
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let hash = context.data.read(words.at(1));
    match hash.as_ref().and_then(|hash| hash.get(words.at(2))) {
        Some(value) => context.reply.bulk(value),
        None => context.reply.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("HGET h f", "(nil)"),
            ("HSET h f v", "(integer) 1"),
            ("HGET h f", "\"v\""),
            ("HGET h g", "(nil)"),
            ("HGET h", "(error) ERR wrong number of arguments for 'hget' command"),
            ("PEXPIRE h 10", "(integer) 1"),
            ("WAIT 10", ""),
            ("HGET h f", "(nil)"),
        ]);
    }
}
