//! `CLIENT ID`

use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "id",
    summary: "Returns the unique client ID of the connection.",
    since: "5.0.0",
    group: Group::Connection,
    arity: 2,
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE),
    run: Run::Session(run),
    ..Spec::BLANK
};

fn run(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    context.reply.integer(i64::try_from(context.client.card.id).unwrap_or(i64::MAX));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("CLIENT ID", "(integer) 7"),
            ("CLIENT ID x", "(error) ERR wrong number of arguments for 'client|id' command"),
        ]);
    }
}
