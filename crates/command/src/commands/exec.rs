//! `EXEC`

use crate::spec::{Flags, Group, Run, Spec, Step};

pub static SPEC: Spec = Spec {
    name: "exec",
    summary: "Runs the queued requests as one.",
    since: "1.2.0",
    complexity: "Depends on the queued requests.",
    group: Group::Transactions,
    arity: 1,
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::SKIP_SLOWLOG),
    run: Run::Step(Step::Exec),
    ..Spec::BLANK
};
