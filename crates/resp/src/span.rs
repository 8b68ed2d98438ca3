//! A place in a burst.

/// Where a word lies in the burst it came with, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Number of bytes.
    pub length: u32,
}

impl Span {
    /// The bytes of the word. `bytes` must be the buffer or burst the span was found in; a shorter one
    /// is a mistake of the caller and panics.
    #[inline]
    pub fn of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.start as usize..self.start as usize + self.length as usize]
    }
}
