//! `TIME`

use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "time",
    summary: "Returns the server time: Unix seconds and the microseconds in that second.",
    since: "2.6.0",
    group: Group::Server,
    arity: 1,
    flags: Flags::FAST.and(Flags::LOADING).and(Flags::STALE),
    run: Run::Session(run),
    ..Spec::BLANK
};

fn run(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    context.reply.array(2);
    context.reply.bulk_integer(context.now_micros.div_euclid(1_000_000));
    context.reply.bulk_integer(context.now_micros.rem_euclid(1_000_000));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("TIME", "1) \"1767225600\"\n2) \"0\""),
            ("WAIT 1234", ""),
            ("TIME", "1) \"1767225601\"\n2) \"234000\""),
            ("TIME a", "(error) ERR wrong number of arguments for 'time' command"),
        ]);
    }
}
