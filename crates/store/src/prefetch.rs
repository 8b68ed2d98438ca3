//! The one module with `unsafe`: a hint to the processor to fetch a cache line that is needed soon.
//!
//! At a million keys an operation costs cache misses, not instructions. A batch asks for all of its lines first
//! and reads them afterwards, so that the misses overlap (five times faster in `benches/keyspace.rs`). There is
//! no safe way to say this to the processor. On targets without the instruction the hint does nothing.
#![allow(unsafe_code)]

/// Bytes of a cache line.
pub(crate) const LINE_BYTES: usize = 64;

/// Asks for the cache line in which `value` starts.
#[inline(always)]
pub(crate) fn prefetch<T: ?Sized>(value: &T) {
    let address = std::ptr::from_ref(value).cast::<u8>();
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing that the program can see, and faults on no address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above; the instruction changes no register, no flag and no memory.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = address;
}

/// Asks for the cache lines of the first `length` bytes, three of them at most: more than a key and a small hash
/// seldom need.
#[inline(always)]
pub(crate) fn prefetch_bytes(bytes: &[u8], length: usize) {
    prefetch(bytes);
    let last = length.saturating_sub(1);
    if let Some(second) = bytes.get(last.min(LINE_BYTES)) {
        prefetch(second);
    }
    // A block begins anywhere in a line, so one that is a little longer than a line can be in three.
    if last > LINE_BYTES
        && let Some(third) = bytes.get(last.min(2 * LINE_BYTES))
    {
        prefetch(third);
    }
}
