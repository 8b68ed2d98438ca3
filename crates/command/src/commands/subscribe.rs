//! `SUBSCRIBE channel [channel ...]`

use crate::argument::Argument;
use crate::spec::{ChannelKind, Flags, Group, Run, Spec, Step};

pub static SPEC: Spec = Spec {
    name: "subscribe",
    summary: "Listens to channels.",
    since: "2.0.0",
    complexity: "O(N) where N is the number of names, times the number of shards.",
    group: Group::PubSub,
    arity: -2,
    flags: Flags::PUBSUB.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    arguments: &[Argument::string("channel").multiple()],
    run: Run::Step(Step::Subscribe(ChannelKind::Channel)),
    ..Spec::BLANK
};
