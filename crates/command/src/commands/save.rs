//! `SAVE`
//!
//! As `BGSAVE`, but for the client: it is answered when the snapshot is on the disk. Nobody else waits.

use crate::client::Awaited;
use crate::context::SessionContext;
use crate::error::{CommandError, Outcome};
use crate::host::SnapshotRefusal;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "save",
    summary: "Takes a snapshot of all keys in the data folder, and answers when it is there; nobody else waits.",
    group: Group::Server,
    arity: 1,
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::NO_MULTI).and(Flags::NO_ASYNC_LOADING),
    run: Run::Session(run),
    ..Spec::BLANK
};

fn run(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    if !context.host.facts().persistence.is_enabled {
        return Err(CommandError::fixed(SnapshotRefusal::NoFolder.line()));
    }
    context.client.awaits = Some(Awaited::Snapshot);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("SAVE", "(error) ERR there is no data folder to save to"),
            ("SAVE x", "(error) ERR wrong number of arguments for 'save' command"),
        ]);
    }
}
