//! `COMMAND DOCS`, `COMMAND INFO` and the `HELP` of containers, rendered from specs.

use mayfly_acl::{Categories, Category};
use mayfly_resp::ReplyWriter;

use crate::argument::{Argument, Kind};
use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, KeySpec, Run, Spec};
use crate::table::{Command, Table};
use crate::words::Words;

/// Writes what `COMMAND INFO` says about a command: ten elements.
pub(crate) fn reply_info(reply: &mut ReplyWriter<'_>, command: &Command) {
    let spec = command.spec;
    reply.array(10);
    reply.bulk(command.full_name().as_bytes());
    reply.integer(i64::from(spec.arity));
    let flags: Vec<_> = spec.flags.names().collect();
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.simple(flag));
    let (first, last, step) = key_range(spec.keys);
    [first, last, step].into_iter().for_each(|number| reply.integer(number));
    let categories: Vec<_> = categories(command).names().collect();
    reply.set(categories.len());
    categories.iter().for_each(|category| reply.simple(&format!("@{category}")));
    // Tips for proxies, of which there are none.
    reply.set(0);
    reply.set(spec.keys.len());
    spec.keys.iter().for_each(|keys| reply_keys(reply, *keys));
    match subcommands(command) {
        subcommands if subcommands.is_empty() => reply.set(0),
        subcommands => {
            reply.array(subcommands.len());
            subcommands.iter().for_each(|command| reply_info(reply, command));
        }
    }
}

/// Writes what `COMMAND DOCS` says about a command: its name, then a map.
pub(crate) fn reply_docs(reply: &mut ReplyWriter<'_>, command: &Command) {
    let spec = command.spec;
    let subcommands = subcommands(command);
    reply.bulk(command.full_name().as_bytes());
    reply.map(4 + usize::from(!spec.arguments.is_empty()) + usize::from(!subcommands.is_empty()));
    for (name, text) in [
        ("summary", spec.summary),
        ("since", spec.since),
        ("group", spec.group.name()),
        ("complexity", spec.complexity),
    ] {
        reply.bulk(name.as_bytes());
        reply.bulk(text.as_bytes());
    }
    if !spec.arguments.is_empty() {
        reply.bulk(b"arguments");
        let mut keys = KeyArguments { specs: spec.keys.len(), seen: 0 };
        reply_arguments(reply, spec.arguments, &mut keys);
    }
    if !subcommands.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(subcommands.len());
        subcommands.iter().for_each(|command| reply_docs(reply, command));
    }
}

/// The ACL categories of a command. They follow from its chapter and its flags.
pub(crate) fn categories(command: &Command) -> Categories {
    let spec = command.spec;
    if let Some((_, categories)) = CATEGORIES_BY_HAND.iter().find(|(name, _)| *name == command.full_name()) {
        return categories.iter().copied().collect();
    }
    let has = |flags| spec.flags.has(flags);
    // A container by itself does nothing to anything.
    let acts = !matches!(spec.run, Run::Container(_));
    let on_keyspace = match spec.group {
        Group::Generic => true,
        Group::Server => matches!(spec.run, Run::AllShards(_)) && (has(Flags::WRITE) || has(Flags::READONLY)),
        _ => false,
    };
    let on_connection = spec.group == Group::Connection || command.full_name().starts_with("command|");
    [
        (Category::Keyspace, acts && on_keyspace),
        (Category::Read, has(Flags::READONLY)),
        (Category::Write, has(Flags::WRITE)),
        (Category::Hash, spec.group == Group::Hash),
        (Category::PubSub, has(Flags::PUBSUB)),
        (Category::Admin, has(Flags::ADMIN)),
        (Category::Fast, has(Flags::FAST)),
        (Category::Slow, !has(Flags::FAST)),
        (Category::Dangerous, has(Flags::ADMIN) || has(Flags::DANGEROUS)),
        (Category::Connection, acts && on_connection),
        (Category::Transaction, spec.group == Group::Transactions),
    ]
    .into_iter()
    .filter(|(_, applies)| *applies)
    .map(|(category, _)| category)
    .collect()
}

