//! `COMMAND GETKEYS command [arg [arg ...]]`

use crate::argument::Argument;
use crate::context::SessionContext;
use crate::error::{CommandError, Outcome};
use crate::spec::{Flags, Group, Run, Spec};
use crate::table::Table;
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "getkeys",
    summary: "Extracts the key names from an arbitrary command.",
    since: "2.8.13",
    complexity: "O(N) where N is the number of arguments to the command",
    group: Group::Server,
    arity: -3,
    flags: Flags::LOADING.and(Flags::STALE),
    arguments: &REQUEST,
    run: Run::Session(run),
    ..Spec::BLANK
};

/// A whole request, as arguments.
pub(super) const REQUEST: [Argument; 2] =
    [Argument::string("command"), Argument::string("arg").optional().multiple()];

const NO_COMMAND: CommandError = CommandError::fixed("ERR Invalid command specified");
const NO_KEYS: CommandError = CommandError::fixed("ERR The command has no key arguments");
const WRONG_NUMBER: CommandError =
    CommandError::fixed("ERR Invalid number of arguments specified for command");

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let keys = keys(words.after(2))?;
    context.reply.array(keys.len());
    for found in keys {
        context.reply.bulk(found.key);
    }
    Ok(())
}

/// A key of a request, and what is done to it.
pub(super) struct RequestKey<'a> {
    pub key: &'a [u8],
    pub access: &'static [&'static str],
}

/// The keys of a request, in the order of the specs.
pub(super) fn keys(request: Words<'_>) -> Result<Vec<RequestKey<'_>>, CommandError> {
    let spec = Table::get().find_request(request).ok_or(NO_COMMAND)?.spec;
    if spec.keys.is_empty() {
        return Err(NO_KEYS);
    }
    if !spec.accepts(request.len()) {
        return Err(WRONG_NUMBER);
    }
    let mut found = Vec::new();
    for keys in spec.keys {
        let positions = keys.positions(request.len());
        found.extend(positions.map(|at| RequestKey { key: request.at(at), access: keys.access }));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("COMMAND GETKEYS hset k f v", "1) \"k\""),
            ("COMMAND GETKEYS DEL a b c", "1) \"a\"\n2) \"b\"\n3) \"c\""),
            ("COMMAND GETKEYS hsetex k FIELDS 1 60", "1) \"k\""),
            ("COMMAND GETKEYS hset", "(error) ERR Invalid number of arguments specified for command"),
            ("COMMAND GETKEYS nothing a", "(error) ERR Invalid command specified"),
            ("COMMAND GETKEYS config nothing", "(error) ERR Invalid command specified"),
            ("COMMAND GETKEYS config", "(error) ERR The command has no key arguments"),
            ("COMMAND GETKEYS config get a", "(error) ERR The command has no key arguments"),
            ("COMMAND GETKEYS ping", "(error) ERR The command has no key arguments"),
            ("COMMAND GETKEYS", "(error) ERR wrong number of arguments for 'command|getkeys' command"),
        ]);
    }
}
