//! `husk-init`: process 1 where nobody else is. It has no C library, no heap and no files, and it is executed from memory
//! that cannot be written (`src/init` of the agent, which `build.rs` builds it into).
//!
//! - Without arguments it holds a pod's process namespace: the kernel reaps its orphans, no process of the namespace
//!   can end it, and nothing that takes it over finds a privilege or a system call in it. It writes one byte to
//!   standard output when it is ready, and closes it.
//! - With arguments (the path of a command, then its own) it is a container's first process for `husk run --init`: it
//!   starts the command in a process group of its own, passes signals on to it, reaps orphans, and ends as the command
//!   does: with its status, or 128 and the signal that ended it.

#![no_std]
#![no_main]
// There is no C library to call instead of a loop.
#![no_builtins]

mod kernel;

use core::panic::PanicInfo;

use kernel::{Arguments, Errno, Signals, Waited};

/// As of a shell: the command is not there, or cannot be executed.
const NOT_FOUND: i32 = 127;
const NOT_EXECUTABLE: i32 = 126;

/// linux/errno.h
const ENOENT: Errno = Errno(2);

/// Standard output, whose reader hears that the namespace may be entered.
const READY: i32 = 1;

/// Called by the entry point with what the kernel has laid out.
fn run(arguments: &Arguments) -> ! {
    kernel::name_self(c"husk-init");
    match arguments.command() {
        None => hold(),
        Some(command) => supervise(&command),
    }
}

/// Does nothing, for ever.
fn hold() -> ! {
    // Children that end while this is ignored leave nothing to reap.
    kernel::ignore_children();
    if kernel::seal_self().is_err() || kernel::write(READY, b"1").is_err() {
        kernel::exit(1);
    }
    kernel::close(READY);
    // The last system calls that are not allowed were above.
    if kernel::allow_pause_only().is_err() {
        kernel::exit(1);
    }
    loop {
        kernel::pause();
    }
}

fn supervise(command: &Arguments) -> ! {
    let before = kernel::block_signals();
    // Where it shares its process namespace it is not process 1, and gets the orphans all the same.
    kernel::adopt_orphans();
    let child = match kernel::fork() {
        Ok(0) => become_command(command, before),
        Ok(child) => child,
        Err(_) => fail(b"husk-init: cannot fork\n", NOT_EXECUTABLE),
    };
    loop {
        let signal = kernel::next_signal();
        if signal != kernel::SIGCHLD {
            // It may have ended already: that is the next signal.
            kernel::kill(child, signal);
            continue;
        }
        while let Some(Waited { pid, status }) = kernel::reap() {
            if pid == child {
                kernel::exit(code(status));
            }
        }
    }
}

fn become_command(command: &Arguments, before: Signals) -> ! {
    kernel::lead_foreground_group();
    kernel::set_signals(before);
    let errno = kernel::execute(command);
    fail_of(command, errno)
}

fn fail_of(command: &Arguments, errno: Errno) -> ! {
    kernel::say(b"husk-init: exec ");
    kernel::say(command.path());
    match errno {
        ENOENT => fail(b": no such file or directory\n", NOT_FOUND),
        _ => fail(b": cannot be executed\n", NOT_EXECUTABLE),
    }
}

fn fail(text: &[u8], code: i32) -> ! {
    kernel::say(text);
    kernel::exit(code)
}

/// The shell's convention, out of what wait(2) tells.
fn code(status: i32) -> i32 {
    match status & 0x7f {
        0 => (status >> 8) & 0xff,
        signal => 128 + signal,
    }
}

#[panic_handler]
fn panicked(_: &PanicInfo<'_>) -> ! {
    kernel::exit(255)
}
