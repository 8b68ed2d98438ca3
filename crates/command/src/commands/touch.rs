//! `TOUCH key [key ...]`

use super::exists::run;
use crate::argument::Argument;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};

pub static SPEC: Spec = Spec {
    name: "touch",
    summary: "Counts how many of the keys exist; the time of their last use is not kept.",
    since: "3.2.1",
    complexity: "O(N) where N is the number of keys.",
    group: Group::Generic,
    arity: -2,
    flags: Flags::READONLY.and(Flags::FAST),
    keys: &[KeySpec::all_from(1, access::LOOK)],
    arguments: &[Argument::key("key").multiple()],
    run: Run::Keys(run),
};

#[cfg(test)]
mod tests {
    use crate::testing::replay;

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
