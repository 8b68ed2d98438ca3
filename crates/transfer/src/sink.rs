//! What hashes go to.

use crate::{Report, TransferError};

/// A hash on its way, without its fields.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// Its database.
    pub database: u64,
    /// Its name.
    pub key: Vec<u8>,
    /// When it expires, in Unix milliseconds.
    pub deadline: Option<i64>,
    /// Whether a field may come twice, since it was read in pieces.
    pub may_repeat: bool,
}

/// Takes hashes, one after the other: `begin`, each field, `end`. It counts what it has taken.
pub trait Sink {
    /// A hash begins.
    fn begin(&mut self, head: Head) -> Result<(), TransferError>;

    /// A field of the hash that has begun.
    fn field(&mut self, field: &[u8], value: &[u8], report: &mut Report) -> Result<(), TransferError>;

    /// The hash is whole. One without fields is none.
    fn end(&mut self, report: &mut Report) -> Result<(), TransferError>;

    /// Brings what has ended to where it goes to.
    fn flush(&mut self, report: &mut Report) -> Result<(), TransferError>;
}

/// Takes everything and keeps nothing: for a dry run.
#[derive(Default)]
pub(crate) struct Discard {
    fields: u64,
}

impl Sink for Discard {
    fn begin(&mut self, _: Head) -> Result<(), TransferError> {
        self.fields = 0;
        Ok(())
    }

    fn field(&mut self, _: &[u8], _: &[u8], _: &mut Report) -> Result<(), TransferError> {
        self.fields += 1;
        Ok(())
    }

    fn end(&mut self, report: &mut Report) -> Result<(), TransferError> {
        if self.fields > 0 {
            report.taken(self.fields);
        } else {
            report.expired += 1;
        }
        Ok(())
    }

    fn flush(&mut self, _: &mut Report) -> Result<(), TransferError> {
        Ok(())
    }
}
