//! What can be wrong with a rule, and how rules stand in the words of a request or a line.

use std::fmt;

/// Why a rule was refused, in Redis' words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleError {
    /// No command or category has that name.
    Unknown,
    /// It is no rule, or not a whole one.
    Syntax,
    /// A pattern of keys where all keys are allowed.
    AllKeys,
    /// A pattern of channels where all channels are allowed.
    AllChannels,
    /// A password to remove that is not there.
    NoSuchPassword,
    /// A hash that is none.
    BadHash,
    /// A first argument of a subcommand.
    FirstArgument,
}

impl fmt::Display for RuleError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            RuleError::Unknown => "Unknown command or category name in ACL",
            RuleError::Syntax => "Syntax error",
            RuleError::AllKeys => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any \
                 effect. Try 'resetkeys' to start with an empty list of patterns"
            }
            RuleError::AllChannels => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any \
                 effect. Try 'resetchannels' to start with an empty list of channels"
            }
            RuleError::NoSuchPassword => "The password you are trying to remove from the user does not exist",
            RuleError::BadHash => {
                "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
            }
            RuleError::FirstArgument => "Allowing first-arg of a subcommand is not supported",
        })
    }
}

/// Joins the words of selectors, which may be spread over several, to one word each. The error is the word that opens
/// a selector which nothing closes.
pub(crate) fn join_selectors<'a>(words: &[&'a [u8]]) -> Result<Vec<Vec<u8>>, &'a [u8]> {
    let mut joined: Vec<Vec<u8>> = Vec::new();
    let mut opened: Option<&[u8]> = None;
    for word in words {
        match opened {
            Some(_) => {
                let selector = joined.last_mut().expect("the selector that was opened");
                selector.push(b' ');
                selector.extend_from_slice(word);
            }
            None => {
                joined.push(word.to_vec());
                opened = word.starts_with(b"(").then_some(word);
            }
        }
        if word.ends_with(b")") {
            opened = None;
        }
    }
    opened.map_or(Ok(joined), Err)
}

/// Whether Redis would take the text for several words.
pub(crate) fn has_blanks(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, b'\t'..=b'\r' | b' ' | 0))
}
