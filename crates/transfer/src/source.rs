//! What hashes come from.

use mayfly_command::glob;

use crate::sink::Sink;
use crate::{Report, TransferError};

/// Hands over hashes in rounds.
pub trait Source {
    /// Hands over some hashes, and says whether there are more.
    fn round(&mut self, sink: &mut dyn Sink, report: &mut Report) -> Result<bool, TransferError>;

    /// How far it is.
    fn progressed(&self) -> Progressed;
}

/// How much of a source has been read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progressed {
    /// What has been read.
    pub done: u64,
    /// What there is, about.
    pub total: u64,
    /// Whether that is bytes, else keys.
    pub is_bytes: bool,
}

/// Which keys are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those of these databases.
    pub databases: Option<Vec<u64>>,
    /// Only those whose name matches this pattern, as in `KEYS`.
    pub pattern: Option<String>,
}

impl Filter {
    /// Whether a key is wanted.
    pub(crate) fn admits(&self, database: u64, key: &[u8]) -> bool {
        self.admits_database(database)
            && self.pattern.as_ref().is_none_or(|pattern| glob::matches(pattern.as_bytes(), key))
    }

    /// Whether keys of a database are wanted.
    pub(crate) fn admits_database(&self, database: u64) -> bool {
        self.databases.as_ref().is_none_or(|databases| databases.contains(&database))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_admits_what_it_names() {
        assert!(Filter::default().admits(7, b"anything"));
        let filter = Filter { databases: Some(vec![0, 2]), pattern: Some("session:*".into()) };
        assert!(filter.admits(2, b"session:1"));
        assert!(!filter.admits(1, b"session:1"));
        assert!(!filter.admits(0, b"user:1"));
    }
}
