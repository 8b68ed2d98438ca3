//! `ACL WHOAMI`

use super::ANYBODY;
use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "whoami",
    summary: "Returns the name of the user as whom the connection asks.",
    run: Run::Session(run),
    ..ANYBODY
};

fn run(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    context.reply.bulk(context.client.user.name());
    Ok(())
}