/// Categories that follow from nothing: Redis has them in a command's own description.
const CATEGORIES_BY_HAND: [(&str, &[Category]); 6] = [
    ("command", &[Category::Slow, Category::Connection]),
    ("get", &[Category::Read, Category::String, Category::Fast]),
    ("lastsave", &[Category::Admin, Category::Fast, Category::Dangerous]),
    ("readonly", &[Category::Fast, Category::Connection]),
    ("role", &[Category::Admin, Category::Fast, Category::Dangerous]),
    ("wait", &[Category::Slow, Category::Blocking, Category::Connection]),
];

/// The subcommands of a container, in the order of its spec.
fn subcommands(command: &Command) -> Vec<&'static Command> {
    let names = command.spec.subcommands().iter().map(|spec| spec.name);
    names.filter_map(|name| command.subcommand(name.as_bytes())).collect()
}

/// First key, last key and step as `COMMAND` gave them before there were key specs: specs that adjoin are one
/// range.
fn key_range(keys: &[KeySpec]) -> (i64, i64, i64) {
    let Some(first) = keys.first() else { return (0, 0, 0) };
    let mut last = first.last;
    for next in &keys[1..] {
        if next.first as isize == last + 1 {
            last = next.last;
        }
    }
    (first.first as i64, last as i64, first.step as i64)
}

/// Writes one key spec. Its last key is relative to its first, or counted from the end.
fn reply_keys(reply: &mut ReplyWriter<'_>, keys: KeySpec) {
    let last = if keys.last < 0 { keys.last } else { keys.last - keys.first as isize };
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(keys.access.len());
    keys.access.iter().for_each(|word| reply.simple(word));
    reply_key_step(reply, "begin_search", "index", &[("index", keys.first as i64)]);
    let range = [("lastkey", last as i64), ("keystep", keys.step as i64), ("limit", 0)];
    reply_key_step(reply, "find_keys", "range", &range);
}

/// Writes one of the two steps of finding keys.
fn reply_key_step(reply: &mut ReplyWriter<'_>, step: &str, kind: &str, numbers: &[(&str, i64)]) {
    reply.bulk(step.as_bytes());
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
    reply.map(numbers.len());
    for (name, number) in numbers {
        reply.bulk(name.as_bytes());
        reply.integer(*number);
    }
}

/// Which key spec an argument belongs to: the first argument that is a key to the first spec, and so on.
struct KeyArguments {
    specs: usize,
    seen: usize,
}

impl KeyArguments {
    fn next(&mut self) -> Option<usize> {
        let index = self.seen.min(self.specs.checked_sub(1)?);
        self.seen += 1;
        Some(index)
    }
}

fn reply_arguments(reply: &mut ReplyWriter<'_>, arguments: &[Argument], keys: &mut KeyArguments) {
    reply.array(arguments.len());
    arguments.iter().for_each(|argument| reply_argument(reply, argument, keys));
}

fn reply_argument(reply: &mut ReplyWriter<'_>, argument: &Argument, keys: &mut KeyArguments) {
    let inner = argument.inner();
    let key = if matches!(argument.kind, Kind::Key) { keys.next() } else { None };
    let flags = [
        (argument.optional, "optional"),
        (argument.multiple, "multiple"),
        (argument.multiple_token, "multiple_token"),
    ];
    let flags: Vec<_> = flags.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect();
    let display = inner.is_empty().then_some(argument.name);
    let texts =
        [("name", Some(argument.name)), ("type", Some(argument.kind_name())), ("display_text", display)];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text?)));
    let others = [key.is_some(), argument.token.is_some(), !flags.is_empty(), !inner.is_empty()];
    reply.map(texts.clone().count() + others.into_iter().filter(|there| *there).count());
    for (name, text) in texts {
        reply.bulk(name.as_bytes());
        reply.bulk(text.as_bytes());
    }
    if let Some(index) = key {
        reply.bulk(b"key_spec_index");
        reply.integer(index as i64);
    }
    if let Some(token) = argument.token {
        reply.bulk(b"token");
        reply.bulk(token.as_bytes());
    }
    if !flags.is_empty() {
        reply.bulk(b"flags");
        reply.set(flags.len());
        flags.iter().for_each(|flag| reply.simple(flag));
    }
    if !inner.is_empty() {
        reply.bulk(b"arguments");
        reply_arguments(reply, inner, keys);
    }
}

