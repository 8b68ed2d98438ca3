//! `BGSAVE [SCHEDULE]`

use crate::argument::Argument;
use crate::context::SessionContext;
use crate::error::{CommandError, Outcome};
use crate::host::{Begun, SnapshotKind};
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::{Words, is};

pub static SPEC: Spec = Spec {
    name: "bgsave",
    summary: "Begins a snapshot of all keys in the data folder; LASTSAVE tells when it is done.",
    group: Group::Server,
    arity: -1,
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::NO_ASYNC_LOADING),
    arguments: &[Argument::flag("schedule", "SCHEDULE").optional()],
    run: Run::Session(run),
    ..Spec::BLANK
};

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    if words.len() > 2 || words.get(1).is_some_and(|option| !is(option, "schedule")) {
        return Err(CommandError::Syntax);
    }
    let may_wait = words.len() == 2;
    let begun = context.host.begin_snapshot(SnapshotKind::Save, may_wait);
    match begun.map_err(|refusal| CommandError::fixed(refusal.line()))? {
        Begun::Now => context.reply.simple("Background saving started"),
        Begun::Later => context.reply.simple("Background saving scheduled"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("BGSAVE", "(error) ERR there is no data folder to save to"),
            ("BGSAVE SCHEDULE", "(error) ERR there is no data folder to save to"),
            ("BGSAVE x", "(error) ERR syntax error"),
        ]);
    }
}
