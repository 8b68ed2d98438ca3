//! `OBJECT ENCODING | REFCOUNT key`, `OBJECT HELP`
//!
//! `IDLETIME` and `FREQ` are not there: nothing is kept about when or how often a key was used.

use crate::argument::Argument;
use crate::context::{DataContext, SessionContext};
use crate::documentation::{help_spec, reply_help};
use crate::error::Outcome;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "object",
    summary: "A container for object introspection commands.",
    since: "2.2.3",
    complexity: "Depends on subcommand.",
    group: Group::Generic,
    arity: -2,
    run: Run::Container(&[&ENCODING, &REFCOUNT, &HELP]),
    ..Spec::BLANK
};

static ENCODING: Spec = Spec {
    name: "encoding",
    summary: "Returns how a hash is held: listpack (packed) or hashtable.",
    run: Run::Keys(encoding),
    ..OF_KEY
};

static REFCOUNT: Spec = Spec {
    name: "refcount",
    summary: "Returns the reference count of the value of a key, which is always 1.",
    run: Run::Keys(reference_count),
    ..OF_KEY
};

static HELP: Spec = Spec { since: "6.2.0", ..help_spec(Group::Generic, help) };

/// What the subcommands on a key have in common.
const OF_KEY: Spec = Spec {
    since: "2.2.3",
    group: Group::Generic,
    arity: 3,
    flags: Flags::READONLY,
    keys: &[KeySpec::at(2, access::LOOK)],
    arguments: &[Argument::key("key")],
    ..Spec::BLANK
};

fn encoding(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    match context.data.read(words.at(2)) {
        Some(hash) => context.reply.bulk(if hash.is_packed() { b"listpack" } else { b"hashtable" }),
        None => context.reply.null(),
    }
    Ok(())
}

fn reference_count(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    match context.data.read(words.at(2)) {
        Some(_) => context.reply.integer(1),
        None => context.reply.null(),
    }
    Ok(())
}

fn help(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    reply_help(&mut context.reply, &SPEC);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, replay};

    #[test]
    fn cases() {
        replay(&[
            ("OBJECT ENCODING h", "(nil)"),
            ("OBJECT REFCOUNT h", "(nil)"),
            ("HSETEX h f v 1", "(integer) 1"),
            ("OBJECT encoding h", "\"listpack\""),
            ("OBJECT REFCOUNT h", "(integer) 1"),
            ("WAIT 1000", ""),
            ("OBJECT ENCODING h", "(nil)"),
            ("OBJECT REFCOUNT h", "(nil)"),
            ("OBJECT", "(error) ERR wrong number of arguments for 'object' command"),
            ("OBJECT ENCODING", "(error) ERR wrong number of arguments for 'object|encoding' command"),
            ("OBJECT REFCOUNT a b", "(error) ERR wrong number of arguments for 'object|refcount' command"),
            ("OBJECT IDLETIME h", "(error) ERR unknown subcommand 'IDLETIME'. Try OBJECT HELP."),
        ]);
    }

    #[test]
    fn a_large_hash_is_a_table() {
        let mut fixture = Fixture::new();
        for field in 0..1_000 {
            fixture.run(&format!("HSET h field:{field} {field}"));
        }
        fixture.replay(&[("OBJECT ENCODING h", "\"hashtable\"")]);
    }

    #[test]
    fn help_names_the_subcommands() {
        let help = Fixture::new().run("OBJECT HELP");
        assert!(help.starts_with("1) OBJECT <subcommand>"), "{help}");
        assert!(help.contains("ENCODING key") && help.contains("REFCOUNT key"), "{help}");
    }
}
