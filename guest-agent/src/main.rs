//! `husk-agent`: PID 1 of every pod's microVM, the only file of its initramfs.
//!
//! - `guest`: the machine (doorbells, mounts, disks, clock, its end)
//! - `container`: containers and their states; `process`: their processes; `helper`: libcontainer in a process of its own
//! - `pod`: what containers share; `init`: a program for process 1 where it is nobody else
//! - `network`: interfaces, found and set up
//! - `seccomp`: from a profile to a filter program, and into the kernel
//! - `resources`: what a container may use
//! - `exec`: another process in a container, by hand
//! - `stream`: connections and standard streams; `service`: the ttrpc calls
//!
//! # Building
//! For `x86_64-unknown-linux-musl`, with `-C relocation-model=static -C target-feature=+crt-static`: static and not
//! position-independent, because relocations and their page faults would be paid at every start. `cargo xtask rootfs`
//! does it and makes the initramfs. The same program, built for the host, runs without a guest in `tests/native`.
//!
//! # Starting
//! Doorbell "started", two listeners, doorbell "ready", and only then mounts: a caller finds the agent as early as can be.
//!
//! There is no Rust runtime before `main`: it would open /dev/null, which does not exist yet, and abort.

#![cfg_attr(not(test), no_main)]

mod container;
mod exec;
mod guest;
mod helper;
mod init;
mod network;
mod pod;
mod process;
mod readiness;
mod resources;
mod seccomp;
mod service;
mod start;
mod stream;

/// The C library's allocator maps and unmaps a few pages at a time, and each of those calls and the page faults behind
/// it cost more here than what the memory is wanted for: about a tenth of a container's start.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// Called by the C library. Arguments are the kernel's leftovers of its command line and mean nothing here.
// SAFETY: the name is the C library's entry point and nothing else in this program defines it.
#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn main(_count: core::ffi::c_int, _arguments: *const *const core::ffi::c_char) -> i32 {
    start::run()
}
