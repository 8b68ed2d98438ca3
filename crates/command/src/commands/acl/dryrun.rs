//! `ACL DRYRUN username command [arg [arg ...]]`

use mayfly_acl::Denial;

use super::{OPERATOR, refused};
use crate::access::check;
use crate::argument::Argument;
use crate::context::SessionContext;
use crate::error::{CommandError, Outcome, shown};
use crate::spec::{Run, Spec};
use crate::table::Table;
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "dryrun",
    summary: "Tells whether a user may make a request, without making it.",
    since: "7.0.0",
    arity: -4,
    arguments: &[
        Argument::string("username"),
        Argument::string("command"),
        Argument::string("arg").optional().multiple(),
    ],
    run: Run::Session(run),
    ..OPERATOR
};

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let (name, request) = (words.at(2), words.after(3));
    let no_user = || refused(format_args!("User '{}' not found", shown(name, 128)));
    let user = context.host.access().find(name).ok_or_else(no_user)?;
    let no_command = || refused(format_args!("Command '{}' not found", shown(request.at(0), 128)));
    let command = Table::get().find_request(request).ok_or_else(no_command)?;
    if !command.spec.accepts(request.len()) {
        return Err(CommandError::Text(CommandError::WrongArity.line(command.full_name())));
    }
    let what = match check(&user, command, request) {
        Ok(()) => {
            context.reply.ok();
            return Ok(());
        }
        Err(Denial::Command) => format!("run the '{}' command", command.full_name()),
        Err(Denial::Key(place)) => {
            format!("access the '{}' key", String::from_utf8_lossy(request.at(place)))
        }
        Err(Denial::Channel(place)) => {
            format!("access the '{}' channel", String::from_utf8_lossy(request.at(place)))
        }
    };
    let name = String::from_utf8_lossy(name);
    context.reply.bulk(format!("User {name} has no permissions to {what}").as_bytes());
    Ok(())
}
