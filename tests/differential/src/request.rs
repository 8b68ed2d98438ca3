//! One request: its words, how they are sent, how they are shown.

use std::fmt;

/// The words of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// All words, the name first.
    pub words: Vec<Vec<u8>>,
    /// Sent as a line of words, as if typed by hand.
    pub is_inline: bool,
}

impl Request {
    /// A request as an array of its words.
    pub fn new(words: Vec<Vec<u8>>) -> Self {
        Request { words, is_inline: false }
    }

    /// The words of a line, separated by blanks.
    pub fn line(line: &str) -> Self {
        Request::new(line.split(' ').map(|word| word.as_bytes().to_vec()).collect())
    }

    /// Whether its name is `name`, whatever the case.
    pub fn is(&self, name: &str) -> bool {
        self.words.first().is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// Its first word in small letters, with the second one for those that have subcommands: `client|id`.
    pub fn full_name(&self) -> String {
        let lower = |word: &Vec<u8>| String::from_utf8_lossy(word).to_ascii_lowercase();
        let name = self.words.first().map(lower).unwrap_or_default();
        let has_subcommands = mayfly_command::Table::get()
            .find(name.as_bytes())
            .is_some_and(|command| !command.spec.subcommands().is_empty());
        match self.words.get(1) {
            Some(word) if has_subcommands => format!("{name}|{}", lower(word)),
            _ => name,
        }
    }

    /// Whether its words may also stand in a line.
    pub fn fits_a_line(&self) -> bool {
        let is_plain = |word: &Vec<u8>| {
            !word.is_empty() && word.iter().all(|&byte| byte.is_ascii_graphic() && !b"\"'\\".contains(&byte))
        };
        // A line that begins with a star would be an array.
        self.words.iter().all(is_plain)
            && self.words.iter().map(Vec::len).sum::<usize>() < 1_000
            && self.words.first().is_some_and(|name| name[0].is_ascii_alphabetic())
    }

    /// Appends what is sent.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        if self.is_inline {
            bytes.extend_from_slice(&self.words.join(&b' '));
            return bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(format!("*{}\r\n", self.words.len()).as_bytes());
        for word in &self.words {
            bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            bytes.extend_from_slice(word);
            bytes.extend_from_slice(b"\r\n");
        }
    }
}

/// As one would type it into redis-cli; long words are cut.
impl fmt::Display for Request {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_BYTES_MAX: usize = 120;
        for (at, word) in self.words.iter().enumerate() {
            if at > 0 {
                out.write_str(" ")?;
            }
            let shown = &word[..word.len().min(SHOWN_BYTES_MAX)];
            match !word.is_empty() && shown.iter().all(u8::is_ascii_graphic) {
                true => write!(out, "{}", shown.escape_ascii())?,
                false => write!(out, "\"{}\"", shown.escape_ascii())?,
            }
            if shown.len() < word.len() {
                write!(out, "…({} bytes)", word.len())?;
            }
        }
        Ok(())
    }
}
