//! `MULTI`

use crate::spec::{Flags, Group, Run, Spec, Step};

pub static SPEC: Spec = Spec {
    name: "multi",
    summary: "Starts a transaction: requests are queued until EXEC.",
    since: "1.2.0",
    complexity: "O(1)",
    group: Group::Transactions,
    arity: 1,
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::FAST).and(Flags::ALLOW_BUSY),
    run: Run::Step(Step::Multi),
    ..Spec::BLANK
};
