//! `CONFIG GET parameter [parameter ...]`

use crate::argument::Argument;
use crate::context::SessionContext;
use crate::error::Outcome;
use crate::glob;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "get",
    summary: "Returns the effective values of configuration parameters.",
    since: "2.0.0",
    complexity: "O(N) when N is the number of configuration parameters provided",
    group: Group::Server,
    arity: -3,
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    arguments: &[Argument::string("parameter").multiple()],
    run: Run::Session(run),
    ..Spec::BLANK
};

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let mut found = Vec::new();
    // Every parameter is looked at once, so that it is answered once, however many patterns match it.
    context.host.parameters(&mut |name, value| {
        if words.from(2).any(|pattern| glob::matches_ignoring_case(pattern, name.as_bytes())) {
            found.push((name.to_owned(), value.to_owned()));
        }
    });
    context.reply.map(found.len());
    for (name, value) in found {
        context.reply.bulk(name.as_bytes());
        context.reply.bulk(value.as_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("CONFIG GET save", "1) \"save\"\n2) \"\""),
            ("CONFIG GET SAVE save s*", "1) \"save\"\n2) \"\""),
            ("CONFIG GET Tim?out max*", "1) \"maxclients\"\n2) \"10000\"\n3) \"timeout\"\n4) \"0\""),
            ("CONFIG GET nothing", "(empty array)"),
            ("CONFIG GET", "(error) ERR wrong number of arguments for 'config|get' command"),
            ("HELLO 3", "*"),
            ("CONFIG GET timeout", "1# \"timeout\" => \"0\""),
            ("CONFIG GET nothing", "(empty hash)"),
        ]);
    }
}
