//! What is wrong with a configuration, in one line. The texts are made where the mistake is found: `directive.rs`
//! for values, `file.rs` and `load.rs` for names, `check.rs` for settings that contradict each other.

use std::fmt;
use std::path::PathBuf;

/// A configuration that cannot be used. `Display` is one line that names the place, the key, what is wrong and
/// what is allowed; the operator corrects that place and starts again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where the mistake stands.
    pub place: Place,
    /// `section.key`, `[section]` or empty where the place says it all.
    pub key: String,
    /// What is wrong and what is allowed.
    pub problem: String,
}

/// Where a setting, or a mistake, comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A configuration file.
    File {
        /// As it was named by the operator.
        path: PathBuf,
        /// Counted from 1; `None` when the file as a whole is meant.
        line: Option<usize>,
    },
    /// The environment variable of this name.
    Environment(String),
    /// The command line flag of this name without the dashes, or `section.key` for a directive without flag.
    Flag(String),
    /// The built-in defaults.
    Defaults,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(formatter, "{}: ", self.key)?;
        }
        // Texts from other crates may have several lines.
        formatter.write_str(&self.problem.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line: Some(line) } => write!(formatter, "{}:{line}", path.display()),
            Self::File { path, line: None } => write!(formatter, "{}", path.display()),
            Self::Environment(name) => write!(formatter, "environment {name}"),
            Self::Flag(name) if name.contains('.') => write!(formatter, "override {name}"),
            Self::Flag(name) => write!(formatter, "flag --{name}"),
            Self::Defaults => formatter.write_str("defaults"),
        }
    }
}

impl std::error::Error for ConfigError {}
