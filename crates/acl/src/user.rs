//! A user.

use crate::catalogue::Catalogue;
use crate::check::{ChannelUse, Denial, KeyUse, Request};
use crate::password::Password;
use crate::rule::{RuleError, join_selectors};
use crate::selector::Selector;
use crate::users::RulesError;

/// A user: how one logs in as it, and what it may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// The same as long as a user of this name is not removed.
    pub(crate) id: u64,
    name: Vec<u8>,
    is_on: bool,
    needs_no_password: bool,
    passwords: Vec<Password>,
    skips_sanitizing: bool,
    /// The root selector.
    root: Selector,
    selectors: Vec<Selector>,
    is_unrestricted: bool,
}

impl User {
    /// A user who may do nothing and not log in.
    pub fn new(name: &[u8]) -> Self {
        User {
            id: 0,
            name: name.to_vec(),
            is_on: false,
            needs_no_password: false,
            passwords: Vec::new(),
            skips_sanitizing: false,
            root: Selector::default(),
            selectors: Vec::new(),
            is_unrestricted: false,
        }
    }

    /// A user who may do everything and needs no password.
    pub fn unrestricted(name: &[u8]) -> Self {
        let mut user = User::new(name);
        (user.is_on, user.needs_no_password, user.is_unrestricted) = (true, true, true);
        user.root.commands.reset(true);
        user.root.keys.reset(true);
        user.root.channels.reset(true);
        user
    }

    /// The same with another number.
    pub(crate) fn with_id(self, id: u64) -> Self {
        User { id, ..self }
    }

    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Whether it may do everything, so that no request has to be looked at.
    #[inline]
    pub fn is_unrestricted(&self) -> bool {
        self.is_unrestricted
    }

    /// Whether one can log in as it.
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether every password is right.
    pub fn needs_no_password(&self) -> bool {
        self.needs_no_password
    }

    /// Whether one is this user without logging in, if it is the default user.
    pub fn is_open(&self) -> bool {
        self.is_on && self.needs_no_password
    }

    /// Whether one can log in as it with this password.
    pub fn accepts(&self, password: &[u8]) -> bool {
        self.is_on && (self.needs_no_password || Password::is_among(&self.passwords, password))
    }

    /// Whether both are the same user, which may have changed in between.
    pub fn is_same(&self, other: &User) -> bool {
        self.id == other.id
    }

    /// Takes rules, one a word; a selector may be spread over several words.
    ///
    /// # Errors
    /// The first rule that is wrong; those before it have been taken.
    pub fn set(&mut self, rules: &[&[u8]], catalogue: &Catalogue) -> Result<(), RulesError> {
        let rules = join_selectors(rules).map_err(|word| RulesError::Unmatched(word.to_vec()))?;
        for rule in rules {
            self.set_one(&rule, catalogue).map_err(|error| RulesError::Rule(rule, error))?;
        }
        Ok(())
    }

    fn set_one(&mut self, rule: &[u8], catalogue: &Catalogue) -> Result<(), RuleError> {
        match &rule.to_ascii_lowercase()[..] {
            b"" => {}
            b"on" => self.is_on = true,
            b"off" => self.is_on = false,
            b"nopass" => self.forget_passwords(true),
            b"resetpass" => self.forget_passwords(false),
            b"sanitize-payload" => self.skips_sanitizing = false,
            b"skip-sanitize-payload" => self.skips_sanitizing = true,
            b"clearselectors" => self.selectors.clear(),
            b"reset" => *self = User { id: self.id, ..User::new(&self.name) },
            [b'>', ..] => self.add_password(Password::of(&rule[1..])),
            [b'#', ..] => self.add_password(Password::parse(&rule[1..])?),
            [b'<', ..] => self.remove_password(Password::of(&rule[1..]))?,
            [b'!', ..] => self.remove_password(Password::parse(&rule[1..])?)?,
            [b'(', .., b')'] => self.selectors.push(Selector::parse(&rule[1..rule.len() - 1], catalogue)?),
            _ => self.root.set(rule, catalogue)?,
        }
        let is_unrestricted = self.selectors().any(Selector::is_unrestricted);
        self.is_unrestricted = is_unrestricted;
        Ok(())
    }

