//! `PUNSUBSCRIBE [pattern [pattern ...]]`

use crate::argument::Argument;
use crate::spec::{ChannelKind, Flags, Group, Run, Spec, Step};

pub static SPEC: Spec = Spec {
    name: "punsubscribe",
    summary: "Listens no more to all channels that match one of the patterns.",
    since: "2.0.0",
    complexity: "O(N) where N is the number of names, times the number of shards.",
    group: Group::PubSub,
    arity: -1,
    flags: Flags::PUBSUB.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    arguments: &[Argument::pattern("pattern").multiple().optional()],
    run: Run::Step(Step::Unsubscribe(ChannelKind::Pattern)),
    ..Spec::BLANK
};
