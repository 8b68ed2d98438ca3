//! `PUBLISH channel message`

use crate::argument::Argument;
use crate::spec::{ChannelKind, Flags, Group, Run, Spec, Step};

pub static SPEC: Spec = Spec {
    name: "publish",
    summary: "Sends a message to everybody who listens to a channel.",
    since: "2.0.0",
    complexity: "O(N+M) where N is the number of listeners and M the number of patterns.",
    group: Group::PubSub,
    arity: 3,
    flags: Flags::PUBSUB.and(Flags::LOADING).and(Flags::STALE).and(Flags::FAST),
    arguments: &[Argument::string("channel"), Argument::string("message")],
    run: Run::Step(Step::Publish(ChannelKind::Channel)),
    ..Spec::BLANK
};
