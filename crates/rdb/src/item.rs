//! Items of listpacks and ziplists.

/// An item: bytes, or an integer that stands for its decimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Item<'a> {
    Bytes(&'a [u8]),
    Integer(i64),
}

impl Item<'_> {
    /// The item as bytes; an integer's digits go to `digits`.
    pub(crate) fn bytes<'b>(&'b self, digits: &'b mut itoa::Buffer) -> &'b [u8] {
        match self {
            Item::Bytes(bytes) => bytes,
            Item::Integer(value) => digits.format(*value).as_bytes(),
        }
    }
}

/// A signed integer of 24 bits.
pub(crate) fn integer_24([low, middle, high]: [u8; 3]) -> i64 {
    i64::from(i32::from_le_bytes([0, low, middle, high]) >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_24_bits_keep_their_sign() {
        assert_eq!(integer_24([0xff, 0xff, 0x7f]), 8_388_607);
        assert_eq!(integer_24([0, 0, 0x80]), -8_388_608);
        assert_eq!(integer_24([0xff, 0xff, 0xff]), -1);
    }
}
