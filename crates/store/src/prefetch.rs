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

/// Asks for the first two cache lines of `bytes`: a key and a small hash seldom need a third.
#[inline(always)]
pub(crate) fn prefetch_bytes(bytes: &[u8]) {
    prefetch(bytes);
    if let Some(second) = bytes.get(LINE_BYTES..).and_then(<[u8]>::first).or(bytes.last()) {
        prefetch(second);
    }
}
