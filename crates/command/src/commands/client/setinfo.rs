//! `CLIENT SETINFO <LIB-NAME libname | LIB-VER libver>`

use super::is_printable;
use crate::argument::Argument;
use crate::context::SessionContext;
use crate::error::{CommandError, Outcome, shown};
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::{Words, is};

pub static SPEC: Spec = Spec {
    name: "setinfo",
    summary: "Sets information specific to the client or connection.",
    since: "7.2.0",
    group: Group::Connection,
    arity: 4,
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE),
    arguments: &[Argument::one_of(
        "attr",
        &[Argument::string("libname").after("LIB-NAME"), Argument::string("libver").after("LIB-VER")],
    )],
    run: Run::Session(run),
    ..Spec::BLANK
};

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let (attribute, value) = (words.at(2), words.at(3));
    let mut names = context.client.card.names();
    let name = match attribute {
        word if is(word, "lib-name") => &mut names.library,
        word if is(word, "lib-ver") => &mut names.library_version,
        word => return Err(CommandError::text(format!("ERR Unrecognized option '{}'", shown(word, 128)))),
    };
    if !is_printable(value) {
        let attribute = shown(attribute, 128);
        return Err(CommandError::text(format!(
            "ERR {attribute} cannot contain spaces, newlines or special characters."
        )));
    }
    *name = value.to_vec();
    context.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Fixture;

    #[test]
    fn cases() {
        let mut fixture = Fixture::new();
        fixture.replay(&[
            ("CLIENT SETINFO LIB-NAME redis-py", "OK"),
            ("CLIENT SETINFO lib-ver 8.0", "OK"),
            (
                "CLIENT SETINFO LIB-NAME \"a b\"",
                "(error) ERR LIB-NAME cannot contain spaces, newlines or special characters.",
            ),
            (
                "CLIENT SETINFO lib-ver \"\\n\"",
                "(error) ERR lib-ver cannot contain spaces, newlines or special characters.",
            ),
            ("CLIENT SETINFO FOO bar", "(error) ERR Unrecognized option 'FOO'"),
            ("CLIENT SETINFO LIB-NAME", "(error) ERR wrong number of arguments for 'client|setinfo' command"),
        ]);
        assert!(fixture.run("CLIENT INFO").contains(" lib-name=redis-py lib-ver=8.0 "));
        fixture.replay(&[("CLIENT SETINFO LIB-NAME \"\"", "OK")]);
        assert!(fixture.run("CLIENT INFO").contains(" lib-name= lib-ver=8.0 "));
    }
}
