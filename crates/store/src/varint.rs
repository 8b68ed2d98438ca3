//! Lengths inside packed blocks: seven bits a byte, lowest first, the top bit says that more follow.

/// Bytes of the longest encoded length: a `usize` of 64 bits.
const BYTES_MAX: usize = 10;

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
        while value >= 0x80 {
            bytes[len] = (value & 0x7f) as u8 | 0x80;
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

/// Reads a length-prefixed item at `at`: where its bytes start and where they end.
#[inline]
pub(crate) fn item(bytes: &[u8], at: usize) -> (usize, usize) {
    let first = bytes[at];
    if first < 0x80 {
        return (at + 1, at + 1 + usize::from(first));
    }
    let mut length = usize::from(first & 0x7f);
    let mut shift = 7;
    let mut at = at + 1;
    loop {
        let byte = bytes[at];
        at += 1;
        length |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return (at, at + length);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_around_every_byte_boundary_come_back() {
        for value in [0, 1, 127, 128, 129, 16_383, 16_384, 2_097_151, 2_097_152, 512 << 20] {
            let encoded = Varint::encode(value);
            let (start, end) = item(encoded.bytes(), 0);
            assert_eq!((start, end - start), (encoded.bytes().len(), value));
        }
    }
}
