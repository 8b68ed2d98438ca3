//! `UNLINK key [key ...]`

use super::del::run;
use crate::argument::Argument;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};

pub static SPEC: Spec = Spec {
    name: "unlink",
    summary: "Removes keys, as DEL does: large hashes are always freed in pieces afterwards.",
    since: "4.0.0",
    complexity: "O(N) where N is the number of keys; large hashes are freed in pieces afterwards.",
    group: Group::Generic,
    arity: -2,
    flags: Flags::WRITE.and(Flags::FAST),
    keys: &[KeySpec::all_from(1, access::REMOVE)],
    arguments: &[Argument::key("key").multiple()],
    run: Run::Keys(run),
};

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
            ("UNLINK a b a missing gone", "(integer) 2"),
            ("EXISTS a b gone", "(integer) 0"),
            ("UNLINK", "(error) ERR wrong number of arguments for 'unlink' command"),
        ]);
    }
}
