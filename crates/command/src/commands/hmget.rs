//! `HMGET key field [field ...]`

use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "hmget",
    summary: "Returns the values of several fields of a hash.",
    since: "2.0.0",
    complexity: "O(N) where N is the number of fields asked for.",
    group: Group::Hash,
    arity: -3,
    flags: Flags::READONLY.and(Flags::FAST),
    keys: &[KeySpec::at(1, access::READ)],
    arguments: &[Argument::key("key"), Argument::string("field").multiple()],
    run: Run::Keys(run),
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let fields = words.from(2);
    let hash = context.data.read(words.at(1));
    context.reply.array(fields.len());
    for field in fields {
        match hash.as_ref().and_then(|hash| hash.get(field)) {
            Some(value) => context.reply.bulk(value),
            None => context.reply.null(),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("HMGET h a b", "1) (nil)\n2) (nil)"),
            ("HSET h a 1 b 2", "(integer) 2"),
            ("HMGET h b c a b", "1) \"2\"\n2) (nil)\n3) \"1\"\n4) \"2\""),
            ("HMGET h", "(error) ERR wrong number of arguments for 'hmget' command"),
            ("PEXPIRE h 10", "(integer) 1"),
            ("WAIT 10", ""),
            ("HMGET h a", "1) (nil)"),
        ]);
    }
}
