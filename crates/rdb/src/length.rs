//! Lengths of the format: the top two bits of the first byte say how long the length is.
//!
//! ```text
//! 00aaaaaa                         the length a
//! 01aaaaaa bbbbbbbb                the length ab
//! 10000000 and 4 bytes             32 bits, big-endian
//! 10000001 and 8 bytes             64 bits, big-endian
//! 11eeeeee                         no length: a string in encoding e
//! ```

use crate::error::{RdbError, malformed};
use crate::input::Input;

const BITS_32: u8 = 0x80;
const BITS_64: u8 = 0x81;

/// What stands where a string begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Length {
    /// Its length.
    Plain(u64),
    /// The number of its encoding.
    Encoded(u8),
}

impl Length {
    /// Reads either.
    pub(crate) fn read<'a>(input: &mut impl Input<'a>) -> Result<Self, RdbError> {
        let first = input.read_byte()?;
        let low = first & 0x3f;
        Ok(match first >> 6 {
            0 => Length::Plain(low.into()),
            1 => Length::Plain(u16::from_be_bytes([low, input.read_byte()?]).into()),
            3 => Length::Encoded(low),
            _ if first == BITS_32 => Length::Plain(u32::from_be_bytes(input.read_array()?).into()),
            _ if first == BITS_64 => Length::Plain(u64::from_be_bytes(input.read_array()?)),
            _ => return malformed("a length has an unknown form"),
        })
    }

    /// Reads a length where no encoded string can stand.
    pub(crate) fn read_plain<'a>(input: &mut impl Input<'a>) -> Result<u64, RdbError> {
        match Length::read(input)? {
            Length::Plain(length) => Ok(length),
            Length::Encoded(_) => malformed("a string stands where a length should"),
        }
    }

    /// Writes a length in its shortest form.
    pub(crate) fn write(out: &mut Vec<u8>, length: usize) {
        match length {
            0..=0x3f => out.push(length as u8),
            0x40..=0x3fff => out.extend_from_slice(&(0x4000 | length as u16).to_be_bytes()),
            0x4000..=0xffff_ffff => {
                out.push(BITS_32);
                out.extend_from_slice(&(length as u32).to_be_bytes());
            }
            _ => {
                out.push(BITS_64);
                out.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::Reader;

    #[test]
    fn lengths_around_every_boundary_come_back() {
        for (length, bytes) in [
            (0, 1),
            (0x3f, 1),
            (0x40, 2),
            (0x3fff, 2),
            (0x4000, 5),
            (0xffff_ffff, 5),
            (0x1_0000_0000, 9),
            (usize::MAX, 9),
        ] {
            let mut out = Vec::new();
            Length::write(&mut out, length);
            assert_eq!(out.len(), bytes, "{length}");
            let mut reader = Reader::new(&out);
            assert_eq!(Length::read(&mut reader), Ok(Length::Plain(length as u64)));
            assert_eq!(reader.remaining(), 0);
        }
    }

    #[test]
    fn other_forms_are_told_apart() {
        assert_eq!(Length::read(&mut Reader::new(&[0xc3])), Ok(Length::Encoded(3)));
        assert!(Length::read_plain(&mut Reader::new(&[0xc3])).is_err());
        assert!(Length::read(&mut Reader::new(&[0x82, 0, 0, 0, 0])).is_err());
        assert!(Length::read(&mut Reader::new(&[0x80, 0, 0, 0])).is_err());
    }
}
