//! `HDEL key field [field ...]`

use crate::argument::Argument;
use crate::changes::Class;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "hdel",
    summary: "Removes fields of a hash; the last one takes the hash and its TTL with it.",
    since: "2.0.0",
    complexity: "O(N) where N is the number of fields to remove.",
    group: Group::Hash,
    arity: -3,
    flags: Flags::WRITE.and(Flags::FAST),
    keys: &[KeySpec::at(1, access::DELETE)],
    arguments: &[Argument::key("key"), Argument::string("field").multiple()],
    run: Run::Keys(run),
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let mut removed = 0;
    if let Some(mut hash) = context.data.open(words.at(1)) {
        for field in words.from(2) {
            removed += i64::from(hash.remove_field(field));
        }
        if removed > 0 {
            hash.changed(Class::Hash, "hdel");
        }
        hash.remove_if_empty();
    }
    context.reply.integer(removed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("HDEL h a", "(integer) 0"),
            ("HSET h a 1 b 2 c 3", "(integer) 3"),
            ("HDEL h a a missing b", "(integer) 2"),
            ("HGETALL h", "1) \"c\"\n2) \"3\""),
            ("HDEL h missing", "(integer) 0"),
            ("HDEL h", "(error) ERR wrong number of arguments for 'hdel' command"),
        ]);
    }

    #[test]
    fn the_last_field_takes_the_hash_and_its_ttl() {
        replay(&[
            ("HSETEX h a 1 10", "(integer) 1"),
            ("HSET h b 2", "(integer) 1"),
            ("HDEL h a", "(integer) 1"),
            ("TTL h", "(integer) 10"),
            ("HDEL h b a", "(integer) 1"),
            ("EXISTS h", "(integer) 0"),
            ("HSET h a 1", "(integer) 1"),
            ("TTL h", "(integer) -1"),
            ("PEXPIRE h 10", "(integer) 1"),
            ("WAIT 10", ""),
            ("HDEL h a", "(integer) 0"),
        ]);
    }
}
