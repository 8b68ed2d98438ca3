//! `COMMAND INFO [command-name [command-name ...]]`

use super::asked_for;
use crate::argument::Argument;
use crate::context::SessionContext;
use crate::documentation::reply_info;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "info",
    summary: "Returns information about one, multiple or all commands.",
    since: "2.8.13",
    complexity: "O(N) where N is the number of commands to look up",
    group: Group::Server,
    arity: -2,
    flags: Flags::LOADING.and(Flags::STALE),
    arguments: &[Argument::string("command-name").optional().multiple()],
    run: Run::Session(run),
    ..Spec::BLANK
};

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let commands = asked_for(words);
    context.reply.array(commands.len());
    for command in commands {
        match command {
            Some(command) => reply_info(&mut context.reply, command),
            None => context.reply.null(),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("COMMAND INFO nothing", "1) (nil)"),
            ("COMMAND INFO config|nothing", "1) (nil)"),
            (
                "COMMAND INFO nothing HSET",
                "1) (nil)\n2)  1) \"hset\"\n    2) (integer) -4\n    3) 1) write\n       2) denyoom\n       \
                 3) fast\n    4) (integer) 1\n    5) (integer) 1\n    6) (integer) 1\n    7) 1) @write\n       \
                 2) @hash\n       3) @fast\n    8) (empty array)\n    9) 1) 1) \"flags\"\n          2) 1) RW\n\
                 \u{20}            2) update\n          3) \"begin_search\"\n          4) 1) \"type\"\n             \
                 2) \"index\"\n             3) \"spec\"\n             4) 1) \"index\"\n                \
                 2) (integer) 1\n          5) \"find_keys\"\n          6) 1) \"type\"\n             2) \"range\"\n\
                 \u{20}            3) \"spec\"\n             4) 1) \"lastkey\"\n                2) (integer) 0\n\
                 \u{20}               3) \"keystep\"\n                4) (integer) 1\n                \
                 5) \"limit\"\n                6) (integer) 0\n   10) (empty array)",
            ),
            (
                "COMMAND INFO CONFIG|GET",
                "1)  1) \"config|get\"\n    2) (integer) -3\n    3) 1) admin\n       2) noscript\n       3) loading\n\
                 \u{20}      4) stale\n    4) (integer) 0\n    5) (integer) 0\n    6) (integer) 0\n    7) 1) @admin\n\
                 \u{20}      2) @slow\n       3) @dangerous\n    8) (empty array)\n    9) (empty array)\n   10) (empty array)",
            ),
            ("HELLO 3", "*"),
            (
                "COMMAND INFO ECHO",
                "1)  1) \"echo\"\n    2) (integer) 2\n    3) 1~ loading\n       2~ stale\n       3~ fast\n    \
                 4) (integer) 0\n    5) (integer) 0\n    6) (integer) 0\n    7) 1~ @fast\n       2~ @connection\n    \
                 8) (empty set)\n    9) (empty set)\n   10) (empty set)",
            ),
        ]);
    }
}
