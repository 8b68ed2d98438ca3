//! `PUBSUB CHANNELS | NUMPAT | NUMSUB | SHARDCHANNELS | SHARDNUMSUB | HELP`

use crate::argument::Argument;
use crate::documentation::help_spec;
use crate::spec::{ChannelKind, Flags, Group, Run, Spec, Step};

pub static SPEC: Spec = Spec {
    name: "pubsub",
    summary: "A container for commands on channels and who listens to them.",
    since: "2.8.0",
    complexity: "Depends on the subcommand.",
    group: Group::PubSub,
    arity: -2,
    run: Run::Container(&[&CHANNELS, &NUMPAT, &NUMSUB, &SHARDCHANNELS, &SHARDNUMSUB, &HELP]),
    ..Spec::BLANK
};

const INSPECTION: Spec = Spec {
    since: "2.8.0",
    group: Group::PubSub,
    flags: Flags::PUBSUB.and(Flags::LOADING).and(Flags::STALE),
    ..Spec::BLANK
};

static CHANNELS: Spec = Spec {
    name: "channels",
    summary: "Returns the channels that somebody listens to.",
    complexity: "O(N) where N is the number of channels.",
    arity: -2,
    arguments: &[Argument::pattern("pattern").optional()],
    run: Run::Step(Step::ListChannels(ChannelKind::Channel)),
    ..INSPECTION
};

static NUMPAT: Spec = Spec {
    name: "numpat",
    summary: "Returns the number of patterns that somebody listens to.",
    arity: 2,
    run: Run::Step(Step::CountPatterns),
    ..INSPECTION
};

static NUMSUB: Spec = Spec {
    name: "numsub",
    summary: "Returns how many listen to each of the channels.",
    complexity: "O(N) where N is the number of channels named.",
    arity: -2,
    arguments: &[Argument::string("channel").multiple().optional()],
    run: Run::Step(Step::CountListeners(ChannelKind::Channel)),
    ..INSPECTION
};

static SHARDCHANNELS: Spec = Spec {
    name: "shardchannels",
    summary: "Returns the shard channels that somebody listens to.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of shard channels.",
    arity: -2,
    arguments: &[Argument::pattern("pattern").optional()],
    run: Run::Step(Step::ListChannels(ChannelKind::ShardChannel)),
    ..INSPECTION
};

static SHARDNUMSUB: Spec = Spec {
    name: "shardnumsub",
    summary: "Returns how many listen to each of the shard channels.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of shard channels named.",
    arity: -2,
    arguments: &[Argument::string("shardchannel").multiple().optional()],
    run: Run::Step(Step::CountListeners(ChannelKind::ShardChannel)),
    ..INSPECTION
};

static HELP: Spec = help_spec(Group::PubSub);
