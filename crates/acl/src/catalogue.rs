//! The commands that rules are about, by number.

use std::collections::HashMap;

use crate::categories::{Categories, Category};

/// A command, as rules see it.
#[derive(Clone, Debug)]
pub struct CommandEntry {
    /// Its full name in lower case: `hset`, `config|get`.
    pub full_name: String,
    /// Its categories.
    pub categories: Categories,
    /// Whether everybody may run it, as what one logs in with.
    pub needs_no_rights: bool,
}

/// All commands. A command's number is its place, so numbers are those of whoever fills it in.
#[derive(Debug)]
pub struct Catalogue {
    commands: Vec<CommandEntry>,
    by_name: HashMap<String, usize>,
    /// The numbers of a command's subcommands.
    subcommands: Vec<Vec<usize>>,
}

impl Catalogue {
    /// A catalogue of these commands. A subcommand belongs to the command that its name begins with.
    pub fn new(commands: Vec<CommandEntry>) -> Self {
        let numbered = || commands.iter().enumerate();
        let by_name: HashMap<String, usize> =
            numbered().map(|(number, command)| (command.full_name.clone(), number)).collect();
        let mut subcommands = vec![Vec::new(); commands.len()];
        for (number, command) in numbered() {
            if let Some((parent, _)) = command.full_name.split_once('|')
                && let Some(parent) = by_name.get(parent)
            {
                subcommands[*parent].push(number);
            }
        }
        Catalogue { commands, by_name, subcommands }
    }

    /// How many commands there are.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// The command of that number.
    pub fn get(&self, number: usize) -> &CommandEntry {
        &self.commands[number]
    }

    /// The number of the command of that full name, whatever its case.
    pub fn find(&self, name: &[u8]) -> Option<usize> {
        let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
        self.by_name.get(&name).copied()
    }

    /// The subcommands of a command.
    pub fn subcommands(&self, number: usize) -> &[usize] {
        &self.subcommands[number]
    }

    /// Whether it is the subcommand of another.
    pub fn is_subcommand(&self, number: usize) -> bool {
        self.commands[number].full_name.contains('|')
    }

    /// The commands of a category, each before its subcommands.
    pub fn of(&self, category: Category) -> impl Iterator<Item = usize> {
        let tops = (0..self.len()).filter(|number| !self.is_subcommand(*number));
        let all = tops.flat_map(|top| std::iter::once(top).chain(self.subcommands[top].iter().copied()));
        all.filter(move |number| self.commands[*number].categories.has(category))
    }
}
