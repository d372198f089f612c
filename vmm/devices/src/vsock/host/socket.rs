//! Socket calls that std lacks: gathering from and scattering to guest memory, peeking, asking for a hang-up.
//! None of them blocks and none of them raises SIGPIPE.

use std::io;
use std::mem::zeroed;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use vm_memory::volatile_memory::{PtrGuard, PtrGuardMut};

use crate::vsock::chain::Slices;

/// Sends from guest memory; returns how many bytes the socket took.
pub(crate) fn send_slices(client: &UnixStream, from: &Slices<'_>) -> io::Result<usize> {
    let guards: Vec<PtrGuard> = from
        .pieces()
        .iter()
        .map(|piece| piece.ptr_guard())
        .collect();
    let mut vectors: Vec<libc::iovec> = guards
        .iter()
        .map(|guard| libc::iovec {
            iov_base: guard.as_ptr().cast_mut().cast(),
            iov_len: guard.len(),
        })
        .collect();
    send(client, &mut vectors)
}

/// Sends `bytes`; returns how many the socket took.
pub(crate) fn send_bytes(client: &UnixStream, bytes: &[u8]) -> io::Result<usize> {
    send(
        client,
        &mut [libc::iovec {
            iov_base: bytes.as_ptr().cast_mut().cast(),
            iov_len: bytes.len(),
        }],
    )
}

/// Receives into guest memory; 0 is the end of what the client sends.
pub(crate) fn receive_slices(client: &UnixStream, into: &Slices<'_>) -> io::Result<usize> {
    let guards: Vec<PtrGuardMut> = into
        .pieces()
        .iter()
        .map(|piece| piece.ptr_guard_mut())
        .collect();
    let mut vectors: Vec<libc::iovec> = guards
        .iter()
        .map(|guard| libc::iovec {
            iov_base: guard.as_ptr().cast(),
            iov_len: guard.len(),
        })
        .collect();
    let mut message = message(&mut vectors);
    retry(|| {
        // SAFETY: `message` names only `vectors`, whose entries are guest memory kept mapped by `guards`,
        // with the lengths of their slices; the guest's own view of that memory is volatile anyway.
        unsafe { libc::recvmsg(client.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) }
    })
}

/// Looks at what can be received without taking it.
pub(crate) fn peek(client: &UnixStream, bytes: &mut [u8]) -> io::Result<usize> {
    retry(|| {
        // SAFETY: pointer and length are those of `bytes`, which is borrowed for the call.
        unsafe {
            libc::recv(
                client.as_raw_fd(),
                bytes.as_mut_ptr().cast(),
                bytes.len(),
                libc::MSG_PEEK | libc::MSG_DONTWAIT,
            )
        }
    })
}

/// Whether the client has closed its socket (or both directions are shut), not only its sending side.
pub(crate) fn hung_up(client: &UnixStream) -> bool {
    let mut entry = libc::pollfd {
        fd: client.as_raw_fd(),
        events: 0,
        revents: 0,
    };
    // SAFETY: one entry, borrowed for a call that does not wait.
    let found = unsafe { libc::poll(&raw mut entry, 1, 0) };
    found > 0 && entry.revents & (libc::POLLHUP | libc::POLLERR) != 0
}

fn send(client: &UnixStream, vectors: &mut [libc::iovec]) -> io::Result<usize> {
    let message = message(vectors);
    retry(|| {
        // SAFETY: `message` names only `vectors`, and the callers keep alive and sized what those point to;
        // the kernel only reads it.
        unsafe {
            libc::sendmsg(
                client.as_raw_fd(),
                &raw const message,
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            )
        }
    })
}

/// A message of data alone.
fn message(vectors: &mut [libc::iovec]) -> libc::msghdr {
    // SAFETY: a C structure of integers and pointers, for which zero and null are values.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = vectors.as_mut_ptr();
    message.msg_iovlen = vectors.len();
    message
}

/// The result of a call that returns a length or -1, again when a signal came first.
fn retry(mut call: impl FnMut() -> isize) -> io::Result<usize> {
    loop {
        if let Ok(count) = usize::try_from(call()) {
            return Ok(count);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