/// The spec of a container's `HELP`.
pub(crate) const fn help_spec(group: Group) -> Spec {
    Spec {
        name: "help",
        summary: "Returns helpful text about the different subcommands.",
        since: "5.0.0",
        group,
        arity: 2,
        flags: Flags::LOADING.and(Flags::STALE),
        run: Run::Session(reply_help),
        ..Spec::BLANK
    }
}

/// Answers `HELP` of the container that the first word names.
fn reply_help(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let container = Table::get().find(words.at(0)).expect("a request for HELP names its container");
    let lines = help(container.spec.name, container.spec.subcommands());
    context.reply.array(lines.len());
    for line in lines {
        context.reply.simple(&line);
    }
    Ok(())
}

/// The lines of `HELP`: a title, then a syntax line and an indented summary for each subcommand, `HELP` last.
pub(crate) fn help(container: &str, subcommands: &[&Spec]) -> Vec<String> {
    let container = container.to_ascii_uppercase();
    let title = format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    let mut lines = vec![title];
    for spec in subcommands.iter().filter(|spec| spec.name != "help") {
        lines.push(spec.syntax());
        lines.push(format!("    {}", spec.summary));
    }
    lines.extend(["HELP".to_owned(), "    Print this help.".to_owned()]);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::access;
    use crate::table::Table;

    #[test]
    fn categories_are_those_of_redis() {
        for (name, expected) in [
            ("hset", "write hash fast"),
            ("hgetall", "read hash slow"),
            ("del", "keyspace write slow"),
            ("scan", "keyspace read slow"),
            ("select", "fast connection"),
            ("info", "slow dangerous"),
            ("time", "fast"),
            ("role", "admin fast dangerous"),
            ("shutdown", "admin slow dangerous"),
            ("readonly", "fast connection"),
            ("cluster|info", "slow"),
            ("client", "slow"),
            ("client|list", "admin slow dangerous connection"),
            ("client|id", "slow connection"),
            ("config", "slow"),
            ("config|get", "admin slow dangerous"),
            ("config|help", "slow"),
            ("command", "slow connection"),
            ("get", "read string fast"),
            ("wait", "slow blocking connection"),
            ("lastsave", "admin fast dangerous"),
            ("publish", "pubsub fast"),
            ("pubsub|help", "slow"),
            ("exec", "slow transaction"),
            ("acl|setuser", "admin slow dangerous"),
            ("acl|whoami", "slow"),
            ("hotkeys|top", "admin slow dangerous"),
            ("bigkeys", "admin slow dangerous"),
            ("command|docs", "slow connection"),
        ] {
            let command = Table::get().find_full(name.as_bytes()).expect(name);
            assert_eq!(categories(command).names().collect::<Vec<_>>().join(" "), expected, "{name}");
        }
    }

    #[test]
    fn specs_that_adjoin_are_one_range() {
        let at = |position| KeySpec::at(position, access::READ);
        assert_eq!(key_range(&[]), (0, 0, 0));
        assert_eq!(key_range(&[at(2)]), (2, 2, 1));
        assert_eq!(key_range(&[at(1), at(2)]), (1, 2, 1));
        assert_eq!(key_range(&[at(1), at(3)]), (1, 1, 1));
        assert_eq!(key_range(&[KeySpec::all_from(1, access::READ)]), (1, -1, 1));
    }

    #[test]
    fn help_lists_every_subcommand_and_itself_last() {
        static SET_NAME: Spec = Spec {
            name: "setname",
            summary: "Sets the connection name.",
            arguments: &[Argument::string("connection-name")],
            ..Spec::BLANK
        };
        static HELP: Spec = help_spec(Group::Connection);
        assert_eq!(
            help("client", &[&HELP, &SET_NAME]),
            [
                "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
                "SETNAME connection-name",
                "    Sets the connection name.",
                "HELP",
                "    Print this help.",
            ]
        );
    }
}
