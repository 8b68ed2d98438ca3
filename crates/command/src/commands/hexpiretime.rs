//! `HEXPIRETIME key FIELDS numfields field [field ...]`

use super::httl::TTL_OF_FIELDS;
use crate::spec::Spec;

pub static SPEC: Spec = Spec {
    name: "hexpiretime",
    summary: "Answers as HTTL does, about Unix timestamps.",
    ..TTL_OF_FIELDS
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
