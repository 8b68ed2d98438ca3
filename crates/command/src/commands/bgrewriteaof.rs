//! `BGREWRITEAOF`


use crate::context::SessionContext;
use crate::error::{CommandError, Outcome};
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
    if context.host.facts().persistence.is_saving {
        return Err(CommandError::fixed("ERR Background append only file rewriting already in progress"));
    }
    context.host.begin_snapshot().map_err(CommandError::fixed)?;
    context.reply.simple("Background append only file rewriting started");
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
