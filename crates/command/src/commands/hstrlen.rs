//! `HSTRLEN key field`

use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "hstrlen",
    summary: "Returns the length of a field's value in bytes, 0 where there is no such field.",
    since: "3.2.0",
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
    let bytes = hash.as_ref().and_then(|hash| hash.get(words.at(2))).map_or(0, <[u8]>::len);
    context.reply.integer(bytes as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("HSTRLEN h f", "(integer) 0"),
            ("HSET h f \"a\\xffb\\n\" n -9223372036854775808 empty \"\"", "(integer) 3"),
            ("HSTRLEN h f", "(integer) 4"),
            ("HSTRLEN h n", "(integer) 20"),
            ("HSTRLEN h empty", "(integer) 0"),
            ("HSTRLEN h missing", "(integer) 0"),
            ("HSTRLEN h", "(error) ERR wrong number of arguments for 'hstrlen' command"),
            ("PEXPIRE h 10", "(integer) 1"),
            ("WAIT 10", ""),
            ("HSTRLEN h f", "(integer) 0"),
        ]);
    }
}
