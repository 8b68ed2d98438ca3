//! `ACL DELUSER username [username ...]`: their clients are disconnected.

use mayfly_acl::DEFAULT_USER;

use super::{OPERATOR, refused};
use crate::argument::Argument;
use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "deluser",
    summary: "Removes users and disconnects their clients.",
    arity: -3,
    arguments: &[Argument::string("username").multiple()],
    run: Run::Session(run),
    ..OPERATOR
};

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    if words.from(2).any(|name| name == DEFAULT_USER) {
        return Err(refused("The 'default' user cannot be removed"));
    }
    let remove = |users: &mut mayfly_acl::Users| words.from(2).filter(|name| users.remove(name)).count();
    let removed = context.host.access().change(remove);
    context.host.users_changed();
    context.reply.integer(removed as i64);
    Ok(())
}
