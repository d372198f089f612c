//! Vectored I/O straight between a file and guest memory: the block room's only unsafe code.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use vm_memory::{GuestMemory, GuestMemoryMmap, Permissions};

use super::segments::Segments;

/// Vectors in one call (`UIO_MAXIOV`).
const MAX_VECTORS: usize = 1024;

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    FileToGuest,
    GuestToFile,
}

/// Move all bytes of `data` from or to the file, from `offset` on.
///
/// Guest memory is not borrowed as Rust slices: vCPUs write to it at any time. The kernel does the
/// copying, and a page that is not there is its error (`EFAULT`), not a signal.
pub(super) fn transfer(
    file: &File,
    mem: &GuestMemoryMmap,
    data: &Segments,
    offset: u64,
    direction: Direction,
) -> io::Result<()> {
    let mut vectors = vectors(mem, data, direction)?;
    let mut rest = vectors.as_mut_slice();
    let mut position = libc::off64_t::try_from(offset).map_err(io::Error::other)?;
    while !rest.is_empty() {
        let moved = match call(file, rest, position, direction) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(moved) => moved,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        position = libc::off64_t::try_from(moved)
            .ok()
            .and_then(|moved| position.checked_add(moved))
            .ok_or(io::ErrorKind::InvalidInput)?;
        rest = advance(rest, moved);
    }
    Ok(())
}

/// The host's view of `data`: addresses inside of mapped guest memory, for `mem`'s life.
fn vectors(
    mem: &GuestMemoryMmap,
    data: &Segments,
    direction: Direction,
) -> io::Result<Vec<libc::iovec>> {
    let access = match direction {
        Direction::FileToGuest => Permissions::Write,
        Direction::GuestToFile => Permissions::Read,
    };
    let mut vectors = Vec::with_capacity(data.pieces().len());
    for piece in data.pieces() {
        let len = usize::try_from(piece.len).map_err(io::Error::other)?;
        let slices = mem
            .get_slices(piece.addr, len, access)
            .map_err(io::Error::other)?;
        for slice in slices {
            let slice = slice.map_err(io::Error::other)?;
            vectors.push(libc::iovec {
                // The mapping itself outlives the guard: without Xen a guard pins nothing.
                iov_base: slice.ptr_guard_mut().as_ptr().cast(),
                iov_len: slice.len(),
            });
        }
    }
    Ok(vectors)
}

fn call(
    file: &File,
    vectors: &[libc::iovec],
    position: libc::off64_t,
    direction: Direction,
) -> io::Result<usize> {
    let count = i32::try_from(vectors.len().min(MAX_VECTORS)).map_err(io::Error::other)?;
    let fd = file.as_raw_fd();
    let moved = match direction {
        Direction::FileToGuest => {
            // SAFETY: preadv writes to at most `count` <= vectors.len() vectors; each was made by
            // `vectors` from a slice of `mem`, which the caller holds, of exactly that length, and
            // `advance` only moves it inwards. Nothing in Rust borrows that memory. `fd` is open.
            unsafe { libc::preadv64(fd, vectors.as_ptr(), count, position) }
        }
        Direction::GuestToFile => {
            // SAFETY: as above; pwritev only reads the vectors' memory.
            unsafe { libc::pwritev64(fd, vectors.as_ptr(), count, position) }
        }
    };
    usize::try_from(moved).map_err(|_| io::Error::last_os_error())
}

/// What is left of `vectors` after `moved` bytes.
fn advance(vectors: &mut [libc::iovec], mut moved: usize) -> &mut [libc::iovec] {
    let mut done = 0;
    for vector in vectors.iter_mut() {
        if moved < vector.iov_len {
            vector.iov_base = vector.iov_base.wrapping_byte_add(moved);
            vector.iov_len -= moved;
            break;
        }
        moved -= vector.iov_len;
        done += 1;
    }
    vectors.get_mut(done..).unwrap_or_default()
}
