//! Which commands.

use crate::catalogue::Catalogue;
use crate::categories::Category;
use crate::rule::RuleError;

/// The commands that a selector allows. The rules are kept beside what they mean, in their order, so that they can be
/// told again; one that a later rule makes void is forgotten.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct CommandRules {
    /// All commands, with nothing taken away since.
    pub(crate) are_all: bool,
    /// The base was `+@all`: what is not told otherwise is allowed.
    begins_with_all: bool,
    /// By number of the command, 64 each.
    allowed: Vec<u64>,
    /// Commands that are allowed with these first arguments.
    first_arguments: Vec<(usize, Vec<u8>)>,
    /// Behind the base, without the sign, in lower case.
    rules: Vec<(bool, Vec<u8>)>,
}

impl CommandRules {
    /// Forbids all commands, or allows all.
    pub(crate) fn reset(&mut self, are_all: bool) {
        *self = CommandRules { are_all, begins_with_all: are_all, ..CommandRules::default() };
    }

    /// Takes a rule that begins with `+` or `-`.
    pub(crate) fn set(&mut self, rule: &[u8], catalogue: &Catalogue) -> Result<(), RuleError> {
        let (allow, name) = match rule {
            [b'+', name @ ..] => (true, name),
            [b'-', name @ ..] => (false, name),
            _ => return Err(RuleError::Syntax),
        };
        if let Some(category) = name.strip_prefix(b"@") {
            let category = Category::find(category).ok_or(RuleError::Unknown)?;
            catalogue.of(category).for_each(|command| self.change(command, allow, catalogue));
        } else if let Some(command) = catalogue.find(name) {
            self.change(command, allow, catalogue);
        } else if allow {
            self.allow_first_argument(name, catalogue)?;
        } else {
            return Err(RuleError::Unknown);
        }
        self.note(allow, name.to_ascii_lowercase());
        Ok(())
    }

    /// Whether a command is allowed, with that first argument.
    pub(crate) fn allow(&self, command: usize, first_argument: Option<&[u8]>) -> bool {
        self.are_all || self.has(command) || self.allows_with(command, first_argument)
    }

    fn allows_with(&self, command: usize, first_argument: Option<&[u8]>) -> bool {
        let Some(word) = first_argument else { return false };
        let allows =
            |(known, argument): &(usize, Vec<u8>)| *known == command && argument.eq_ignore_ascii_case(word);
        self.first_arguments.iter().any(allows)
    }

    /// The rules, as they can be read again.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut text = if self.begins_with_all { b"+@all".to_vec() } else { b"-@all".to_vec() };
        for (allow, name) in &self.rules {
            text.extend_from_slice(if *allow { b" +" } else { b" -" });
            text.extend_from_slice(name);
        }
        text
    }

    /// Reads `command|first-argument`.
    fn allow_first_argument(&mut self, name: &[u8], catalogue: &Catalogue) -> Result<(), RuleError> {
        let bar = name.iter().rposition(|byte| *byte == b'|').ok_or(RuleError::Unknown)?;
        let (command, argument) = (&name[..bar], &name[bar + 1..]);
        let command = catalogue.find(command).ok_or(RuleError::Unknown)?;
        if catalogue.is_subcommand(command) {
            return Err(RuleError::FirstArgument);
        }
        if argument.is_empty() {
            return Err(RuleError::Syntax);
        }
        if !catalogue.subcommands(command).is_empty() {
            return Err(RuleError::Unknown);
        }
        if !self.allows_with(command, Some(argument)) {
            self.first_arguments.push((command, argument.to_vec()));
        }
        Ok(())
    }

    /// Allows or forbids a command with all its subcommands.
    fn change(&mut self, command: usize, allow: bool, catalogue: &Catalogue) {
        self.first_arguments.retain(|(known, _)| *known != command);
        self.set_bit(command, allow, catalogue);
        for subcommand in catalogue.subcommands(command) {
            self.set_bit(*subcommand, allow, catalogue);
        }
    }

    fn set_bit(&mut self, command: usize, allow: bool, catalogue: &Catalogue) {
        if self.allowed.is_empty() {
            let all = if self.are_all { u64::MAX } else { 0 };
            self.allowed = vec![all; catalogue.len().div_ceil(64)];
        }
        let (word, bit) = (&mut self.allowed[command / 64], 1 << (command % 64));
        if allow {
            *word |= bit;
        } else {
            *word &= !bit;
            self.are_all = false;
        }
    }

    fn has(&self, command: usize) -> bool {
        self.allowed.get(command / 64).is_some_and(|word| word & (1 << (command % 64)) != 0)
    }

    /// Notes a rule. What was told before of the same name, or of a subcommand of it, is void.
    fn note(&mut self, allow: bool, name: Vec<u8>) {
        self.rules.retain(|(_, known)| match known.strip_prefix(&name[..]) {
            Some(rest) => !(rest.is_empty() || rest.starts_with(b"|")),
            None => true,
        });
        self.rules.push((allow, name));
    }
}
