//! `ACL SAVE`

use super::{OPERATOR, refused};
use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "save",
    summary: "Writes all users to the ACL file.",
    run: Run::Session(run),
    ..OPERATOR
};

fn run(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    context.host.save_users().map_err(refused)?;
    context.reply.ok();
    Ok(())
}
