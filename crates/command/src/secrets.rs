//! Which words of a request nobody may read, wherever requests are shown or kept: `MONITOR` and `SLOWLOG`.

use crate::host::Host;
use crate::table::Command;
use crate::words::{Words, is};

/// The positions of words that are passwords, or say something of users, as Redis has it.
pub fn secret_words(command: &Command, words: Words<'_>, host: &dyn Host) -> Vec<usize> {
    let count = words.len();
    match command.full_name() {
        "auth" => (1..count).collect(),
        "hello" => {
            let option = words.from(0).enumerate().skip(2).find(|(_, word)| is(word, "auth"));
            option.map_or_else(Vec::new, |(index, _)| (index + 1..(index + 3).min(count)).collect())
        }
        "acl|setuser" | "acl|getuser" | "acl|deluser" | "acl|dryrun" => (2..count).collect(),
        "config|set" => {
            (3..count).step_by(2).filter(|value| host.is_secret_parameter(words.at(value - 1))).collect()
        }
        _ => Vec::new(),
    }
}
