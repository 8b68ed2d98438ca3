//! `DEL key [key ...]`

use crate::argument::Argument;
use crate::changes::Class;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "del",
    summary: "Removes keys, atomically also over several shards.",
    since: "1.0.0",
    complexity: "O(N) where N is the number of keys; large hashes are freed in pieces afterwards.",
    group: Group::Generic,
    arity: -2,
    flags: Flags::WRITE,
    keys: &[KeySpec::all_from(1, access::REMOVE)],
    arguments: &[Argument::key("key").multiple()],
    run: Run::Keys(run),
};

/// Removes every key from position 1 on and answers how many there were. `UNLINK` is the same here: a large
/// hash is always freed in pieces.
pub(super) fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let mut removed = 0;
    for key in words.from(1) {
        if let Some(mut hash) = context.data.open(key) {
            hash.changed(Class::Generic, "del");
            hash.remove();
            removed += 1;
        }
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
            ("HSET a f v", "(integer) 1"),
            ("HSET b f v", "(integer) 1"),
            ("HSETEX gone f v 1", "(integer) 1"),
            ("WAIT 1000", ""),
            ("DEL a a b missing gone", "(integer) 2"),
            ("HGET a f", "(nil)"),
            ("DEL", "(error) ERR wrong number of arguments for 'del' command"),
        ]);
    }
}
