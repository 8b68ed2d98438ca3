//! `ACL LOAD`

use super::{OPERATOR, refused};
use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "load",
    summary: "Takes the users of the ACL file in the place of all, or none if a line is wrong.",
    run: Run::Session(run),
    ..OPERATOR
};

fn run(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    context.host.load_users().map_err(refused)?;
    context.host.users_changed();
    context.reply.ok();
    Ok(())
}
