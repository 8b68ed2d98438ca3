//! `CLIENT TRACKING <ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]`
//!
//! What the words mean is in [`crate::tracking`]; the engine carries the step out.

use crate::argument::Argument;
use crate::spec::{Flags, Group, Run, Spec, Step};

pub static SPEC: Spec = Spec {
    name: "tracking",
    summary: "Tells the connection when what it has read changes or expires.",
    since: "6.0.0",
    complexity: "O(N) where N is the number of shards. Some options may introduce additional complexity.",
    group: Group::Connection,
    arity: -3,
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE),
    arguments: &ARGUMENTS,
    run: Run::Step(Step::Track),
    ..Spec::BLANK
};

const ARGUMENTS: [Argument; 7] = [
    Argument::one_of("status", &[Argument::flag("on", "ON"), Argument::flag("off", "OFF")]),
    Argument::integer("client-id").after("REDIRECT").optional(),
    Argument::string("prefix").after("PREFIX").optional().multiple_tokens(),
    Argument::flag("bcast", "BCAST").optional(),
    Argument::flag("optin", "OPTIN").optional(),
    Argument::flag("optout", "OPTOUT").optional(),
    Argument::flag("noloop", "NOLOOP").optional(),
];
