//! `HEXPIRETIME key FIELDS numfields field [field ...]`

use super::hgetdel::FIELDS;
use super::httl::reply_no_ttl;
use crate::argument::Argument;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};

pub static SPEC: Spec = Spec {
    name: "hexpiretime",
    summary: "Answers as HTTL does, about Unix timestamps.",
    since: "7.4.0",
    complexity: "O(N) where N is the number of fields named.",
    group: Group::Hash,
    arity: -5,
    flags: Flags::READONLY.and(Flags::FAST),
    keys: &[KeySpec::at(1, access::READ)],
    arguments: &[Argument::key("key"), Argument::block("fields", &FIELDS).after("FIELDS")],
    run: Run::Keys(reply_no_ttl),
};

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("HEXPIRETIME none FIELDS 2 a b", "1) (integer) -2\n2) (integer) -2"),
            ("HSETEX h a 1 10", "(integer) 1"),
            ("HEXPIRETIME h fields 3 a b a", "1) (integer) -1\n2) (integer) -2\n3) (integer) -1"),
            ("TTL h", "(integer) 10"),
        ]);
    }
}
