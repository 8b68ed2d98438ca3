//! Fields of a hash that wait to be written, in two allocations whatever their number.

/// Fields and values, one behind the other.
#[derive(Default)]
pub(crate) struct Fields {
    bytes: Vec<u8>,
    /// Where each field and each value ends.
    ends: Vec<(usize, usize)>,
}

impl Fields {
    pub(crate) fn push(&mut self, field: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(field);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.ends.push((middle, self.bytes.len()));
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// How many bytes they have.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> + Clone {
        (0..self.ends.len()).map(|index| {
            let start = index.checked_sub(1).map_or(0, |before| self.ends[before].1);
            let (middle, end) = self.ends[index];
            (&self.bytes[start..middle], &self.bytes[middle..end])
        })
    }

    /// Forgets them. The room is kept, unless one huge value has made it huge.
    pub(crate) fn clear(&mut self) {
        const KEPT_BYTES_MAX: usize = 4 << 20;
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES_MAX);
        self.ends.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_in_order() {
        let mut fields = Fields::default();
        for (field, value) in [("a", "1"), ("", ""), ("bc", "")] {
            fields.push(field.as_bytes(), value.as_bytes());
        }
        let expected: [(&[u8], &[u8]); 3] = [(b"a", b"1"), (b"", b""), (b"bc", b"")];
        assert_eq!(fields.iter().collect::<Vec<_>>(), expected);
        assert_eq!((fields.len(), fields.bytes(), fields.iter().len()), (3, 4, 3));
        fields.clear();
        assert_eq!(fields.iter().next(), None);
    }
}
