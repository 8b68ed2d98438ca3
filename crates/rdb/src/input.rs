//! Where the decoders of lengths, strings and hashes take their bytes from: a slice, or a file read piece by piece.

use std::borrow::Cow;

use crate::error::RdbError;
use crate::reader::Reader;

/// Bytes from front to back, none twice and none beyond the end.
pub(crate) trait Input<'a> {
    /// The next `N` bytes, for `from_le_bytes` and its like.
    fn read_array<const N: usize>(&mut self) -> Result<[u8; N], RdbError>;

    /// The next `count` bytes. What is allocated grows with what is there, not with `count`.
    fn read_bytes(&mut self, count: u64) -> Result<Cow<'a, [u8]>, RdbError>;

    /// The next byte.
    fn read_byte(&mut self) -> Result<u8, RdbError> {
        self.read_array::<1>().map(|[byte]| byte)
    }
}

impl<'a> Input<'a> for Reader<'a> {
    fn read_array<const N: usize>(&mut self) -> Result<[u8; N], RdbError> {
        self.array()
    }

    fn read_bytes(&mut self, count: u64) -> Result<Cow<'a, [u8]>, RdbError> {
        // What does not fit into memory is more than there is.
        self.take(usize::try_from(count).unwrap_or(usize::MAX)).map(Cow::Borrowed)
    }
}
