//! `ACL USERS`

use super::OPERATOR;
use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "users",
    summary: "Lists the names of all users.",
    run: Run::Session(run),
    ..OPERATOR
};

fn run(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    let users = context.host.access().all();
    context.reply.array(users.len());
    users.iter().for_each(|user| context.reply.bulk(user.name()));
    Ok(())
}
