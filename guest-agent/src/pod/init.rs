//! Process 1 of the pod's shared process namespace: a small program that has nothing of the agent's, neither memory nor
//! descriptors, directories, cgroup, namespaces or privileges. Containers can see it, and one with CAP_SYS_PTRACE can
//! do more than that.
//!
//! It is made as an exec is: a `vfork`ed child, which shares the agent's memory and allocates nothing, gives up one
//! thing after the other and executes the program. The agent, which has one thread, waits for that.

use std::{
    ffi::c_char,
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    ptr,
    sync::Arc,
};

use nix::sched::{CloneFlags, unshare};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{CWD, Mode, OFlags, openat},
    io::Errno,
    mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount},
    pipe::{PipeFlags, pipe_with},
    process::{Pid, PidfdFlags, Signal, chdir, pidfd_open, pidfd_send_signal, pivot_root, setsid},
    stdio::{dup2_stderr, dup2_stdout, stdin},
    thread::move_into_link_name_space,
};
use tokio::{io::AsyncReadExt, net::unix::pipe};

use crate::{
    helper::take,
    init::{NAME, become_program, program},
    process::{ExitWatch, FIRST_OTHER, Privileges, Reaper, close_range, vfork},
};

/// Where the program's root is mounted, for itself alone.
pub(super) const EMPTY: &str = "/run/husk/empty";

/// A running process 1.
#[derive(Debug)]
pub(super) struct PodInit {
    process: OwnedFd,
    exit: ExitWatch,
    namespace: Arc<OwnedFd>,
}

/// Where it is to live.
pub(super) struct Home<'a> {
    pub(super) cgroup: &'a Path,
    /// Of the pod, to be joined.
    pub(super) namespaces: Vec<BorrowedFd<'a>>,
}

impl PodInit {
    /// Whether it has ended, as the kernel knows it: the agent may be told later.
    pub(super) fn has_ended(&self) -> bool {
        let mut ended = [PollFd::new(&self.process, PollFlags::IN)];
        poll(&mut ended, Some(&Timespec::default())).is_ok_and(|count| count > 0)
    }

    /// The process namespace.
    pub(super) fn namespace(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.namespace)
    }

    /// Kills it; the kernel kills the rest of the namespace.
    pub(super) async fn end(mut self) {
        if pidfd_send_signal(&self.process, Signal::KILL).is_ok() {
            let _ = self.exit.wait_for(Option::is_some).await;
        }
    }
}

/// What the child works with: everything was made before.
struct Job<'a> {
    home: &'a Home<'a>,
    processes: BorrowedFd<'a>,
    program: BorrowedFd<'a>,
    ready: BorrowedFd<'a>,
    failed: Option<Errno>,
}

/// Makes the process; answers when it holds its namespace.
pub(super) async fn start(reaper: &Arc<Reaper>, home: &Home<'_>) -> io::Result<PodInit> {
    let program = program()?;
    let (ready, write) = pipe_with(PipeFlags::CLOEXEC)?;
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let processes = openat(CWD, home.cgroup.join("cgroup.procs"), flags, Mode::empty())?;
    let launching = reaper.launch();
    let pid = make(Job {
        home,
        processes: processes.as_fd(),
        program: program.as_fd(),
        ready: write.as_fd(),
        failed: None,
    })?;
    let exit = launching.claim(pid);
    let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let process = pidfd_open(number.ok_or(Errno::SRCH)?, PidfdFlags::empty())?;
    drop(write);
    let mut byte = [0];
    if pipe::Receiver::from_owned_fd(ready)?
        .read(&mut byte)
        .await?
        == 0
    {
        return Err(io::Error::other("it ended before it was ready"));
    }
    let namespace: OwnedFd = File::open(format!("/proc/{pid}/ns/pid"))?.into();
    Ok(PodInit {
        process,
        exit,
        namespace: Arc::new(namespace),
    })
}

/// Its pid in the agent's namespace.
fn make(mut job: Job<'_>) -> Result<u32, Errno> {
    let pid = vfork(&mut job, libc::CLONE_NEWPID, |job| {
        job.failed = become_init(job).err();
    });
    match job.failed {
        Some(errno) => Err(errno),
        None => pid,
    }
}

/// Returns only when something failed.
fn become_init(job: &Job<'_>) -> Result<(), Errno> {
    // "0" is the process that writes, by whatever number.
    rustix::io::write(job.processes, b"0")?;
    for namespace in &job.home.namespaces {
        move_into_link_name_space(*namespace, None)?;
    }
    let own = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWCGROUP;
    unshare(own).map_err(|errno| Errno::from_raw_os_error(errno as i32))?;
    leave_root()?;
    setsid()?;
    take_streams(job)?;
    take(&Privileges::default())
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::PERM))?;
    Err(execute(job.program))
}

/// Into a root with nothing in it, which cannot be written either.
fn leave_root() -> Result<(), Errno> {
    mount_change(
        c"/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )?;
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount(c"none", EMPTY, c"tmpfs", flags, None)?;
    chdir(EMPTY)?;
    pivot_root(c".", c".")?;
    unmount(c".", UnmountFlags::DETACH)?;
    chdir(c"/")
}

/// /dev/null as standard streams, but for the pipe. All else is closed by `execve`.
fn take_streams(job: &Job<'_>) -> Result<(), Errno> {
    dup2_stdout(job.ready)?;
    dup2_stderr(stdin())?;
    close_range(FIRST_OTHER, u32::MAX, libc::CLOSE_RANGE_CLOEXEC)
}

/// Returns only when it failed.
fn execute(program: BorrowedFd<'_>) -> Errno {
    let arguments = [NAME.as_ptr(), ptr::null()];
    let environment: [*const c_char; 1] = [ptr::null()];
    let error = become_program(program, &arguments, &environment);
    Errno::from_io_error(&error).unwrap_or(Errno::NOEXEC)
}
