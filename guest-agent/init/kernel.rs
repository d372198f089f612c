//! System calls of x86_64, and the entry point: the unsafe room of `husk-init`.

use core::{
    arch::{asm, global_asm},
    ffi::{CStr, c_char},
    ptr, slice,
};

// asm/unistd_64.h
const WRITE: usize = 1;
const CLOSE: usize = 3;
const RT_SIGACTION: usize = 13;
const RT_SIGPROCMASK: usize = 14;
const RT_SIGRETURN: usize = 15;
const IOCTL: usize = 16;
const PAUSE: usize = 34;
const GETPID: usize = 39;
const FORK: usize = 57;
const EXECVE: usize = 59;
const WAIT4: usize = 61;
const KILL: usize = 62;
const SETPGID: usize = 109;
const RT_SIGTIMEDWAIT: usize = 128;
const PRCTL: usize = 157;
const RESTART_SYSCALL: usize = 219;
const EXIT_GROUP: usize = 231;
const SECCOMP: usize = 317;

pub(crate) const SIGCHLD: i32 = 17;
const SIG_IGN: usize = 1;
const SIG_SETMASK: usize = 2;
const SA_NOCLDWAIT: usize = 2;
const WNOHANG: usize = 1;
const TIOCSPGRP: usize = 0x5410;
const STDIN: usize = 0;
const STDERR: i32 = 2;

// linux/prctl.h
const PR_SET_DUMPABLE: usize = 4;
const PR_SET_NAME: usize = 15;
const PR_SET_CHILD_SUBREAPER: usize = 36;
const PR_SET_NO_NEW_PRIVS: usize = 38;

/// Signals that say that this program itself is at fault are not for its child: ILL, TRAP, ABRT, BUS, FPE, SEGV, SYS.
const OWN_SIGNALS: u64 = bit(4) | bit(5) | bit(6) | bit(7) | bit(8) | bit(11) | bit(31);

const fn bit(signal: u32) -> u64 {
    1 << (signal - 1)
}

/// Size of the kernel's signal sets.
const SET_BYTES: usize = 8;

/// What a system call failed with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) i32);

/// A set of blocked signals.
#[derive(Clone, Copy)]
pub(crate) struct Signals(u64);

/// A child that has ended.
pub(crate) struct Waited {
    pub(crate) pid: i32,
    pub(crate) status: i32,
}

/// Arguments and environment as the kernel has laid them out: two arrays of addresses, a null behind the last of each.
pub(crate) struct Arguments {
    count: usize,
    first: *const *const c_char,
    environment: *const *const c_char,
}

impl Arguments {
    /// What follows the program's own name, if something does.
    pub(crate) fn command(&self) -> Option<Self> {
        // Path and name of the command are two arguments.
        let count = self.count.checked_sub(1).filter(|count| *count > 1)?;
        Some(Self {
            count,
            first: self.first.wrapping_add(1),
            environment: self.environment,
        })
    }

    /// The first argument: the path of the command.
    pub(crate) fn path(&self) -> &[u8] {
        // SAFETY: the kernel's array has `count` addresses from `first` on, and `command` has seen to it that there are
        // two.
        let path = unsafe { *self.first }.cast::<u8>();
        let mut length = 0;
        // SAFETY: the kernel has laid out a string there; no byte behind its null is read, because the loop ends.
        while unsafe { *path.wrapping_add(length) } != 0 {
            length += 1;
        }
        // SAFETY: as many bytes were read just now, and they stay as they are as long as this program runs.
        unsafe { slice::from_raw_parts(path, length) }
    }
}

// The stack pointer is all that the program has of its arguments.
global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {start}",
    "ud2",
    start = sym start,
);

extern "C" fn start(stack: *const usize) -> ! {
    // SAFETY: the kernel puts the number of arguments where the stack pointer is at the entry point.
    let count = unsafe { *stack };
    let first = stack.wrapping_add(1).cast::<*const c_char>();
    super::run(&Arguments {
        count,
        first,
        environment: first.wrapping_add(count + 1),
    })
}

fn call(number: usize, arguments: [usize; 4]) -> Result<usize, Errno> {
    let [a, b, c, d] = arguments;
    let answer: isize;
    // SAFETY: the registers are those of the kernel's calling convention, and it changes only rax, rcx and r11. Each
    // caller passes numbers, or addresses of memory that outlives the call, of the size that the call reads or writes.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => answer,
            in("rdi") a,
            in("rsi") b,
            in("rdx") c,
            in("r10") d,
            // A fifth argument must be none where it means nothing.
            in("r8") 0,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    match usize::try_from(answer) {
        Ok(answer) => Ok(answer),
        Err(_) => Err(Errno(i32::try_from(-answer).unwrap_or(i32::MAX))),
    }
}

/// Of what the kernel reads.
fn address<T>(of: &T) -> usize {
    ptr::from_ref(of).expose_provenance()
}

/// Of what the kernel writes.
fn place<T>(of: &mut T) -> usize {
    ptr::from_mut(of).expose_provenance()
}

fn number(value: i32) -> usize {
    // The kernel reads the low half.
    usize::try_from(value).unwrap_or(0)
}

fn pid(answer: usize) -> i32 {
    i32::try_from(answer).unwrap_or(-1)
}

/// What `ps` shows.
pub(crate) fn name_self(name: &CStr) {
    let _ = call(
        PRCTL,
        [PR_SET_NAME, name.as_ptr().expose_provenance(), 0, 0],
    );
}

/// Lets the kernel reap every child.
pub(crate) fn ignore_children() {
    // Handler, flags, restorer, mask of the kernel's `struct sigaction`.
    let action = [SIG_IGN, SA_NOCLDWAIT, 0, 0];
    let _ = call(
        RT_SIGACTION,
        [number(SIGCHLD), address(&action), 0, SET_BYTES],
    );
}

