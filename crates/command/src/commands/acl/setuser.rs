//! `ACL SETUSER username [rule [rule ...]]`
//!
//! It holds at once, also for clients that are connected as this user.

use super::{OPERATOR, refused};
use crate::argument::Argument;
use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "setuser",
    summary: "Makes a user, or changes the rules of one.",
    arity: -3,
    arguments: &[Argument::string("username"), Argument::string("rule").optional().multiple()],
    run: Run::Session(run),
    ..OPERATOR
};

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let rules: Vec<&[u8]> = words.from(3).collect();
    context.host.access().set(words.at(2), &rules).map_err(refused)?;
    context.host.users_changed();
    context.reply.ok();
    Ok(())
}
