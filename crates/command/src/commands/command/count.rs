//! `COMMAND COUNT`

use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::table::Table;
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "count",
    summary: "Returns a count of commands.",
    since: "2.8.13",
    group: Group::Server,
    arity: 2,
    flags: Flags::LOADING.and(Flags::STALE),
    run: Run::Session(run),
    ..Spec::BLANK
};

fn run(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    let count = Table::get().commands().count();
    context.reply.integer(count as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        let count = format!("(integer) {}", crate::commands::ALL.len());
        replay(&[
            ("COMMAND COUNT", &count),
            ("COMMAND COUNT x", "(error) ERR wrong number of arguments for 'command|count' command"),
        ]);
    }
}
