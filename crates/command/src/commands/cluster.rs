//! `CLUSTER <subcommand>`: every question is refused, as by a Redis that is not part of a cluster.

use crate::argument::Argument;
use crate::error::CommandError;
use crate::spec::{Flags, Group, Run, Spec};

pub static SPEC: Spec = Spec {
    name: "cluster",
    summary: "A container for cluster commands, all of them refused.",
    since: "3.0.0",
    complexity: "Depends on subcommand.",
    group: Group::Cluster,
    arity: -2,
    run: Run::Container(&[
        &COUNT_KEYS_IN_SLOT,
        &GET_KEYS_IN_SLOT,
        &INFO,
        &KEY_SLOT,
        &LINKS,
        &MY_ID,
        &MY_SHARD_ID,
        &NODES,
        &SHARDS,
        &SLOTS,
        &HELP,
    ]),
    ..Spec::BLANK
};

pub(super) const DISABLED: CommandError =
    CommandError::fixed("ERR This instance has cluster support disabled");

const fn refused(name: &'static str, since: &'static str, arguments: &'static [Argument]) -> Spec {
    Spec {
        name,
        summary: "Is refused: this server is not part of a cluster.",
        since,
        group: Group::Cluster,
        arity: 2 + arguments.len() as i16,
        flags: Flags::STALE,
        arguments,
        run: Run::Session(|_, _| Err(DISABLED)),
        ..Spec::BLANK
    }
}

/// Of three questions Redis says that they may also be asked while data is loading.
const ALSO_LOADING: Flags = Flags::LOADING.and(Flags::STALE);

static COUNT_KEYS_IN_SLOT: Spec = refused("countkeysinslot", "3.0.0", &[Argument::integer("slot")]);
static GET_KEYS_IN_SLOT: Spec =
    refused("getkeysinslot", "3.0.0", &[Argument::integer("slot"), Argument::integer("count")]);
static INFO: Spec = refused("info", "3.0.0", &[]);
static KEY_SLOT: Spec = refused("keyslot", "3.0.0", &[Argument::string("key")]);
static LINKS: Spec = refused("links", "7.0.0", &[]);
static MY_ID: Spec = refused("myid", "3.0.0", &[]);
static MY_SHARD_ID: Spec = refused("myshardid", "7.2.0", &[]);
static NODES: Spec = refused("nodes", "3.0.0", &[]);
static SHARDS: Spec = Spec { flags: ALSO_LOADING, ..refused("shards", "7.0.0", &[]) };
static SLOTS: Spec = Spec { flags: ALSO_LOADING, ..refused("slots", "3.0.0", &[]) };
static HELP: Spec = Spec { flags: ALSO_LOADING, ..refused("help", "5.0.0", &[]) };

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        const DISABLED: &str = "(error) ERR This instance has cluster support disabled";
        replay(&[
            ("CLUSTER INFO", DISABLED),
            ("CLUSTER NODES", DISABLED),
            ("CLUSTER slots", DISABLED),
            ("CLUSTER SHARDS", DISABLED),
            ("CLUSTER MYID", DISABLED),
            ("CLUSTER KEYSLOT k", DISABLED),
            ("CLUSTER GETKEYSINSLOT 1 2", DISABLED),
            ("CLUSTER HELP", DISABLED),
            ("CLUSTER KEYSLOT", "(error) ERR wrong number of arguments for 'cluster|keyslot' command"),
            ("CLUSTER FOO", "(error) ERR unknown subcommand 'FOO'. Try CLUSTER HELP."),
            ("CLUSTER", "(error) ERR wrong number of arguments for 'cluster' command"),
        ]);
    }
}
