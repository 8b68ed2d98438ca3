//! `LOLWUT [VERSION version]`

use crate::argument::Argument;
use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::{Words, is};

pub static SPEC: Spec = Spec {
    name: "lolwut",
    summary: "Says which versions answer.",
    since: "5.0.0",
    group: Group::Server,
    arity: -1,
    flags: Flags::READONLY.and(Flags::FAST),
    arguments: &[Argument::integer("version").after("VERSION").optional()],
    run: Run::Session(run),
    ..Spec::BLANK
};

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    if words.len() > 2 && is(words.at(1), "version") {
        words.integer(2)?;
    }
    let (mayfly, redis) = (crate::MAYFLY_VERSION, crate::REDIS_VERSION);
    let text = format!("Hashes live a day, like mayflies.\n\nMayfly ver. {mayfly}, Redis ver. {redis}\n");
    context.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Fixture;

    #[test]
    fn ends_with_the_versions() {
        let mut fixture = Fixture::new();
        let line = format!("Mayfly ver. {}, Redis ver. 8.2.3\\n\"", crate::MAYFLY_VERSION);
        for request in ["LOLWUT", "LOLWUT VERSION 5 1 1 1", "LOLWUT anything"] {
            assert!(fixture.run(request).ends_with(&line), "{request}");
        }
        fixture.replay(&[("LOLWUT VERSION x", "(error) ERR value is not an integer or out of range")]);
    }
}
