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
const HEADER_BYTES: usize = 6;

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

/// Writes items as a listpack, decimal integers in binary.
pub(crate) fn write<'i>(out: &mut Vec<u8>, items: impl Iterator<Item = &'i [u8]>) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_BYTES]);
    let mut count = 0_usize;
    for item in items {
        write_item(out, item);
        count += 1;
    }
    out.push(END);
    let length = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    let announced = u16::try_from(count).unwrap_or(COUNT_UNKNOWN);
    out[start + 4..start + HEADER_BYTES].copy_from_slice(&announced.to_le_bytes());
}

fn write_item(out: &mut Vec<u8>, item: &[u8]) {
    let start = out.len();
    if let Some(integer) = canonical_integer(item) {
        match integer {
            0..=0x7f => out.push(integer as u8),
            -0x1000..=0xfff => out.extend_from_slice(&(0xc000 | (integer as u16 & 0x1fff)).to_be_bytes()),
            -0x8000..=0x7fff => write_integer(out, 0xf1, &(integer as i16).to_le_bytes()),
            -0x80_0000..=0x7f_ffff => write_integer(out, 0xf2, &(integer as i32).to_le_bytes()[..3]),
            -0x8000_0000..=0x7fff_ffff => write_integer(out, 0xf3, &(integer as i32).to_le_bytes()),
            _ => write_integer(out, 0xf4, &integer.to_le_bytes()),
        }
    } else {
        match item.len() {
            length @ 0..=0x3f => out.push(0x80 | length as u8),
            length @ 0x40..=0xfff => out.extend_from_slice(&(0xe000 | length as u16).to_be_bytes()),
            length => write_integer(out, 0xf0, &(length as u32).to_le_bytes()),
        }
        out.extend_from_slice(item);
    }
    let length = out.len() - start;
    let groups = own_length_bytes(length);
    for group in (0..groups).rev() {
        let bits = (length >> (7 * group)) as u8 & 0x7f;
        out.push(if group == groups - 1 { bits } else { bits | 0x80 });
    }
}

fn write_integer(out: &mut Vec<u8>, form: u8, bytes: &[u8]) {
    out.push(form);
    out.extend_from_slice(bytes);
}

/// The integer whose decimal digits these bytes are, exactly.
fn canonical_integer(bytes: &[u8]) -> Option<i64> {
    const DIGITS_MAX: usize = 20;
    if bytes.len() > DIGITS_MAX {
        return None;
    }
    let integer: i64 = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    (itoa::Buffer::new().format(integer).as_bytes() == bytes).then_some(integer)
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
