//! Listpacks: small hashes since Redis 7.0, `field value field value …`.
//!
//! ```text
//! ┌─────────────┬───────┬───────────────────────────┬──────┐
//! │ bytes in all│ items │ form, content, own length │ 0xff │      4 bytes, 2 bytes, items, 1 byte
//! └─────────────┴───────┴───────────────────────────┴──────┘
//!
//! 0aaaaaaa                     integer of 7 bits, unsigned       1111 0000   string, length in 4 bytes
//! 10llllll                     string, length of 6 bits          1111 0001   integer of 16 bits
//! 110aaaaa aaaaaaaa            integer of 13 bits                1111 0010   integer of 24 bits
//! 1110llll llllllll            string, length of 12 bits         1111 0011   integer of 32 bits
//!                                                                1111 0100   integer of 64 bits
//! ```
//!
//! An item's own length (form and content, for walking backwards) stands behind it in 7-bit groups, the highest
//! first, all but the first with the top bit set. The count of items is 65535 where there are more than it holds.

use crate::error::{RdbError, malformed};
use crate::item::{Item, integer_24};
use crate::reader::Reader;

const END: u8 = 0xff;
const COUNT_UNKNOWN: u16 = u16::MAX;

/// Walks the items of a listpack; the first error is the last item.
pub(crate) struct Listpack<'a> {
    reader: Reader<'a>,
    announced: u16,
    seen: usize,
}

impl<'a> Listpack<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, RdbError> {
        let mut reader = Reader::new(bytes);
        let length = u32::from_le_bytes(reader.array()?);
        let announced = u16::from_le_bytes(reader.array()?);
        if length as usize != bytes.len() {
            return malformed("a listpack announces another length than it has");
        }
        Ok(Listpack { reader, announced, seen: 0 })
    }

    fn step(&mut self) -> Result<Option<Item<'a>>, RdbError> {
        let before = self.reader.remaining();
        let form = self.reader.byte()?;
        if form == END {
            self.reader.end()?;
            if self.announced != COUNT_UNKNOWN && usize::from(self.announced) != self.seen {
                return malformed("a listpack announces another count than it has");
            }
            return Ok(None);
        }
        let item = self.item(form)?;
        self.own_length(before - self.reader.remaining())?;
        self.seen += 1;
        Ok(Some(item))
    }

    fn item(&mut self, form: u8) -> Result<Item<'a>, RdbError> {
        let reader = &mut self.reader;
        let integer = match form {
            0x00..=0x7f => form.into(),
            0x80..=0xbf => return reader.take((form & 0x3f).into()).map(Item::Bytes),
            // To the top of its 16 bits, then back with its sign.
            0xc0..=0xdf => i64::from((u16::from_be_bytes([form, reader.byte()?]) << 3) as i16 >> 3),
            0xe0..=0xef => {
                let length = u16::from_be_bytes([form & 0x0f, reader.byte()?]);
                return reader.take(length.into()).map(Item::Bytes);
            }
            0xf0 => {
                let length = u32::from_le_bytes(reader.array()?);
                return reader.take(length as usize).map(Item::Bytes);
            }
            0xf1 => i16::from_le_bytes(reader.array()?).into(),
            0xf2 => integer_24(reader.array()?),
            0xf3 => i32::from_le_bytes(reader.array()?).into(),
            0xf4 => i64::from_le_bytes(reader.array()?),
            _ => return malformed("an item of a listpack has an unknown form"),
        };
        Ok(Item::Integer(integer))
    }

    /// Reads the length behind an item of `length` bytes, which must be that.
    fn own_length(&mut self, length: usize) -> Result<(), RdbError> {
        let groups = own_length_bytes(length);
        let mut read = 0;
        for (position, &byte) in self.reader.take(groups)?.iter().enumerate() {
            if (byte & 0x80 != 0) != (position > 0) {
                return malformed("the length behind an item of a listpack is broken");
            }
            read = read << 7 | usize::from(byte & 0x7f);
        }
        if read == length { Ok(()) } else { malformed("the length behind an item of a listpack is wrong") }
    }
}

impl<'a> Iterator for Listpack<'a> {
    type Item = Result<Item<'a>, RdbError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

/// Bytes of the length behind an item of `length` bytes. Redis moves on one early at every boundary but the first.
pub(crate) fn own_length_bytes(length: usize) -> usize {
    match length {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}
