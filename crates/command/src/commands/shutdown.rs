//! `SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]`
//!
//! The log has all changes, and a stop brings it to the disk in any case. So a plain `SHUTDOWN` and `NOSAVE` are the
//! same; `SAVE` takes a snapshot first, which makes the next start short. If that fails the process goes on, unless
//! `FORCE` is said; so it does without a data folder, where nothing can be saved. `ABORT` takes back a shutdown that
//! waits for its snapshot. While the folder is loaded there is nothing to save, as in Redis.

use crate::argument::Argument;
use crate::client::Awaited;
use crate::context::SessionContext;
use crate::error::{CommandError, Outcome};
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::{Words, is};

pub static SPEC: Spec = Spec {
    name: "shutdown",
    summary: "Shuts the server down in good order.",
    group: Group::Server,
    arity: -1,
    flags: Flags::ADMIN
        .and(Flags::NOSCRIPT)
        .and(Flags::LOADING)
        .and(Flags::STALE)
        .and(Flags::NO_MULTI)
        .and(Flags::ALLOW_BUSY),
    arguments: &[
        Argument::one_of(
            "save-selector",
            &[Argument::flag("nosave", "NOSAVE"), Argument::flag("save", "SAVE")],
        )
        .optional(),
        Argument::flag("now", "NOW").optional(),
        Argument::flag("force", "FORCE").optional(),
        Argument::flag("abort", "ABORT").optional(),
    ],
    run: Run::Session(run),
    ..Spec::BLANK
};

const NONE_IN_PROGRESS: CommandError = CommandError::fixed("ERR No shutdown in progress.");
const NOT_SAVED: CommandError = CommandError::fixed("ERR Errors trying to SHUTDOWN. Check logs.");

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let (mut save, mut no_save, mut force, mut abort) = (false, false, false, false);
    for option in words.from(1) {
        match () {
            () if is(option, "save") => save = true,
            () if is(option, "nosave") => no_save = true,
            // There are no replicas to wait for.
            () if is(option, "now") => {}
            () if is(option, "force") => force = true,
            () if is(option, "abort") => abort = true,
            () => return Err(CommandError::Syntax),
        }
    }
    if save && no_save || abort && words.len() > 2 {
        return Err(CommandError::Syntax);
    }
    if abort {
        if !context.host.abort_shutdown() {
            return Err(NONE_IN_PROGRESS);
        }
        context.reply.ok();
        return Ok(());
    }
    let persistence = context.host.facts().persistence;
    if save && persistence.is_enabled && !persistence.is_loading {
        context.client.awaits = Some(Awaited::Shutdown { is_forced: force });
        return Ok(());
    }
    if save && !force && !persistence.is_enabled {
        return Err(NOT_SAVED);
    }
    context.host.shutdown();
    // No reply: the closed connection is the answer.
    context.client.closing = true;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use crate::testing::Fixture;

    #[test]
    fn refusals() {
        let mut fixture = Fixture::new();
        fixture.replay(&[
            ("SHUTDOWN ABORT", "(error) ERR No shutdown in progress."),
            ("SHUTDOWN ABORT NOW", "(error) ERR syntax error"),
            ("SHUTDOWN SAVE NOSAVE", "(error) ERR syntax error"),
            ("SHUTDOWN LATER", "(error) ERR syntax error"),
            ("SHUTDOWN SAVE", "(error) ERR Errors trying to SHUTDOWN. Check logs."),
        ]);
        assert!(!fixture.host.shut_down.load(Relaxed) && !fixture.client.closing);
    }

    #[test]
    fn closes_without_a_reply() {
        for line in ["SHUTDOWN", "shutdown nosave", "SHUTDOWN NOW FORCE", "SHUTDOWN SAVE FORCE"] {
            let mut fixture = Fixture::new();
            assert_eq!(fixture.run_raw(line), b"", "{line}");
            assert!(fixture.host.shut_down.load(Relaxed) && fixture.client.closing, "{line}");
        }
    }
}
