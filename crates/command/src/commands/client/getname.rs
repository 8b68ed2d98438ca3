//! `CLIENT GETNAME`

use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "getname",
    summary: "Returns the name of the connection.",
    since: "2.6.9",
    group: Group::Connection,
    arity: 2,
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE),
    run: Run::Session(run),
    ..Spec::BLANK
};

fn run(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    let names = context.client.card.names();
    match names.name.as_slice() {
        [] => context.reply.null(),
        name => context.reply.bulk(name),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("CLIENT GETNAME", "(nil)"),
            ("CLIENT SETNAME jo", "OK"),
            ("client getname", "\"jo\""),
            ("CLIENT GETNAME x", "(error) ERR wrong number of arguments for 'client|getname' command"),
        ]);
    }
}
