//! `CLIENT INFO`

use super::line::line;
use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "info",
    summary: "Returns information about the connection.",
    since: "6.2.0",
    group: Group::Connection,
    arity: 2,
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE),
    run: Run::Session(run),
    ..Spec::BLANK
};

fn run(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    let text = line(&context.client.card, context.now(), Some("client|info"));
    context.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("HELLO 3 SETNAME jo", "*"),
            ("SELECT 3", "OK"),
            ("WAIT 2500", ""),
            (
                "CLIENT INFO",
                "id=7 addr=127.0.0.1:50000 laddr=127.0.0.1:6379 fd=-1 name=jo age=2 idle=0 flags=N db=3 sub=0 \
                 psub=0 ssub=0 multi=-1 watch=0 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 \
                 oll=0 omem=0 tot-mem=0 events=r cmd=client|info user=default redir=-1 resp=3 lib-name= \
                 lib-ver= io-thread=0 tot-net-in=0 tot-net-out=0 tot-cmds=0\n",
            ),
            ("CLIENT INFO x", "(error) ERR wrong number of arguments for 'client|info' command"),
        ]);
    }
}
