//! The one module of the server with `unsafe`: the system call that makes one huge page of many small ones, for which
//! there is no safe wrapper.
#![allow(unsafe_code)]

use std::io;

use memmap2::{Advice, MmapMut};
use nix::errno::Errno;
use nix::libc;

/// Bytes of a huge page, on x86-64 and on ARM with pages of 4 KiB.
pub const HUGE_PAGE_BYTES: u64 = 2 << 20;

/// Why a range stays as it is.
#[derive(Debug)]
pub enum Refused {
    /// No huge page is free, or the range is in use in some way: it can be tried again.
    NotNow,
    /// The system does not know the call, or it is forbidden.
    Never(io::Error),
}

/// Makes one huge page of an aligned range of memory. Its content stays; who touches it meanwhile waits.
pub fn collapse(range: u64) -> Result<(), Refused> {
    // Without one the collapse still works, but takes longer.
    let _ = have_one_at_hand();
    // SAFETY: the call changes no content and no permission, whatever is mapped there, and nothing if nothing is.
    let result =
        unsafe { libc::madvise(range as *mut libc::c_void, HUGE_PAGE_BYTES as usize, libc::MADV_COLLAPSE) };
    match Errno::result(result) {
        Ok(_) => Ok(()),
        Err(error @ (Errno::EINVAL | Errno::EPERM | Errno::ENOSYS)) => Err(Refused::Never(error.into())),
        Err(_) => Err(Refused::NotNow),
    }
}

/// Takes a huge page and returns it: the next one that is asked for on this processor is this one.
fn have_one_at_hand() -> io::Result<()> {
    let mut memory = MmapMut::map_anon(2 * HUGE_PAGE_BYTES as usize)?;
    memory.advise(Advice::HugePage)?;
    let start = memory.as_ptr().addr() as u64;
    memory[(start.next_multiple_of(HUGE_PAGE_BYTES) - start) as usize] = 1;
    Ok(())
}
