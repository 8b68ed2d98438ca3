//! `SPUBLISH shardchannel message`

use crate::argument::Argument;
use crate::spec::{ChannelKind, Flags, Group, Run, Spec, Step};

pub static SPEC: Spec = Spec {
    name: "spublish",
    summary: "Sends a message to everybody who listens to a shard channel.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of listeners.",
    group: Group::PubSub,
    arity: 3,
    flags: Flags::PUBSUB.and(Flags::LOADING).and(Flags::STALE).and(Flags::FAST),
    arguments: &[Argument::string("shardchannel"), Argument::string("message")],
    run: Run::Step(Step::Publish(ChannelKind::ShardChannel)),
    ..Spec::BLANK
};
