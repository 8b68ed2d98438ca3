//! Ziplists: small hashes up to Redis 6.2, `field value field value …`.
//!
//! ```text
//! ┌──────────────┬───────────────────┬───────┬─────────────────────────────────┬──────┐
//! │ bytes in all │ offset of the last│ items │ length of the one before, form, │ 0xff │
//! └──────────────┴───────────────────┴───────┴─────────────────── content ─────┴──────┘
//!   4 bytes        4 bytes             2 bytes
//!
//! 00llllll                     string, length of 6 bits          1100 0000   integer of 16 bits
//! 01llllll llllllll            string, length of 14 bits         1101 0000   integer of 32 bits
//! 10000000 and 4 bytes         string, length of 32 bits         1110 0000   integer of 64 bits
//!                                                                1111 0000   integer of 24 bits
//!                                                                1111 1110   integer of 8 bits
//!                                                                1111 nnnn   the integer n - 1, 1 ≤ n ≤ 13
//! ```
//!
//! Lengths in a form are big-endian, everything else little-endian. The length of the item before is one byte, or
//! 0xfe and four. The count of items is 65535 where there are more than it holds.

use crate::error::{RdbError, malformed};
use crate::item::{Item, integer_24};
use crate::reader::Reader;

const END: u8 = 0xff;
const LONG_LENGTH: u8 = 0xfe;
const COUNT_UNKNOWN: u16 = u16::MAX;

/// Walks the items of a ziplist; the first error is the last item.
pub(crate) struct Ziplist<'a> {
    reader: Reader<'a>,
    announced: u16,
    seen: usize,
    /// Bytes of the item before.
    before: usize,
}

impl<'a> Ziplist<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, RdbError> {
        let mut reader = Reader::new(bytes);
        let length = u32::from_le_bytes(reader.array()?);
        // Where the last item begins is of use only for walking backwards.
        let _last = u32::from_le_bytes(reader.array()?);
        let announced = u16::from_le_bytes(reader.array()?);
        if length as usize != bytes.len() {
            return malformed("a ziplist announces another length than it has");
        }
        Ok(Ziplist { reader, announced, seen: 0, before: 0 })
    }

    fn step(&mut self) -> Result<Option<Item<'a>>, RdbError> {
        let start = self.reader.remaining();
        let before = match self.reader.byte()? {
            END => {
                self.reader.end()?;
                if self.announced != COUNT_UNKNOWN && usize::from(self.announced) != self.seen {
                    return malformed("a ziplist announces another count than it has");
                }
                return Ok(None);
            }
            LONG_LENGTH => u32::from_le_bytes(self.reader.array()?) as usize,
            short => short.into(),
        };
        if before != self.before {
            return malformed("the length before an item of a ziplist is wrong");
        }
        let item = self.item()?;
        self.before = start - self.reader.remaining();
        self.seen += 1;
        Ok(Some(item))
    }

    fn item(&mut self) -> Result<Item<'a>, RdbError> {
        let reader = &mut self.reader;
        let form = reader.byte()?;
        let integer = match form {
            0x00..=0x3f => return reader.take(form.into()).map(Item::Bytes),
            0x40..=0x7f => {
                let length = u16::from_be_bytes([form & 0x3f, reader.byte()?]);
                return reader.take(length.into()).map(Item::Bytes);
            }
            0x80 => {
                let length = u32::from_be_bytes(reader.array()?);
                return reader.take(length as usize).map(Item::Bytes);
            }
            0xc0 => i16::from_le_bytes(reader.array()?).into(),
            0xd0 => i32::from_le_bytes(reader.array()?).into(),
            0xe0 => i64::from_le_bytes(reader.array()?),
            0xf0 => integer_24(reader.array()?),
            0xfe => i8::from_le_bytes(reader.array()?).into(),
            0xf1..=0xfd => i64::from(form & 0x0f) - 1,
            _ => return malformed("an item of a ziplist has an unknown form"),
        };
        Ok(Item::Integer(integer))
    }
}

impl<'a> Iterator for Ziplist<'a> {
    type Item = Result<Item<'a>, RdbError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}
