//! `BGREWRITEAOF`

use crate::context::SessionContext;
use crate::error::{CommandError, Outcome};
use crate::host::{Begun, SnapshotKind, SnapshotRefusal};
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "bgrewriteaof",
    summary: "Begins a snapshot, behind which the log begins anew: the same as BGSAVE.",
    group: Group::Server,
    arity: 1,
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::NO_ASYNC_LOADING),
    run: Run::Session(run),
    ..Spec::BLANK
};

fn run(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    let may_wait = true;
    match context.host.begin_snapshot(SnapshotKind::Rewrite, may_wait) {
        Ok(Begun::Now) => context.reply.simple("Background append only file rewriting started"),
        Ok(Begun::Later) => context.reply.simple("Background append only file rewriting scheduled"),
        Err(SnapshotRefusal::NoFolder) => {
            return Err(CommandError::fixed(SnapshotRefusal::NoFolder.line()));
        }
        Err(_) => {
            return Err(CommandError::fixed("ERR Background append only file rewriting already in progress"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("BGREWRITEAOF", "(error) ERR there is no data folder to save to"),
            ("BGREWRITEAOF x", "(error) ERR wrong number of arguments for 'bgrewriteaof' command"),
        ]);
    }
}
