//! Zipmaps: small hashes up to Redis 2.4.
//!
//! ```text
//! ┌────────┬──────────────┬───────┬──────────────┬──────┬───────┬────────┬───┬──────┐
//! │ fields │ field length │ field │ value length │ free │ value │ unused │ … │ 0xff │
//! └────────┴──────────────┴───────┴──────────────┴──────┴───────┴────────┴───┴──────┘
//!   1 byte   1 byte, or 0xfe and 4 little-endian   1 byte         `free` bytes
//! ```
//!
//! The count of fields is 254 where there are more than it holds.

use crate::error::{RdbError, malformed};
use crate::reader::Reader;

const END: u8 = 0xff;
const LONG: u8 = 0xfe;

/// A field with its value.
type Field<'a> = (&'a [u8], &'a [u8]);

/// Walks the fields of a zipmap; the first error is the last.
pub(crate) struct Zipmap<'a> {
    reader: Reader<'a>,
    announced: u8,
    seen: usize,
}

impl<'a> Zipmap<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, RdbError> {
        let mut reader = Reader::new(bytes);
        let announced = reader.byte()?;
        Ok(Zipmap { reader, announced, seen: 0 })
    }

    fn step(&mut self) -> Result<Option<Field<'a>>, RdbError> {
        let first = self.reader.byte()?;
        if first == END {
            self.reader.end()?;
            if self.announced < LONG && usize::from(self.announced) != self.seen {
                return malformed("a zipmap announces another count than it has");
            }
            return Ok(None);
        }
        let length = self.length(first)?;
        let field = self.reader.take(length)?;
        let first = self.reader.byte()?;
        let length = self.length(first)?;
        let unused = self.reader.byte()?;
        let value = self.reader.take(length)?;
        self.reader.take(unused.into())?;
        self.seen += 1;
        Ok(Some((field, value)))
    }

    fn length(&mut self, first: u8) -> Result<usize, RdbError> {
        match first {
            END => malformed("a zipmap ends in the middle of a field"),
            LONG => Ok(u32::from_le_bytes(self.reader.array()?) as usize),
            short => Ok(short.into()),
        }
    }
}

impl<'a> Iterator for Zipmap<'a> {
    type Item = Result<Field<'a>, RdbError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}
