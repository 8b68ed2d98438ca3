//! LZF, the compression of strings in the format: literal runs and references into what was unfolded already.
//!
//! ```text
//! 000nnnnn                        n + 1 literal bytes follow
//! nnnooooo oooooooo               n + 2 bytes again from o + 1 bytes back, 1 ≤ n ≤ 6
//! 111ooooo nnnnnnnn oooooooo      n + 9 bytes again from o + 1 bytes back
//! ```
//!
//! Written here because the one crate that is pure Rust has been given up by its author. Only this direction: what
//! is written in this crate is not compressed.

use crate::error::{RdbError, malformed};
use crate::reader::Reader;

/// Most bytes that one compressed byte can stand for: a reference takes 3 bytes for up to 264.
const UNFOLDED_PER_BYTE_MAX: usize = 88;

/// Unfolds `compressed` to exactly `length` bytes.
pub(crate) fn unfold(compressed: &[u8], length: usize) -> Result<Vec<u8>, RdbError> {
    if length / UNFOLDED_PER_BYTE_MAX > compressed.len() {
        return malformed("a compressed string announces more than it can hold");
    }
    let mut out = Vec::with_capacity(length);
    let mut reader = Reader::new(compressed);
    while reader.remaining() > 0 {
        let control = reader.byte()?;
        let (count, back) = match control >> 5 {
            0 => {
                let literal = reader.take(usize::from(control) + 1)?;
                check_room(&out, literal.len(), length)?;
                out.extend_from_slice(literal);
                continue;
            }
            7 => (usize::from(reader.byte()?) + 9, reader.byte()?),
            count => (usize::from(count) + 2, reader.byte()?),
        };
        check_room(&out, count, length)?;
        copy_back(&mut out, count, usize::from(u16::from_be_bytes([control & 0x1f, back])) + 1)?;
    }
    if out.len() != length {
        return malformed("a compressed string is shorter than announced");
    }
    Ok(out)
}

fn check_room(out: &[u8], count: usize, length: usize) -> Result<(), RdbError> {
    if count > length - out.len() {
        malformed("a compressed string is longer than announced")
    } else {
        Ok(())
    }
}

/// Appends `count` bytes from `distance` bytes back. They may be among those appended: a run of one byte is a
/// reference to the byte before.
fn copy_back(out: &mut Vec<u8>, count: usize, distance: usize) -> Result<(), RdbError> {
    let Some(start) = out.len().checked_sub(distance) else {
        return malformed("a compressed string refers to before its start");
    };
    let mut left = count;
    while left > 0 {
        // What was appended repeats with the same period, so later rounds take longer pieces.
        let piece = left.min(out.len() - start);
        out.extend_from_within(start..start + piece);
        left -= piece;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_references_unfold() {
        assert_eq!(unfold(b"\x02abc", 3).unwrap(), b"abc");
        assert_eq!(unfold(b"\x00a\xe0\x00\x00", 10).unwrap(), b"aaaaaaaaaa");
        assert_eq!(unfold(b"\x01ab\x60\x01", 7).unwrap(), b"abababa");
        assert_eq!(unfold(b"\x04abcde\x20\x04", 8).unwrap(), b"abcdeabc");
        assert_eq!(unfold(b"\x00a\xe0\xff\x00", 265).unwrap(), [b'a'; 265]);
        assert_eq!(unfold(b"", 0).unwrap(), b"");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (compressed, length) in [
            (&b"\x02ab"[..], 3),
            (b"\x02abc", 2),
            (b"\x02abc", 4),
            (b"\x00a\x20\x01", 4),
            (b"\x20\x00", 3),
            (b"\x00a\xe0\x00\x00", 9),
            (b"\x00a\xe0\x00", 10),
            (b"\x00a\x20", 4),
            (b"", 1),
            (b"\x00a", usize::MAX),
        ] {
            assert!(unfold(compressed, length).is_err(), "{compressed:?} {length}");
        }
    }
}
