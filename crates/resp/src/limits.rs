//! The limits of one request. Where they come from (the configuration) is the server's affair.

/// How many words a request of a client that has not authenticated yet may have, as in Redis.
pub const UNAUTHENTICATED_WORDS_MAX: u32 = 10;

/// How many bytes a word of a client that has not authenticated yet may have, as in Redis.
pub const UNAUTHENTICATED_BULK_BYTES_MAX: u32 = 16_384;

/// The longest header line (`*3`, `$12`) that is waited for, in bytes without its line end.
pub(crate) const HEADER_BYTES_MAX: u32 = 65_536;

/// Limits of one request, from the configuration. Each is checked as soon as the header that announces
/// the size has been read, before memory is allocated for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Most words of one request.
    pub words_max: u32,
    /// Most bytes of one word.
    pub bulk_bytes_max: u32,
    /// Most bytes of an inline request, without its newline.
    pub inline_bytes_max: u32,
    /// Most bytes of one request, headers included.
    pub request_bytes_max: u32,
}

impl Default for RequestLimits {
    /// What Redis allows: 1,048,576 words of 512 MiB, inline requests of 64 KiB, 1 GiB in all.
    fn default() -> Self {
        Self {
            words_max: 1_048_576,
            bulk_bytes_max: 512 << 20,
            inline_bytes_max: 65_536,
            request_bytes_max: 1 << 30,
        }
    }
}
