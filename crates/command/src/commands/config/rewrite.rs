//! `CONFIG REWRITE`

use crate::context::SessionContext;
use crate::error::{CommandError, Outcome};
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "rewrite",
    summary: "Writes what CONFIG SET has set into the config file, which stays as it is otherwise.",
    since: "2.8.0",
    group: Group::Server,
    arity: 2,
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    run: Run::Session(run),
    ..Spec::BLANK
};

fn run(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    context.host.rewrite_config_file().map_err(|problem| CommandError::text(format!("ERR {problem}")))?;
    context.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("CONFIG REWRITE", "(error) ERR The server is running without a config file"),
            ("CONFIG REWRITE now", "(error) ERR wrong number of arguments for 'config|rewrite' command"),
        ]);
    }
}
