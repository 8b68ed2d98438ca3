//! `SUNSUBSCRIBE [shardchannel [shardchannel ...]]`

use crate::argument::Argument;
use crate::spec::{ChannelKind, Flags, Group, Run, Spec, Step};

pub static SPEC: Spec = Spec {
    name: "sunsubscribe",
    summary: "Listens no more to shard channels.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of names, times the number of shards.",
    group: Group::PubSub,
    arity: -1,
    flags: Flags::PUBSUB.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    arguments: &[Argument::string("shardchannel").multiple().optional()],
    run: Run::Step(Step::Unsubscribe(ChannelKind::ShardChannel)),
    ..Spec::BLANK
};
