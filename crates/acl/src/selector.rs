//! A selector: commands, keys and channels that go together.

use crate::catalogue::Catalogue;
use crate::check::{ChannelUse, Denial, KeyUse, Request};
use crate::commands::CommandRules;
use crate::patterns::{ChannelRules, KeyRules};
use crate::rule::RuleError;

/// What is allowed together: these commands on these keys and channels.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Selector {
    pub(crate) commands: CommandRules,
    pub(crate) keys: KeyRules,
    pub(crate) channels: ChannelRules,
}

impl Selector {
    /// Reads the rules between parentheses.
    pub(crate) fn parse(rules: &[u8], catalogue: &Catalogue) -> Result<Self, RuleError> {
        let mut selector = Selector::default();
        for rule in rules.split(u8::is_ascii_whitespace).filter(|rule| !rule.is_empty()) {
            selector.set(rule, catalogue)?;
        }
        Ok(selector)
    }

    /// Takes a rule.
    pub(crate) fn set(&mut self, rule: &[u8], catalogue: &Catalogue) -> Result<(), RuleError> {
        match &rule.to_ascii_lowercase()[..] {
            b"allkeys" | b"~*" => self.keys.reset(true),
            b"resetkeys" => self.keys.reset(false),
            b"allchannels" | b"&*" => self.channels.reset(true),
            b"resetchannels" => self.channels.reset(false),
            b"allcommands" | b"+@all" => self.commands.reset(true),
            b"nocommands" | b"-@all" => self.commands.reset(false),
            [b'~' | b'%', ..] => self.keys.set(rule)?,
            [b'&', ..] => self.channels.add(&rule[1..])?,
            [b'+' | b'-', ..] => self.commands.set(rule, catalogue)?,
            _ => return Err(RuleError::Syntax),
        }
        Ok(())
    }

    /// Whether it allows everything.
    pub(crate) fn is_unrestricted(&self) -> bool {
        self.commands.are_all && self.keys.are_all && self.channels.are_all
    }

    /// Whether it allows a request, or the first thing that it denies.
    pub(crate) fn check<'a>(
        &self,
        request: Request<'a, impl Iterator<Item = KeyUse<'a>>, impl Iterator<Item = ChannelUse<'a>>>,
        catalogue: &Catalogue,
    ) -> Result<(), Denial> {
        let Request { command, first_argument, mut keys, mut channels } = request;
        if !catalogue.get(command).needs_no_rights && !self.commands.allow(command, first_argument) {
            return Err(Denial::Command);
        }
        if let Some(denied) = keys.find(|used| !self.keys.allow(used.key, used.access)) {
            return Err(Denial::Key(denied.position));
        }
        if let Some(denied) = channels.find(|used| !self.channels.allow(used.channel, used.is_pattern)) {
            return Err(Denial::Channel(denied.position));
        }
        Ok(())
    }

    /// Its commands, as rules that can be read again.
    pub fn command_text(&self) -> Vec<u8> {
        self.commands.text()
    }

    /// Its keys, as rules that can be read again.
    pub fn key_text(&self) -> Vec<u8> {
        self.keys.texts().join(&b' ')
    }

    /// Its channels, as rules that can be read again.
    pub fn channel_text(&self) -> Vec<u8> {
        self.channels.texts().join(&b' ')
    }

    /// All of it, as rules that can be read again.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut words = self.keys.texts();
        if !self.channels.are_all {
            words.push(b"resetchannels".to_vec());
        }
        words.extend(self.channels.texts());
        words.push(self.commands.text());
        words.join(&b' ')
    }
}
