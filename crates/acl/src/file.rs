//! The ACL file: a line `user name rules` for each user, as Redis reads and writes it.

use std::collections::HashSet;
use std::fmt;

use crate::catalogue::Catalogue;
use crate::password::hidden;
use crate::rule::RuleError;
use crate::users::{RulesError, Users};

/// What is wrong with a line of the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileMistake {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong. No password is in it.
    pub problem: String,
}

impl fmt::Display for FileMistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.line, self.problem)
    }
}

/// Reads the file. `users` are those that are there without it; a line about one of them begins it anew. A line
/// without a word is skipped; there are no comments.
///
/// # Errors
/// Every line that is wrong.
pub fn read_file(text: &[u8], users: Users, catalogue: &Catalogue) -> Result<Users, Vec<FileMistake>> {
    let (mut users, mut seen, mut mistakes) = (users, HashSet::new(), Vec::new());
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let words: Vec<_> = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
        if words.is_empty() {
            continue;
        }
        if let Err(problem) = read_line(&words, &mut users, &mut seen, catalogue) {
            mistakes.push(FileMistake { line: index + 1, problem });
        }
    }
    if mistakes.is_empty() { Ok(users) } else { Err(mistakes) }
}

fn read_line<'a>(
    words: &[&'a [u8]],
    users: &mut Users,
    seen: &mut HashSet<&'a [u8]>,
    catalogue: &Catalogue,
) -> Result<(), String> {
    let [b"user", name, rules @ ..] = words else {
        return Err("should start with user keyword followed by the username".to_owned());
    };
    if !seen.insert(name) {
        return Err(format!("Duplicate user '{}' found", String::from_utf8_lossy(name)));
    }
    let mut all = vec![&b"reset"[..]];
    all.extend(rules);
    users.set(name, &all, catalogue).map_err(|error| problem(&error))
}

/// What is wrong, without the rule if it may hold a password.
pub(crate) fn problem(error: &RulesError) -> String {
    match error {
        RulesError::Rule(rule, error @ RuleError::Unknown) if !hidden(rule) => {
            format!("Error in applying operation '{}': {error}", String::from_utf8_lossy(rule))
        }
        RulesError::Rule(_, error) => error.to_string(),
        RulesError::Unmatched(_) => "Unmatched parenthesis in selector definition".to_owned(),
        other => other.to_string(),
    }
}

/// The text of the file.
pub fn write_file(users: &Users) -> Vec<u8> {
    users.all().flat_map(|user| [&user.line()[..], b"\n"].concat()).collect()
}
