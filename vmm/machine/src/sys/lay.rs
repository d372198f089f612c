//! Pages of a file as pages of guest memory.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use vm_memory::{GuestAddress, GuestMemoryBackend, GuestMemoryMmap};

const PAGE_BYTES: u64 = 4096;

/// Lay the whole pages of `length` bytes from `offset` of `file` over guest-physical `address`, in a machine that does
/// not run yet, and show them to `look`; how many bytes that are, 0 where it cannot be done.
///
/// What is laid is shared with every other machine of the file until it is written, and costs neither a copy nor a zeroed
/// page at the start. The guest's writes stay its own: the first one to a page copies it. A file that is overwritten in
/// place shows through where the guest has not written.
pub(crate) fn lay(
    memory: &GuestMemoryMmap,
    file: &File,
    (offset, length): (u64, u64),
    address: u64,
    look: impl FnOnce(&[u8]),
) -> u64 {
    let length = length & !(PAGE_BYTES - 1);
    if !offset.is_multiple_of(PAGE_BYTES) || !address.is_multiple_of(PAGE_BYTES) || length == 0 {
        return 0;
    }
    match map(memory, file, (offset, length), address, look) {
        Ok(()) => length,
        Err(error) => {
            tracing::debug!(address, %error, "boot file is copied, not mapped");
            0
        }
    }
}

fn map(
    memory: &GuestMemoryMmap,
    file: &File,
    (offset, length): (u64, u64),
    address: u64,
    look: impl FnOnce(&[u8]),
) -> io::Result<()> {
    let bytes = usize::try_from(length).map_err(io::Error::other)?;
    let offset = libc::off_t::try_from(offset).map_err(io::Error::other)?;
    let slice = memory
        .get_slice(GuestAddress(address), bytes)
        .map_err(io::Error::other)?;
    let guard = slice.ptr_guard_mut();
    // SAFETY: `slice` checked that the range lies in one live mapping of guest memory. Both ends are page borders: regions
    // begin at page borders of the guest and of the host, and `lay` took only such addresses and lengths. So nothing but
    // guest memory is replaced, no reference to which exists, and the new pages are the region's to unmap like the old.
    let mapped = unsafe {
        libc::mmap(
            guard.as_ptr().cast(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_FIXED | libc::MAP_NORESERVE,
            file.as_raw_fd(),
            offset,
        )
    };
    if mapped == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `bytes` bytes that were mapped just now, readable, for `memory`'s life. Nobody in this process writes to them
    // meanwhile: the machine does not run yet.
    look(unsafe { std::slice::from_raw_parts(mapped.cast(), bytes) });
    Ok(())
}
