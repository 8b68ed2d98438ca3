//! The table of all commands: the one place where a name becomes a command.
//!
//! It is built once from the list in `commands/mod.rs` and never changes. Numbers in it are dense, so that
//! counters per command are plain arrays.

use std::sync::LazyLock;

use hashbrown::HashMap;

use crate::error::{CommandError, unknown_command, unknown_subcommand};
use crate::spec::{Run, Spec};
use crate::words::Words;

/// Number of a command in the table, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct CommandId(pub u16);

impl CommandId {
    /// The number as an index.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A command or subcommand in the table.
#[derive(Debug)]
pub struct Command {
    /// Its number.
    pub id: CommandId,
    /// What it is.
    pub spec: &'static Spec,
    /// The position of its one key, if it has exactly one, always in the same place.
    pub single_key: Option<u32>,
    full_name: String,
    subcommands: HashMap<&'static str, &'static Command>,
}

impl Command {
    /// `hset`, or `config|get` for a subcommand: the name in errors, statistics and metrics.
    pub fn full_name(&self) -> &str {
        &self.full_name
    }

    /// A subcommand by its name, whatever its case.
    pub fn subcommand(&self, word: &[u8]) -> Option<&'static Command> {
        find_in(&self.subcommands, word)
    }
}

/// All commands.
#[derive(Debug)]
pub struct Table {
    by_name: HashMap<&'static str, &'static Command>,
    all: Vec<&'static Command>,
}

/// Longest name of a command or subcommand, in bytes; a sweep test holds it.
const NAME_BYTES_MAX: usize = 24;

static TABLE: LazyLock<Table> = LazyLock::new(Table::build);

impl Table {
    /// The table of this build.
    pub fn get() -> &'static Table {
        &TABLE
    }

    /// The command of that name, whatever its case.
    pub fn find(&self, word: &[u8]) -> Option<&'static Command> {
        find_in(&self.by_name, word)
    }

    /// The command or subcommand that a request is, by its first words and their number. The error says all,
    /// its line needs no name.
    pub fn resolve(&self, words: Words<'_>) -> Result<&'static Command, CommandError> {
        let name = words.get(0).unwrap_or_default();
        let command = self.find(name).ok_or_else(|| unknown_command(name, words.from(1)))?;
        let (arity_of, command) = match (command.spec.run, words.get(1)) {
            (Run::Container(_), Some(word)) => {
                let inner = command.subcommand(word);
                let inner = inner.ok_or_else(|| unknown_subcommand(command.spec.name, word))?;
                (inner, inner)
            }
            // `COMMAND` is the one container that runs alone: as its `INFO`.
            (Run::Container(_), None) => (command, command.subcommand(b"info").unwrap_or(command)),
            _ => (command, command),
        };
        if arity_of.spec.accepts(words.len()) {
            Ok(command)
        } else {
            Err(CommandError::Text(CommandError::WrongArity.line(arity_of.full_name())))
        }
    }

    /// The command or subcommand that a request is by its first words, whatever their number.
    pub fn find_request(&self, words: Words<'_>) -> Option<&'static Command> {
        let command = self.find(words.get(0)?)?;
        match (command.spec.run, words.get(1)) {
            (Run::Container(_), Some(word)) => command.subcommand(word),
            _ => Some(command),
        }
    }

    /// The command or subcommand of a full name such as `config|get`.
    pub fn find_full(&self, word: &[u8]) -> Option<&'static Command> {
        match word.iter().position(|&byte| byte == b'|') {
            Some(bar) => self.find(&word[..bar])?.subcommand(&word[bar + 1..]),
            None => self.find(word),
        }
    }

    /// The command of that number.
    pub fn by_id(&self, id: CommandId) -> Option<&'static Command> {
        self.all.get(id.index()).copied()
    }

    /// Commands and subcommands, by number.
    pub fn all(&self) -> &[&'static Command] {
        &self.all
    }

    /// Commands without their subcommands, in the order of the list.
    pub fn commands(&self) -> impl Iterator<Item = &'static Command> {
        self.all.iter().copied().filter(|command| !command.full_name.contains('|'))
    }

    fn build() -> Table {
        let mut table = Table { by_name: HashMap::new(), all: Vec::new() };
        for spec in crate::commands::ALL {
            let mut subcommands = HashMap::new();
            for inner in spec.subcommands() {
                let full_name = format!("{}|{}", spec.name, inner.name);
                subcommands.insert(inner.name, table.add(inner, full_name, HashMap::new()));
            }
            let command = table.add(spec, spec.name.to_owned(), subcommands);
            table.by_name.insert(spec.name, command);
        }
        table
    }

    fn add(
        &mut self,
        spec: &'static Spec,
        full_name: String,
        subcommands: HashMap<&'static str, &'static Command>,
    ) -> &'static Command {
        let id = CommandId(u16::try_from(self.all.len()).expect("there are fewer than 65,536 commands"));
        // Built once for the life of the process, so that calls can carry a plain reference.
        let single_key = match spec.keys {
            [keys] if keys.last == keys.first as isize => Some(keys.first as u32),
            _ => None,
        };
        let command = Command { id, spec, single_key, full_name, subcommands };
        let command: &'static Command = Box::leak(Box::new(command));
        self.all.push(command);
        command
    }
}

