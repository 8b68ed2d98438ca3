//! `CONFIG SET parameter value [parameter value ...]`
//!
//! Which parameters can change while the server runs is the mark `live` in the table of settings.

use crate::argument::Argument;
use crate::context::SessionContext;
use crate::error::{CommandError, Outcome};
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "set",
    summary: "Sets configuration parameters while the server runs, all of them or none.",
    since: "2.0.0",
    complexity: "O(N) when N is the number of configuration parameters provided",
    group: Group::Server,
    arity: -4,
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    arguments: &[Argument::block("data", &PAIR).multiple()],
    run: Run::Session(run),
    ..Spec::BLANK
};

const PAIR: [Argument; 2] = [Argument::string("parameter"), Argument::string("value")];

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    if !words.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    let pairs: Vec<_> = (2..words.len()).step_by(2).map(|at| (words.at(at), words.at(at + 1))).collect();
    let set = context.host.set_parameters(&pairs);
    set.map_err(|problem| CommandError::text(format!("ERR {problem}")))?;
    context.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        const ARITY: &str = "(error) ERR wrong number of arguments for 'config|set' command";
        replay(&[
            ("CONFIG SET timeout 7", "OK"),
            ("CONFIG SET timeout 7 maxclients 8", "OK"),
            ("CONFIG SET timeout 7 maxclients", "(error) ERR syntax error"),
            ("CONFIG SET timeout wrong", "(error) ERR refused: wrong"),
            ("CONFIG SET timeout", ARITY),
            ("CONFIG SET", ARITY),
        ]);
    }
}
