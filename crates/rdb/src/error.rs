//! Why a payload or a value was refused.

/// Why a payload or a value was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RdbError {
    /// It comes from a newer server, or its bytes have changed on the way.
    #[error("version or checksum are wrong")]
    VersionOrChecksum,
    /// It holds a value of another type, by its number in the format.
    #[error("type {0} is not a hash")]
    NotAHash(u8),
    /// It holds a value of a type that is not known, by its number in the format.
    #[error("type {0} is not known")]
    UnknownType(u8),
    /// A field has a TTL of its own.
    #[error("a field has a TTL of its own")]
    FieldTtl,
    /// A field occurs twice.
    #[error("a field occurs twice")]
    DuplicateField,
    /// It does not follow the format.
    #[error("{0}")]
    Malformed(&'static str),
}

/// A malformed payload.
pub(crate) fn malformed<T>(what: &'static str) -> Result<T, RdbError> {
    Err(RdbError::Malformed(what))
}
