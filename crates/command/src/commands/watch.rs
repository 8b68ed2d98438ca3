//! `WATCH key [key ...]`

use crate::argument::Argument;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, Step, access};

pub static SPEC: Spec = Spec {
    name: "watch",
    summary: "Lets the next transaction run only if these keys do not change before it.",
    since: "2.2.0",
    complexity: "O(1) for every key.",
    group: Group::Transactions,
    arity: -2,
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::FAST).and(Flags::ALLOW_BUSY),
    keys: &[KeySpec::all_from(1, access::LOOK)],
    arguments: &[Argument::key("key").multiple()],
    run: Run::Step(Step::Watch),
};
