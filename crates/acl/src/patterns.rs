//! Which keys and which channels.

use crate::check::KeyAccess;
use crate::glob;
use crate::rule::{RuleError, has_blanks};

/// The keys that a selector allows.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct KeyRules {
    /// Whatever is done to whatever key.
    pub(crate) are_all: bool,
    patterns: Vec<(Vec<u8>, KeyAccess)>,
}

impl KeyRules {
    /// Forbids all keys, or allows all.
    pub(crate) fn reset(&mut self, are_all: bool) {
        *self = KeyRules { are_all, patterns: Vec::new() };
    }

    /// Takes a rule: `~pattern`, `%R~pattern`, `%W~pattern`, `%RW~pattern`.
    pub(crate) fn set(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        if self.are_all {
            return Err(RuleError::AllKeys);
        }
        let (pattern, access) = match rule {
            [b'~', pattern @ ..] => (pattern, KeyAccess::BOTH),
            [b'%', rest @ ..] => parse_access(rest)?,
            _ => return Err(RuleError::Syntax),
        };
        if has_blanks(pattern) {
            return Err(RuleError::Syntax);
        }
        match self.patterns.iter_mut().find(|(known, _)| known == pattern) {
            Some((_, known)) => *known = known.and(access),
            None => self.patterns.push((pattern.to_vec(), access)),
        }
        Ok(())
    }

    /// Whether that may be done to a key.
    pub(crate) fn allow(&self, key: &[u8], access: KeyAccess) -> bool {
        let allows =
            |(pattern, allowed): &(Vec<u8>, KeyAccess)| allowed.has(access) && glob::matches(pattern, key);
        self.are_all || self.patterns.iter().any(allows)
    }

    /// The rules, as they can be read again.
    pub(crate) fn texts(&self) -> Vec<Vec<u8>> {
        if self.are_all {
            return vec![b"~*".to_vec()];
        }
        let sign = |access: KeyAccess| match (access.has(KeyAccess::READ), access.has(KeyAccess::WRITE)) {
            (true, false) => "%R~",
            (false, true) => "%W~",
            _ => "~",
        };
        let text = |(pattern, access): &(Vec<u8>, KeyAccess)| [sign(*access).as_bytes(), pattern].concat();
        self.patterns.iter().map(text).collect()
    }
}

/// Reads `RW~pattern`.
fn parse_access(rule: &[u8]) -> Result<(&[u8], KeyAccess), RuleError> {
    let end = rule.iter().position(|byte| *byte == b'~').ok_or(RuleError::Syntax)?;
    let mut access = KeyAccess::NONE;
    for letter in &rule[..end] {
        let one = match letter.to_ascii_uppercase() {
            b'R' => KeyAccess::READ,
            b'W' => KeyAccess::WRITE,
            _ => return Err(RuleError::Syntax),
        };
        if access.has(one) {
            return Err(RuleError::Syntax);
        }
        access = access.and(one);
    }
    if access == KeyAccess::NONE { Err(RuleError::Syntax) } else { Ok((&rule[end + 1..], access)) }
}

/// The channels that a selector allows.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct ChannelRules {
    /// Every channel.
    pub(crate) are_all: bool,
    patterns: Vec<Vec<u8>>,
}

impl ChannelRules {
    /// Forbids all channels, or allows all.
    pub(crate) fn reset(&mut self, are_all: bool) {
        *self = ChannelRules { are_all, patterns: Vec::new() };
    }

    /// Adds a pattern.
    pub(crate) fn add(&mut self, pattern: &[u8]) -> Result<(), RuleError> {
        if self.are_all {
            return Err(RuleError::AllChannels);
        }
        if has_blanks(pattern) {
            return Err(RuleError::Syntax);
        }
        if !self.patterns.iter().any(|known| known == pattern) {
            self.patterns.push(pattern.to_vec());
        }
        Ok(())
    }

    /// Whether a channel is allowed; a pattern of channels only if it stands here letter by letter.
    pub(crate) fn allow(&self, channel: &[u8], is_pattern: bool) -> bool {
        self.are_all
            || self.patterns.iter().any(|pattern| match is_pattern {
                true => pattern == channel,
                false => glob::matches(pattern, channel),
            })
    }

    /// The patterns.
    pub(crate) fn patterns(&self) -> &[Vec<u8>] {
        &self.patterns
    }

    /// The rules, as they can be read again.
    pub(crate) fn texts(&self) -> Vec<Vec<u8>> {
        match self.are_all {
            true => vec![b"&*".to_vec()],
            false => self.patterns.iter().map(|pattern| [b"&", &pattern[..]].concat()).collect(),
        }
    }
}
