//! Strings of the format: plain bytes, integers in binary, or LZF-compressed.

use std::borrow::Cow;

use crate::error::{RdbError, malformed};
use crate::input::Input;
use crate::length::Length;
use crate::lzf;

/// Most bytes that a compressed string may unfold to: the longest that a client can set (`proto-max-bulk-len`).
const UNFOLDED_BYTES_MAX: u64 = 512 << 20;

/// Reads a string in any of its forms.
pub(crate) fn read<'a>(input: &mut impl Input<'a>) -> Result<Cow<'a, [u8]>, RdbError> {
    match Length::read(input)? {
        Length::Plain(length) => input.read_bytes(length),
        Length::Encoded(0) => Ok(decimal(i8::from_le_bytes(input.read_array()?).into())),
        Length::Encoded(1) => Ok(decimal(i16::from_le_bytes(input.read_array()?).into())),
        Length::Encoded(2) => Ok(decimal(i32::from_le_bytes(input.read_array()?))),
        Length::Encoded(3) => read_compressed(input).map(Cow::Owned),
        Length::Encoded(_) => malformed("a string has an unknown encoding"),
    }
}

/// Writes a string as it is.
pub(crate) fn write(out: &mut Vec<u8>, bytes: &[u8]) {
    Length::write(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn decimal(value: i32) -> Cow<'static, [u8]> {
    itoa::Buffer::new().format(value).as_bytes().to_vec().into()
}

fn read_compressed<'a>(input: &mut impl Input<'a>) -> Result<Vec<u8>, RdbError> {
    let length = Length::read_plain(input)?;
    let unfolded = Length::read_plain(input)?;
    let compressed = input.read_bytes(length)?;
    if unfolded > UNFOLDED_BYTES_MAX {
        return malformed("a compressed string is too long");
    }
    lzf::unfold(&compressed, unfolded as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::Reader;

    fn all(bytes: &[u8]) -> Result<Vec<u8>, RdbError> {
        let mut reader = Reader::new(bytes);
        let string = read(&mut reader)?.into_owned();
        reader.end()?;
        Ok(string)
    }

    #[test]
    fn every_form_is_read() {
        assert_eq!(all(b"\x00").unwrap(), b"");
        assert_eq!(all(b"\x03abc").unwrap(), b"abc");
        assert_eq!(all(b"\xc0\x80").unwrap(), b"-128");
        assert_eq!(all(b"\xc1\x39\x30").unwrap(), b"12345");
        assert_eq!(all(b"\xc2\x00\x00\x00\x80").unwrap(), b"-2147483648");
        assert_eq!(all(b"\xc3\x05\x0a\x00a\xe0\x00\x00").unwrap(), b"aaaaaaaaaa");
    }

    #[test]
    fn lengths_beyond_the_end_are_refused_without_allocating() {
        for bytes in [
            &b"\x04abc"[..],
            b"\x81\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\xc3\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a",
            b"\xc3\x01\x81\xff\xff\xff\xff\xff\xff\xff\xffa",
            b"\xc3\x01\x80\x20\x00\x00\x00a",
            b"\xc4",
            b"\xc2\x00\x00",
        ] {
            assert!(all(bytes).is_err(), "{bytes:?}");
        }
    }
}
