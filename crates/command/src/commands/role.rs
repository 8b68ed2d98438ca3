//! `ROLE`

use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "role",
    summary: "Returns the replication role: a master without replicas.",
    since: "2.8.12",
    group: Group::Server,
    arity: 1,
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::FAST).and(Flags::DANGEROUS),
    run: Run::Session(run),
    ..Spec::BLANK
};

fn run(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    context.reply.array(3);
    context.reply.bulk(b"master");
    context.reply.integer(0);
    context.reply.array(0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("ROLE", "1) \"master\"\n2) (integer) 0\n3) (empty array)"),
            ("ROLE a", "(error) ERR wrong number of arguments for 'role' command"),
        ]);
    }
}
