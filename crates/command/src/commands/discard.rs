//! `DISCARD`

use crate::spec::{Flags, Group, Run, Spec, Step};

pub static SPEC: Spec = Spec {
    name: "discard",
    summary: "Forgets the queued requests.",
    since: "2.0.0",
    complexity: "O(N) where N is the number of queued requests.",
    group: Group::Transactions,
    arity: 1,
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::FAST).and(Flags::ALLOW_BUSY),
    run: Run::Step(Step::Discard),
    ..Spec::BLANK
};