fn find_in(map: &HashMap<&'static str, &'static Command>, word: &[u8]) -> Option<&'static Command> {
    let mut lower = [0; NAME_BYTES_MAX];
    let lower = lower.get_mut(..word.len())?;
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    map.get(std::str::from_utf8(lower).ok()?).copied()
}

/// The README's table of commands, in Markdown, by group.
pub fn markdown() -> String {
    let mut text = String::from("| command | what it does |\n|---|---|\n");
    for command in Table::get().all() {
        if matches!(command.spec.run, Run::Container(_)) {
            continue;
        }
        let parent = command
            .full_name
            .split_once('|')
            .map_or(String::new(), |(container, _)| format!("{} ", container.to_ascii_uppercase()));
        let syntax = command.spec.syntax().replace('|', "\\|");
        text.push_str(&format!("| `{parent}{syntax}` | {} |\n", command.spec.summary));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Flags, Step};

    #[test]
    fn every_command_is_found_by_its_name_in_any_case() {
        let table = Table::get();
        for command in table.all() {
            let upper = command.full_name().to_ascii_uppercase();
            let found = table.find_full(upper.as_bytes()).expect(&upper);
            assert!(std::ptr::eq(found, *command), "{upper} is in the list twice");
            assert!(std::ptr::eq(table.by_id(command.id).unwrap(), *command));
        }
        assert!(table.find(b"").is_none() && table.find(&[b'x'; 1000]).is_none());
        assert!(table.find(b"\xff\xfe").is_none());
    }

    #[test]
    fn every_spec_is_whole() {
        for command in Table::get().all() {
            let (name, spec) = (command.full_name(), command.spec);
            assert!(!spec.name.is_empty() && spec.name.len() <= NAME_BYTES_MAX, "{name}");
            assert_eq!(spec.name, spec.name.to_ascii_lowercase(), "{name}");
            assert!(spec.summary.ends_with('.'), "{name}: the summary is a sentence");
            assert!(spec.arity != 0 && !spec.since.is_empty() && !spec.complexity.is_empty(), "{name}");
            let routed_by_keys = matches!(spec.run, Run::Keys(_) | Run::Step(Step::Watch));
            assert_eq!(routed_by_keys, !spec.keys.is_empty(), "{name}: keys and route agree");
            let both = Flags::WRITE.and(Flags::READONLY);
            assert!(!spec.flags.has(both), "{name}: writes or only reads, not both");
            if let Run::Keys(_) = spec.run {
                let exactly_one = spec.flags.has(Flags::WRITE) != spec.flags.has(Flags::READONLY);
                assert!(exactly_one, "{name}: a command on keys writes or reads");
                let least = usize::from(spec.arity.unsigned_abs());
                assert!(spec.key_positions(least).count() > 0, "{name}: the arity ensures a key");
            }
        }
    }
}
