//! All users.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::catalogue::Catalogue;
use crate::rule::{RuleError, has_blanks};
use crate::user::User;

/// The user that a client is before it has logged in as another.
pub const DEFAULT_USER: &[u8] = b"default";

/// How many users there may be.
const USERS_MAX: usize = 65_536;

/// Why rules were refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RulesError {
    /// The word opens a selector that nothing closes.
    Unmatched(Vec<u8>),
    /// A rule, and what is wrong with it.
    Rule(Vec<u8>, RuleError),
    /// The name is none.
    Name,
    /// There are as many users as there may be.
    TooMany,
}

impl fmt::Display for RulesError {
    /// In the words of `ACL SETUSER`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RulesError::Unmatched(word) => {
                let word = String::from_utf8_lossy(word);
                write!(formatter, "Unmatched parenthesis in acl selector starting at '{word}'.")
            }
            RulesError::Rule(rule, error) => {
                let rule = String::from_utf8_lossy(rule);
                write!(formatter, "Error in ACL SETUSER modifier '{rule}': {error}")
            }
            RulesError::Name => formatter.write_str("Usernames can't contain spaces or null characters"),
            RulesError::TooMany => write!(formatter, "there are {USERS_MAX} users, as many as there may be"),
        }
    }
}

/// All users, by name. One is always there: [`DEFAULT_USER`].
#[derive(Clone, Debug)]
pub struct Users {
    by_name: BTreeMap<Vec<u8>, Arc<User>>,
    last_id: u64,
}

impl Default for Users {
    /// The default user alone, who may do everything and needs no password.
    fn default() -> Self {
        let mut users = Users { by_name: BTreeMap::new(), last_id: 0 };
        users.put(User::unrestricted(DEFAULT_USER));
        users
    }
}

impl Users {
    /// The default user.
    pub fn default_user(&self) -> &Arc<User> {
        &self.by_name[DEFAULT_USER]
    }

    /// The user of that name.
    pub fn find(&self, name: &[u8]) -> Option<&Arc<User>> {
        self.by_name.get(name)
    }

    /// All users, by name.
    pub fn all(&self) -> impl ExactSizeIterator<Item = &Arc<User>> {
        self.by_name.values()
    }

    /// Takes rules for a user, which is made if there is none of that name: all of them, or none.
    ///
    /// # Errors
    /// The first that is wrong.
    pub fn set(&mut self, name: &[u8], rules: &[&[u8]], catalogue: &Catalogue) -> Result<(), RulesError> {
        if has_blanks(name) {
            return Err(RulesError::Name);
        }
        let known = self.find(name);
        if known.is_none() && self.by_name.len() >= USERS_MAX {
            return Err(RulesError::TooMany);
        }
        let mut user = known.map_or_else(|| User::new(name), |known| User::clone(known));
        user.set(rules, catalogue)?;
        self.put(user);
        Ok(())
    }

    /// Has the default user need this password and no other; none if it is empty.
    pub fn set_default_password(&mut self, password: &str) {
        let rule = if password.is_empty() { "nopass".to_owned() } else { format!(">{password}") };
        let mut user = User::clone(self.default_user());
        let catalogue = Catalogue::new(Vec::new());
        user.set(&[b"resetpass", rule.as_bytes()], &catalogue).expect("rules of passwords are always right");
        self.put(user);
    }

    /// Removes a user; false if there is none of that name. The default user stays.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        name != DEFAULT_USER && self.by_name.remove(name).is_some()
    }

    /// Puts others in the place of all. One of the same name is the same user, which has changed.
    pub fn replace(&mut self, others: Users) {
        let before = std::mem::take(&mut self.by_name);
        for user in others.by_name.into_values() {
            let id = before.get(user.name()).map_or(0, |known| known.id);
            self.put(Arc::unwrap_or_clone(user).with_id(id));
        }
    }

    fn put(&mut self, mut user: User) {
        if user.id == 0 {
            self.last_id += 1;
            user.id = self.last_id;
        }
        self.by_name.insert(user.name().to_vec(), Arc::new(user));
    }
}