/// Nobody looks into it, and it never gets a privilege.
pub(crate) fn seal_self() -> Result<(), Errno> {
    call(PRCTL, [PR_SET_DUMPABLE, 0, 0, 0])?;
    call(PRCTL, [PR_SET_NO_NEW_PRIVS, 1, 0, 0]).map(drop)
}

/// Every system call but those of [`pause`] kills from now on.
pub(crate) fn allow_pause_only() -> Result<(), Errno> {
    // linux/bpf_common.h, linux/seccomp.h: code, jumps if true and if false, constant.
    const LOAD: u64 = 0x20;
    const JUMP_IF_EQUAL: u64 = 0x15;
    const RETURN: u64 = 0x06;
    const KILL_PROCESS: u64 = 0x8000_0000;
    const ALLOW: u64 = 0x7fff_0000;
    const ARCH_OFFSET: u64 = 4;
    const X86_64: u64 = 0xc000_003e;
    const fn step(code: u64, yes: u64, no: u64, constant: u64) -> u64 {
        code | yes << 16 | no << 24 | constant << 32
    }
    const fn unless(allowed: usize, further: u64) -> u64 {
        step(JUMP_IF_EQUAL, further, 0, allowed as u64)
    }
    const PROGRAM: [u64; 9] = [
        step(LOAD, 0, 0, ARCH_OFFSET),
        step(JUMP_IF_EQUAL, 0, 5, X86_64),
        step(LOAD, 0, 0, 0),
        unless(PAUSE, 4),
        unless(RT_SIGRETURN, 3),
        unless(RESTART_SYSCALL, 2),
        unless(EXIT_GROUP, 1),
        step(RETURN, 0, 0, KILL_PROCESS),
        step(RETURN, 0, 0, ALLOW),
    ];
    const SET_MODE_FILTER: usize = 1;
    // `struct sock_fprog`: a 16-bit length, and the address of the steps.
    let program = [PROGRAM.len(), address(&PROGRAM)];
    call(SECCOMP, [SET_MODE_FILTER, 0, address(&program), 0]).map(drop)
}

/// Waits for a signal that is not ignored.
pub(crate) fn pause() {
    let _ = call(PAUSE, [0; 4]);
}

pub(crate) fn write(fd: i32, bytes: &[u8]) -> Result<usize, Errno> {
    call(
        WRITE,
        [
            number(fd),
            bytes.as_ptr().expose_provenance(),
            bytes.len(),
            0,
        ],
    )
}

/// Tells standard error; that nobody reads it is no error.
pub(crate) fn say(bytes: &[u8]) {
    let _ = write(STDERR, bytes);
}

pub(crate) fn close(fd: i32) {
    let _ = call(CLOSE, [number(fd), 0, 0, 0]);
}

/// Blocks what is to be waited for, and gives what was blocked before.
pub(crate) fn block_signals() -> Signals {
    let (all, mut before) = (!OWN_SIGNALS, 0_u64);
    let _ = call(
        RT_SIGPROCMASK,
        [SIG_SETMASK, address(&all), place(&mut before), SET_BYTES],
    );
    Signals(before)
}

pub(crate) fn set_signals(signals: Signals) {
    let _ = call(
        RT_SIGPROCMASK,
        [SIG_SETMASK, address(&signals.0), 0, SET_BYTES],
    );
}

/// Waits for the next of the blocked signals.
pub(crate) fn next_signal() -> i32 {
    let all = !OWN_SIGNALS;
    loop {
        if let Ok(signal) = call(RT_SIGTIMEDWAIT, [address(&all), 0, 0, SET_BYTES]) {
            return pid(signal);
        }
    }
}

/// Process 1 gets the orphans anyway.
pub(crate) fn adopt_orphans() {
    if call(GETPID, [0; 4]) != Ok(1) {
        let _ = call(PRCTL, [PR_SET_CHILD_SUBREAPER, 1, 0, 0]);
    }
}

/// The child's pid, and 0 in the child.
pub(crate) fn fork() -> Result<i32, Errno> {
    call(FORK, [0; 4]).map(pid)
}

/// A process group of this process's own, in the foreground of the terminal if standard input is one.
pub(crate) fn lead_foreground_group() {
    let _ = call(SETPGID, [0; 4]);
    if let Ok(own) = call(GETPID, [0; 4]) {
        let own = pid(own);
        let _ = call(IOCTL, [STDIN, TIOCSPGRP, address(&own), 0]);
    }
}

/// Returns only when it failed.
pub(crate) fn execute(command: &Arguments) -> Errno {
    let path = command.path().as_ptr().expose_provenance();
    let arguments = command.first.wrapping_add(1).expose_provenance();
    let environment = command.environment.expose_provenance();
    match call(EXECVE, [path, arguments, environment, 0]) {
        Err(errno) => errno,
        Ok(_) => Errno(0),
    }
}

pub(crate) fn kill(process: i32, signal: i32) {
    let _ = call(KILL, [number(process), number(signal), 0, 0]);
}

/// A child that has ended, if there is one.
pub(crate) fn reap() -> Option<Waited> {
    let mut status = 0_i32;
    let answer = call(WAIT4, [usize::MAX, place(&mut status), WNOHANG, 0]).ok()?;
    (answer > 0).then_some(Waited {
        pid: pid(answer),
        status,
    })
}

pub(crate) fn exit(code: i32) -> ! {
    loop {
        let _ = call(EXIT_GROUP, [number(code), 0, 0, 0]);
    }
}
