//! `PSUBSCRIBE pattern [pattern ...]`

use crate::argument::Argument;
use crate::spec::{ChannelKind, Flags, Group, Run, Spec, Step};

pub static SPEC: Spec = Spec {
    name: "psubscribe",
    summary: "Listens to all channels that match a pattern.",
    since: "2.0.0",
    complexity: "O(N) where N is the number of names, times the number of shards.",
    group: Group::PubSub,
    arity: -2,
    flags: Flags::PUBSUB.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    arguments: &[Argument::pattern("pattern").multiple()],
    run: Run::Step(Step::Subscribe(ChannelKind::Pattern)),
    ..Spec::BLANK
};
