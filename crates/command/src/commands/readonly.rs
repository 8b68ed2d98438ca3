//! `READONLY`

use super::cluster::DISABLED;
use crate::spec::{Flags, Group, Run, Spec};

pub static SPEC: Spec = Spec {
    name: "readonly",
    summary: "Is refused: there are no replicas to read from.",
    since: "3.0.0",
    group: Group::Cluster,
    arity: 1,
    flags: Flags::FAST.and(Flags::LOADING).and(Flags::STALE),
    run: Run::Session(|_, _| Err(DISABLED)),
    ..Spec::BLANK
};

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("READONLY", "(error) ERR This instance has cluster support disabled"),
            ("READONLY a", "(error) ERR wrong number of arguments for 'readonly' command"),
        ]);
    }
}
