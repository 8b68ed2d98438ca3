//! `ACL WHOAMI`, `ACL USERS`: there is one user, `default`, who may do everything.

use crate::context::SessionContext;
use crate::documentation::{help_spec, reply_help};
use crate::error::Outcome;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "acl",
    summary: "A container for Access List Control commands.",
    since: "6.0.0",
    complexity: "Depends on subcommand.",
    group: Group::Server,
    arity: -2,
    run: Run::Container(&[&USERS, &WHOAMI, &HELP]),
    ..Spec::BLANK
};

static USERS: Spec = Spec {
    name: "users",
    summary: "Lists all users: default.",
    since: "6.0.0",
    group: Group::Server,
    arity: 2,
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    run: Run::Session(|context, _| {
        context.reply.array(1);
        context.reply.bulk(b"default");
        Ok(())
    }),
    ..Spec::BLANK
};

static WHOAMI: Spec = Spec {
    name: "whoami",
    summary: "Returns the user of the connection, which is default.",
    since: "6.0.0",
    group: Group::Server,
    arity: 2,
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE),
    run: Run::Session(|context, _| {
        context.reply.bulk(b"default");
        Ok(())
    }),
    ..Spec::BLANK
};

static HELP: Spec = help_spec(Group::Server, help);

fn help(context: &mut SessionContext<'_>, _: Words<'_>) -> Outcome {
    reply_help(&mut context.reply, &SPEC);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("ACL WHOAMI", "\"default\""),
            ("ACL USERS", "1) \"default\""),
            ("ACL SETUSER x", "(error) ERR unknown subcommand 'SETUSER'. Try ACL HELP."),
            ("ACL HELP", "*"),
        ]);
    }
}
