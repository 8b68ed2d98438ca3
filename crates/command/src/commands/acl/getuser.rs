//! `ACL GETUSER username`

use mayfly_acl::Selector;
use mayfly_resp::ReplyWriter;

use super::OPERATOR;
use crate::argument::Argument;
use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "getuser",
    summary: "Returns the rules of a user.",
    arity: 3,
    arguments: &[Argument::string("username")],
    run: Run::Session(run),
    ..OPERATOR
};

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let reply = &mut context.reply;
    let Some(user) = context.host.access().find(words.at(2)) else {
        reply.null();
        return Ok(());
    };
    reply.map(6);
    reply.bulk(b"flags");
    let flags = user.flags();
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"passwords");
    let hashes = user.password_hashes();
    reply.array(hashes.len());
    hashes.for_each(|hash| reply.bulk(hash.as_bytes()));
    describe(reply, user.root());
    reply.bulk(b"selectors");
    reply.array(user.other_selectors().len());
    for selector in user.other_selectors() {
        reply.map(3);
        describe(reply, selector);
    }
    Ok(())
}

/// Three pairs of a map.
fn describe(reply: &mut ReplyWriter<'_>, selector: &Selector) {
    let parts = [
        ("commands", selector.command_text()),
        ("keys", selector.key_text()),
        ("channels", selector.channel_text()),
    ];
    for (name, text) in parts {
        reply.bulk(name.as_bytes());
        reply.bulk(&text);
    }
}
