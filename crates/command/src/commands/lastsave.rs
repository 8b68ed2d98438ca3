//! `LASTSAVE`


use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "lastsave",
    summary: "Returns when the last snapshot was finished, in Unix seconds; before the first, when the server started.",
    group: Group::Server,
    arity: 1,
    flags: Flags::LOADING.and(Flags::STALE).and(Flags::FAST),
    
    run: Run::Session(run),
    ..Spec::BLANK
};

fn run(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    context.reply.integer(context.host.facts().persistence.last_save_seconds);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[("LASTSAVE", "(integer) 0"), ("LASTSAVE x", "(error) ERR wrong number of arguments for 'lastsave' command")]);
    }
}
