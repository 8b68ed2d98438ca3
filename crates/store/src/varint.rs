//! Lengths inside packed blocks: seven bits a byte, lowest first, the top bit says that more follow.

/// Bytes of the longest encoded length: a `usize` of 64 bits.
const BYTES_MAX: usize = 10;

/// The bit that says: more bytes follow. Lengths below it are one byte.
pub(crate) const VARINT_MORE: u8 = 0x80;

/// An encoded length.
pub(crate) struct Varint {
    bytes: [u8; BYTES_MAX],
    len: usize,
}

impl Varint {
    /// Encodes a length.
    pub(crate) fn encode(mut value: usize) -> Self {
        let mut bytes = [0; BYTES_MAX];
        let mut len = 0;
        while value >= usize::from(VARINT_MORE) {
            bytes[len] = value as u8 | VARINT_MORE;
            value >>= 7;
            len += 1;
        }
        bytes[len] = value as u8;
        Varint { bytes, len: len + 1 }
    }

    /// The encoded bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Takes a length-prefixed item off the front: its bytes, and what follows it.
#[inline(always)]
pub(crate) fn split_item(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (&first, rest) = bytes.split_first().expect("an item starts with its length");
    if first < VARINT_MORE { rest.split_at(usize::from(first)) } else { split_long_item(first, rest) }
}

fn split_long_item(first: u8, mut rest: &[u8]) -> (&[u8], &[u8]) {
    let mut length = usize::from(first & !VARINT_MORE);
    let mut shift = 7;
    loop {
        let (&byte, after) = rest.split_first().expect("a length ends with a small byte");
        rest = after;
        length |= usize::from(byte & !VARINT_MORE) << shift;
        if byte < VARINT_MORE {
            return rest.split_at(length);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_around_every_byte_boundary_come_back() {
        for length in [0, 1, 127, 128, 129, 16_383, 16_384, 2_097_151, 2_097_152] {
            let mut bytes = Varint::encode(length).bytes().to_vec();
            bytes.resize(bytes.len() + length, 7);
            bytes.extend(b"rest");
            let (item, rest) = split_item(&bytes);
            assert_eq!((item.len(), rest), (length, &b"rest"[..]));
        }
    }
}
