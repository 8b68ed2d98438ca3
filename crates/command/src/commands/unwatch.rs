//! `UNWATCH`

use crate::spec::{Flags, Group, Run, Spec, Step};

pub static SPEC: Spec = Spec {
    name: "unwatch",
    summary: "Watches no key any more.",
    since: "2.2.0",
    complexity: "O(1)",
    group: Group::Transactions,
    arity: 1,
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::FAST).and(Flags::ALLOW_BUSY),
    run: Run::Step(Step::Unwatch),
    ..Spec::BLANK
};
