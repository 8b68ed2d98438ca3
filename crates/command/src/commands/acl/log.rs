//! `ACL LOG [count | RESET]`

use mayfly_acl::LogEntry;
use mayfly_resp::ReplyWriter;

use super::{OPERATOR, unknown_form};
use crate::argument::Argument;
use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Run, Spec};
use crate::words::{Words, is};

pub static SPEC: Spec = Spec {
    name: "log",
    summary: "Lists what was denied last, or forgets it.",
    arity: -2,
    arguments: &[Argument::one_of(
        "operation",
        &[Argument::integer("count"), Argument::flag("reset", "RESET")],
    )
    .optional()],
    run: Run::Session(run),
    ..OPERATOR
};

/// Entries without a number.
const COUNT: usize = 10;

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let access = context.host.access();
    let count = match words.len() {
        2 => COUNT,
        3 if is(words.at(2), "reset") => {
            access.clear_log();
            context.reply.ok();
            return Ok(());
        }
        // A negative number asks for nothing, as in Redis.
        3 => usize::try_from(words.integer(2)?).unwrap_or(0),
        _ => return Err(unknown_form(words)),
    };
    let now = context.now().0;
    let entries = access.newest_entries(count);
    context.reply.array(entries.len());
    entries.iter().for_each(|entry| describe(&mut context.reply, entry, now));
    Ok(())
}

fn describe(reply: &mut ReplyWriter<'_>, entry: &LogEntry, now_millis: i64) {
    reply.map(10);
    let number = |reply: &mut ReplyWriter<'_>, name: &str, number: i64| {
        reply.bulk(name.as_bytes());
        reply.integer(number);
    };
    number(reply, "count", entry.count as i64);
    let texts = [
        ("reason", entry.reason.name().as_bytes()),
        ("context", entry.context.name().as_bytes()),
        ("object", &entry.object),
        ("username", &entry.user),
    ];
    for (name, text) in texts {
        reply.bulk(name.as_bytes());
        reply.bulk(text);
    }
    reply.bulk(b"age-seconds");
    reply.double((now_millis - entry.updated_millis).max(0) as f64 / 1_000.0);
    reply.bulk(b"client-info");
    reply.bulk(entry.client.as_bytes());
    number(reply, "entry-id", entry.id as i64);
    number(reply, "timestamp-created", entry.created_millis);
    number(reply, "timestamp-last-updated", entry.updated_millis);
}
