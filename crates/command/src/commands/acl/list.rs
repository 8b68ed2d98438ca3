//! `ACL LIST`

use super::OPERATOR;
use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "list",
    summary: "Lists all users with their rules, as the ACL file has them.",
    run: Run::Session(run),
    ..OPERATOR
};

fn run(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    let users = context.host.access().all();
    context.reply.array(users.len());
    users.iter().for_each(|user| context.reply.bulk(&user.line()));
    Ok(())
}
