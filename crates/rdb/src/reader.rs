//! Bytes read from front to back, none twice and none beyond the end.

use crate::error::{RdbError, malformed};

/// What is left to read.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    /// Bytes that are left.
    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], RdbError> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return malformed("it announces more bytes than there are");
        };
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes, for `from_le_bytes` and its like.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], RdbError> {
        let Some((taken, rest)) = self.rest.split_first_chunk() else {
            return malformed("it ends in the middle of a number");
        };
        self.rest = rest;
        Ok(*taken)
    }

    /// The next byte.
    pub(crate) fn byte(&mut self) -> Result<u8, RdbError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Refuses what follows the end.
    pub(crate) fn end(&self) -> Result<(), RdbError> {
        if self.rest.is_empty() { Ok(()) } else { malformed("bytes follow its end") }
    }
}