    fn forget_passwords(&mut self, needs_none: bool) {
        self.needs_no_password = needs_none;
        self.passwords.clear();
    }

    fn add_password(&mut self, password: Password) {
        self.needs_no_password = false;
        if !self.passwords.contains(&password) {
            self.passwords.push(password);
        }
    }

    fn remove_password(&mut self, password: Password) -> Result<(), RuleError> {
        let place = self.passwords.iter().position(|known| *known == password);
        self.passwords.remove(place.ok_or(RuleError::NoSuchPassword)?);
        Ok(())
    }

    /// Whether it may make a request, or what is denied. Of several selectors the one that comes closest to allowing
    /// the request says what.
    ///
    /// # Errors
    /// What is denied.
    pub fn check<'a, K, C>(&self, request: &Request<'a, K, C>, catalogue: &Catalogue) -> Result<(), Denial>
    where
        K: Iterator<Item = KeyUse<'a>> + Clone,
        C: Iterator<Item = ChannelUse<'a>> + Clone,
    {
        let mut denied = Denial::Command;
        for selector in self.selectors() {
            match selector.check(request.clone(), catalogue) {
                Ok(()) => return Ok(()),
                Err(denial) => denied = denied.max(denial),
            }
        }
        Err(denied)
    }

    /// Whether it may listen to a channel, or to a pattern of channels.
    pub fn allows_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        self.selectors().any(|selector| selector.channels.allow(channel, is_pattern))
    }

    /// Whether it has all the channels that it had before. Patterns are compared letter by letter, as Redis does.
    pub fn has_channels_of(&self, before: &User) -> bool {
        let has_all = |user: &User| user.selectors().any(|selector| selector.channels.are_all);
        let mut patterns = before.selectors().flat_map(|selector| selector.channels.patterns());
        let has = |pattern: &Vec<u8>| {
            self.selectors().any(|selector| selector.channels.patterns().contains(pattern))
        };
        has_all(self) || (!has_all(before) && patterns.all(has))
    }

    /// The names of its flags, in Redis' order.
    pub fn flags(&self) -> Vec<&'static str> {
        let flags = [
            (if self.is_on { "on" } else { "off" }, true),
            ("nopass", self.needs_no_password),
            ("skip-sanitize-payload", self.skips_sanitizing),
            ("sanitize-payload", !self.skips_sanitizing),
        ];
        flags.into_iter().filter(|(_, holds)| *holds).map(|(name, _)| name).collect()
    }

    /// The hashes of its passwords, as hexadecimal digits.
    pub fn password_hashes(&self) -> impl ExactSizeIterator<Item = String> {
        self.passwords.iter().map(|password| password.digits())
    }

    /// Its root selector.
    pub fn root(&self) -> &Selector {
        &self.root
    }

    /// Its other selectors.
    pub fn other_selectors(&self) -> &[Selector] {
        &self.selectors
    }

    fn selectors(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.root).chain(&self.selectors)
    }

    /// Its rules, in the one form that `ACL LIST` and the ACL file have.
    pub fn rules(&self) -> Vec<u8> {
        let mut words: Vec<Vec<u8>> = self.flags().into_iter().map(|flag| flag.as_bytes().to_vec()).collect();
        words.extend(self.password_hashes().map(|hash| format!("#{hash}").into_bytes()));
        words.push(self.root.text());
        words.extend(self.selectors.iter().map(|selector| [b"(", &selector.text()[..], b")"].concat()));
        words.join(&b' ')
    }

    /// `user name rules`.
    pub fn line(&self) -> Vec<u8> {
        [b"user ", &self.name[..], b" ", &self.rules()[..]].concat()
    }
}
