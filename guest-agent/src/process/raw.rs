//! System calls that no library offers as they are wanted here: an unsafe room.

use std::{
    ffi::{c_int, c_uint, c_void},
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    ptr,
};

use rustix::io::Errno;

/// The child's stack until `execve`, and that of a process that it forks. Pages that are not used are not made.
const STACK_BYTES: usize = 64 * 1024;

/// First descriptor that is not a standard stream.
pub(crate) const FIRST_OTHER: u32 = 3;

struct Call<'a, T> {
    job: &'a mut T,
    work: fn(&mut T),
}

/// Lets a child do `work`, which ends when that returns, if it has not executed a program. It shares the agent's memory,
/// and what it leaves in `job` is there afterwards, but neither descriptors nor directories nor namespaces; `flags` are
/// those of clone(2) beside these. This thread, which serves every call, waits, so `work` may do nothing that could wait for
/// a container. The reaper learns of its end as of every child's.
pub(crate) fn vfork<T>(job: &mut T, flags: c_int, work: fn(&mut T)) -> Result<u32, Errno> {
    let mut stack = Vec::<u128>::with_capacity(STACK_BYTES / size_of::<u128>());
    let room = stack.spare_capacity_mut();
    let top = room.as_mut_ptr_range().end;
    let mut call = Call { job, work };
    let argument: *mut Call<'_, T> = &raw mut call;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD | flags;
    // SAFETY: the stack is memory that nobody else uses, its top is aligned to 16 bytes as the elements of the vector
    // are, and it lives until the child has executed or ended, because CLONE_VFORK suspends this thread until then.
    // `child` takes the address as what it is, a `Call` of the same type that nobody touches meanwhile.
    let pid = unsafe { libc::clone(child::<T>, top.cast(), flags, argument.cast()) };
    let pid = checked(pid.into())?;
    u32::try_from(pid).map_err(|_| Errno::RANGE)
}

extern "C" fn child<T>(call: *mut c_void) -> c_int {
    // SAFETY: `vfork` passed the address of such a `Call`, exclusively borrowed until this process ends or executes.
    let call: &mut Call<'_, T> = unsafe { &mut *call.cast() };
    (call.work)(call.job);
    exit()
}

/// Ends this process without anything of the agent's that would run at its end.
pub(crate) fn exit() -> ! {
    // SAFETY: no precondition; nothing of this process is used after it.
    unsafe { libc::_exit(1) }
}

/// Closes descriptors of a child that has a table of its own, or marks them; see close_range(2) for the flags.
pub(crate) fn close_range(first: u32, last: u32, flags: c_uint) -> Result<(), Errno> {
    // SAFETY: no precondition of memory; the numbers belong to this process's own table, which it has a copy of, and
    // no owner of theirs runs here.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    checked(closed).map(drop)
}

/// `struct mount_attr` of linux/mount.h.
#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// linux/mount.h
const MOUNT_ATTR_IDMAP: u64 = 0x10_0000;

/// linux/fcntl.h
const AT_RECURSIVE: c_int = 0x8000;

/// Lets a mount that is not attached anywhere show its files with the ids of a user namespace.
pub(crate) fn map_mount(
    mount: impl AsFd,
    namespace: BorrowedFd<'_>,
    with_all_below: bool,
) -> Result<(), Errno> {
    let deep = if with_all_below { AT_RECURSIVE } else { 0 };
    let attributes = MountAttributes {
        set: MOUNT_ATTR_IDMAP,
        clear: 0,
        propagation: 0,
        user_namespace: u64::try_from(namespace.as_raw_fd()).map_err(|_| Errno::BADF)?,
    };
    // SAFETY: the path is empty and ends with a null; the kernel reads one `mount_attr` of the size that it is told, and
    // writes nothing.
    let set = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | deep,
            ptr::from_ref(&attributes),
            size_of_val(&attributes),
        )
    };
    checked(set).map(drop)
}

/// The C library's way to say that a call failed.
pub(crate) fn checked(answer: i64) -> Result<i64, Errno> {
    if answer >= 0 {
        return Ok(answer);
    }
    Err(Errno::from_raw_os_error(nix::errno::Errno::last_raw()))
}
