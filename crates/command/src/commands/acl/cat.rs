//! `ACL CAT [category]`

use mayfly_acl::Category;

use super::{ANYBODY, refused, unknown_form};
use crate::argument::Argument;
use crate::context::SessionContext;
use crate::error::{Outcome, shown};
use crate::spec::{Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "cat",
    summary: "Lists the categories of commands, or the commands of one.",
    arity: -2,
    arguments: &[Argument::string("category").optional()],
    run: Run::Session(run),
    ..ANYBODY
};

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let catalogue = context.host.access().catalogue();
    let names: Vec<&str> = match words.len() {
        2 => Category::ALL.iter().map(|(_, name)| *name).collect(),
        3 => {
            let unknown = || refused(format_args!("Unknown category '{}'", shown(words.at(2), 128)));
            let category = Category::find(words.at(2)).ok_or_else(unknown)?;
            catalogue.of(category).map(|command| &catalogue.get(command).full_name[..]).collect()
        }
        _ => return Err(unknown_form(words)),
    };
    context.reply.array(names.len());
    names.iter().for_each(|name| context.reply.bulk(name.as_bytes()));
    Ok(())
}
