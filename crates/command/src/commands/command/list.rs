//! `COMMAND LIST [FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]`

use crate::argument::Argument;
use crate::context::SessionContext;
use crate::documentation::categories;
use crate::error::{CommandError, Outcome};
use crate::glob;
use crate::spec::{Flags, Group, Run, Spec};
use crate::table::{Command, Table};
use crate::words::{Words, is};

pub static SPEC: Spec = Spec {
    name: "list",
    summary: "Returns a list of command names.",
    since: "7.0.0",
    complexity: "O(N) where N is the total number of commands",
    group: Group::Server,
    arity: -2,
    flags: Flags::LOADING.and(Flags::STALE),
    arguments: &[Argument::one_of("filterby", &FILTERS).after("FILTERBY").optional()],
    run: Run::Session(run),
    ..Spec::BLANK
};

const FILTERS: [Argument; 3] = [
    Argument::string("module-name").after("MODULE"),
    Argument::string("category").after("ACLCAT"),
    Argument::pattern("pattern").after("PATTERN"),
];

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let table = Table::get();
    let names: Vec<&str> = match words.len() {
        2 => table.commands().map(Command::full_name).collect(),
        // Only a filter looks at subcommands, as in Redis.
        5 if is(words.at(2), "filterby") => {
            let filter = Filter::parse(words.at(3), words.at(4))?;
            table
                .all()
                .iter()
                .filter(|command| filter.shows(command))
                .map(|command| command.full_name())
                .collect()
        }
        _ => return Err(CommandError::Syntax),
    };
    context.reply.array(names.len());
    for name in names {
        context.reply.bulk(name.as_bytes());
    }
    Ok(())
}

enum Filter<'a> {
    /// There are no modules.
    Module,
    Category(&'a [u8]),
    Pattern(&'a [u8]),
}

impl<'a> Filter<'a> {
    fn parse(kind: &[u8], argument: &'a [u8]) -> Result<Self, CommandError> {
        match kind {
            kind if is(kind, "module") => Ok(Filter::Module),
            kind if is(kind, "aclcat") => Ok(Filter::Category(argument)),
            kind if is(kind, "pattern") => Ok(Filter::Pattern(argument)),
            _ => Err(CommandError::Syntax),
        }
    }

    fn shows(&self, command: &Command) -> bool {
        match self {
            Filter::Module => false,
            Filter::Category(word) => categories(command).names().any(|category| is(word, category)),
            Filter::Pattern(pattern) => glob::matches_ignoring_case(pattern, command.full_name().as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, replay};

    #[test]
    fn cases() {
        replay(&[
            ("COMMAND LIST FILTERBY PATTERN HSETEX*", "1) \"hsetex\"\n2) \"hsetexpire\""),
            ("COMMAND LIST FILTERBY PATTERN *|KILL", "1) \"client|kill\""),
            ("COMMAND LIST FILTERBY PATTERN nothing", "(empty array)"),
            ("COMMAND LIST FILTERBY MODULE any", "(empty array)"),
            ("COMMAND LIST FILTERBY ACLCAT nothing", "(empty array)"),
            ("COMMAND LIST FILTERBY ACLCAT @hash", "(empty array)"),
            ("COMMAND LIST FILTERBY", "(error) ERR syntax error"),
            ("COMMAND LIST FILTERBY FOO x", "(error) ERR syntax error"),
            ("COMMAND LIST FILTERBY PATTERN a b", "(error) ERR syntax error"),
            ("COMMAND LIST FOO", "(error) ERR syntax error"),
        ]);
    }

    #[test]
    fn categories_filter() {
        let list = Fixture::new().run("COMMAND LIST FILTERBY aclcat HASH");
        assert!(list.contains("\"hsetex\"") && list.contains("\"hget\"") && !list.contains("\"ttl\""));
        let all = Fixture::new().run("COMMAND LIST");
        assert!(all.contains("\"client\"") && !all.contains('|'));
    }
}
