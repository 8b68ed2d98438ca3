//! `TOUCH key [key ...]`

use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "touch",
    summary: "Counts a use of each of the keys, and answers how many exist.",
    since: "3.2.1",
    complexity: "O(N) where N is the number of keys.",
    group: Group::Generic,
    arity: -2,
    flags: Flags::READONLY.and(Flags::FAST),
    keys: &[KeySpec::all_from(1, access::LOOK)],
    arguments: &[Argument::key("key").multiple()],
    run: Run::Keys(run),
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let mut found = 0;
    for key in words.from(1) {
        found += i64::from(context.data.touch(key));
    }
    context.reply.integer(found);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn it_counts_as_a_use_even_for_a_client_whose_reads_do_not() {
        replay(&[
            ("HSET h f v", "(integer) 1"),
            ("CLIENT NO-TOUCH on", "OK"),
            ("WAIT 10000", ""),
            ("HGET h f", "\"v\""),
            ("OBJECT IDLETIME h", "(integer) 10"),
            ("TOUCH h", "(integer) 1"),
            ("OBJECT IDLETIME h", "(integer) 0"),
        ]);
    }

    #[test]
    fn cases() {
        replay(&[
            ("TOUCH h", "(integer) 0"),
            ("HSETEX h f v 1", "(integer) 1"),
            ("TOUCH h missing h", "(integer) 2"),
            ("TTL h", "(integer) 1"),
            ("WAIT 1000", ""),
            ("TOUCH h", "(integer) 0"),
            ("TOUCH", "(error) ERR wrong number of arguments for 'touch' command"),
        ]);
    }
}
