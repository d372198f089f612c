//! Guest memory that goes back to the host.

use std::io;

use vm_memory::{GuestAddress, GuestMemoryBackend, GuestMemoryMmap};

/// Give the pages of a range back: the next access finds what the mapping was made of, which is zeroes in anonymous memory
/// and the file's bytes in a private mapping of a file.
///
/// # Errors
/// The range is not whole pages of one region, or the kernel does not take it.
pub(crate) fn forget(memory: &GuestMemoryMmap, start: GuestAddress, bytes: u64) -> io::Result<()> {
    let length = usize::try_from(bytes).map_err(io::Error::other)?;
    let slice = memory.get_slice(start, length).map_err(io::Error::other)?;
    let guard = slice.ptr_guard_mut();
    let address = guard.as_ptr();
    // SAFETY: the range lies in one live mapping of guest memory, whose content is the guest's to lose: no Rust object is in
    // it and no reference to it exists, every access is a volatile copy. The kernel refuses an address inside of a page, and
    // rounds the length up to a page of the same mapping, which ends at a page's border.
    let result = unsafe { libc::madvise(address.cast(), length, libc::MADV_DONTNEED) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
