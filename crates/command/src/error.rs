//! The errors a command can answer, with Redis' texts.
//!
//! A command returns an error instead of writing a reply; whoever ran it writes the text. Nothing has changed
//! when an error is returned.

use std::borrow::Cow;

/// What a command's function returns: its reply is written, or this error is.
pub type Outcome = Result<(), CommandError>;

/// Why a command was refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CommandError {
    /// Too few or too many words.
    WrongArity,
    /// An option that does not exist, or not here.
    Syntax,
    /// A word that should be an integer.
    NotAnInteger,
    /// A word that should be a floating-point number.
    NotAFloat,
    /// A time that is not positive where it must be, or past what 64 bits of milliseconds hold.
    InvalidExpireTime,
    /// A key that must exist does not.
    NoSuchKey,
    /// A value of another type; here: a string command on a hash.
    WrongType,
    /// A cursor that is none.
    InvalidCursor,
    /// A `SELECT`, `MOVE`, `COPY` or `SWAPDB` beyond the configured databases.
    DatabaseOutOfRange,
    /// Any other text, with its code (`ERR …`).
    Text(Cow<'static, str>),
}

impl CommandError {
    /// An error with a fixed text; the text carries its code (`ERR …`).
    pub const fn fixed(text: &'static str) -> Self {
        CommandError::Text(Cow::Borrowed(text))
    }

    /// An error whose text names what the client sent; the text carries its code (`ERR …`).
    pub fn text(text: impl Into<String>) -> Self {
        CommandError::Text(Cow::Owned(text.into()))
    }

    /// The line a client reads. `name` is the command's (`hset`, `config|get`).
    pub fn line(&self, name: &str) -> Cow<'static, str> {
        let fixed = match self {
            CommandError::WrongArity => return wrong_arity(name).into(),
            CommandError::InvalidExpireTime => {
                return format!("ERR invalid expire time in '{name}' command").into();
            }
            CommandError::Text(text) => return text.clone(),
            CommandError::Syntax => "ERR syntax error",
            CommandError::NotAnInteger => "ERR value is not an integer or out of range",
            CommandError::NotAFloat => "ERR value is not a valid float",
            CommandError::NoSuchKey => "ERR no such key",
            CommandError::WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value",
            CommandError::InvalidCursor => "ERR invalid cursor",
            CommandError::DatabaseOutOfRange => "ERR DB index is out of range",
        };
        fixed.into()
    }
}

fn wrong_arity(name: &str) -> String {
    format!("ERR wrong number of arguments for '{name}' command")
}

/// Bytes of an unknown name, and of all quoted arguments together, that an error repeats, as in Redis.
pub const QUOTED_BYTES_MAX: usize = 128;

/// `ERR unknown command 'X', with args beginning with: 'a' 'b' `: repeats at most 128 bytes of each part.
pub fn unknown_command<'a>(name: &[u8], arguments: impl Iterator<Item = &'a [u8]>) -> CommandError {
    let mut quoted = String::new();
    for argument in arguments {
        if quoted.len() >= QUOTED_BYTES_MAX {
            break;
        }
        let room = QUOTED_BYTES_MAX - quoted.len();
        quoted.push_str(&format!("'{}' ", shown(argument, room)));
    }
    CommandError::text(format!(
        "ERR unknown command '{}', with args beginning with: {quoted}",
        shown(name, QUOTED_BYTES_MAX)
    ))
}

/// `ERR unknown subcommand 'X'. Try CLIENT HELP.`
pub fn unknown_subcommand(container: &str, word: &[u8]) -> CommandError {
    CommandError::text(format!(
        "ERR unknown subcommand '{}'. Try {} HELP.",
        shown(word, QUOTED_BYTES_MAX),
        container.to_ascii_uppercase()
    ))
}

/// The first `bytes_max` bytes of a client's word, as text; it ends at a zero byte, as in Redis.
pub fn shown(word: &[u8], bytes_max: usize) -> Cow<'_, str> {
    let word = &word[..word.len().min(bytes_max)];
    let end = word.iter().position(|&byte| byte == 0).unwrap_or(word.len());
    String::from_utf8_lossy(&word[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_commands_are_quoted_as_redis_does() {
        let error = unknown_command(b"foo", [&b"a"[..], b"b"].into_iter());
        assert_eq!(error.line(""), "ERR unknown command 'foo', with args beginning with: 'a' 'b' ");
        let long = vec![b'x'; 300];
        let error = unknown_command(b"foo", [&long[..], b"b"].into_iter());
        assert_eq!(
            error.line(""),
            format!("ERR unknown command 'foo', with args beginning with: '{}' ", "x".repeat(128))
        );
        let error = unknown_command(b"f\0o", [&b"\0a"[..], b"b\0"].into_iter());
        assert_eq!(error.line(""), "ERR unknown command 'f', with args beginning with: '' 'b' ");
    }
}
