//! Makes the process: the second unsafe room of `exec`.
//!
//! The agent has one thread and waits for the joiner to end, as `vfork` does; the joiner does nothing that could wait
//! for a container. The new process is the joiner's sibling (`CLONE_PARENT`), so the agent learns of its end.

use std::{
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    ptr,
    sync::Arc,
};

use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    io::Errno,
    pipe::{PipeFlags, pipe_with},
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout},
    thread::{ThreadNameSpaceType, move_into_thread_name_spaces},
};

use super::{
    child::{Orders, Target, run},
    outcome::{Starting, Step, Stumble, Words},
    plan::Plan,
    strings::pointers,
};
use crate::process::{
    ChildEnds, ExitWatch, FIRST_OTHER, LaunchError, Reaper, checked, close_range, vfork,
};

/// Why there is no process.
#[derive(Debug)]
pub(crate) enum SpawnError {
    /// The cgroup takes no processes, because the container made cgroups below it and gave them its controllers.
    CgroupBusy,
    /// What it looks like when the container's first process ends; or memory is really short.
    InitEnding(LaunchError),
    /// Anything else.
    Failed(LaunchError),
}

impl From<Errno> for SpawnError {
    fn from(errno: Errno) -> Self {
        Self::Failed(LaunchError::Helper(errno.into()))
    }
}

/// A process that was made.
#[derive(Debug)]
pub(crate) struct Spawned {
    /// Its pid in the agent's namespace.
    pub(crate) pid: u32,
    /// Tells its end.
    pub(crate) exit: ExitWatch,
    /// Tells when its command runs, or why not.
    pub(crate) starting: Starting,
}

/// What the joiner leaves in the agent's memory, which it shares.
#[derive(Clone, Copy)]
enum Answer {
    None,
    Made(u32),
    Failed(Stumble),
}

struct Job<'a> {
    orders: Orders<'a>,
    ends: &'a ChildEnds,
    answer: Answer,
}

/// `struct clone_args` of linux/sched.h.
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Makes a process out of a plan.
pub(crate) fn spawn(
    reaper: &Arc<Reaper>,
    plan: &Plan,
    target: Target<'_>,
    ends: &ChildEnds,
) -> Result<Spawned, SpawnError> {
    let (report_read, report_write) = pipe_with(PipeFlags::CLOEXEC)?;
    let starting = Starting::new(report_read, Words::of(plan))
        .map_err(|error| SpawnError::Failed(error.into()))?;
    let launching = reaper.launch();
    let (args, environment) = (pointers(&plan.args), pointers(&plan.environment));
    let mut job = Job {
        orders: Orders {
            plan,
            target,
            report: report_write.as_fd(),
            args: &args,
            environment: &environment,
        },
        ends,
        answer: Answer::None,
    };
    vfork(&mut job, 0, join)?;
    match job.answer {
        Answer::Made(pid) => Ok(Spawned {
            pid,
            exit: launching.claim(pid),
            starting,
        }),
        Answer::Failed(stumble) if stumble.step == Step::Clone && stumble.errno == Errno::BUSY => {
            Err(SpawnError::CgroupBusy)
        }
        Answer::Failed(stumble) => {
            let error = stumble.into_error(&Words::of(plan));
            Err(match stumble.may_be_dead_init() {
                true => SpawnError::InitEnding(error),
                false => SpawnError::Failed(error),
            })
        }
        Answer::None => Err(SpawnError::Failed(LaunchError::Silent)),
    }
}

/// The joiner leaves its answer in the job.
fn join(job: &mut Job<'_>) {
    job.answer = match join_and_clone(job) {
        Ok(pid) => Answer::Made(pid),
        Err(stumble) => Answer::Failed(stumble),
    };
}

fn join_and_clone(job: &Job<'_>) -> Result<u32, Stumble> {
    let Orders { plan, target, .. } = &job.orders;
    if let Some(score) = &plan.oom_score_adj {
        // Its own, because the kernel leaves a vforked child's sharers alone; its children inherit it.
        set_oom_score(score).map_err(Stumble::at(Step::OomScore))?;
    }
    move_into_thread_name_spaces(
        target.init,
        ThreadNameSpaceType::MOUNT
            | ThreadNameSpaceType::PROCESS_ID
            | ThreadNameSpaceType::NETWORK
            | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
            | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME,
    )
    .map_err(Stumble::at(Step::Namespaces))?;
    take_descriptors(job).map_err(Stumble::at(Step::Streams))?;
    let pid = clone_into(target.cgroup).map_err(Stumble::at(Step::Clone))?;
    if pid == 0 {
        run(&job.orders);
    }
    Ok(pid)
}

fn set_oom_score(score: &str) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let file = openat(CWD, c"/proc/self/oom_score_adj", flags, Mode::empty())?;
    rustix::io::write(&file, score.as_bytes()).map(drop)
}

/// Standard streams, and of all else only what the process needs before `execve`. The agent's own are above 2.
fn take_descriptors(job: &Job<'_>) -> Result<(), Errno> {
    dup2_stdin(&job.ends.stdin)?;
    dup2_stdout(&job.ends.stdout)?;
    dup2_stderr(&job.ends.stderr)?;
    let Orders { report, target, .. } = &job.orders;
    let mut kept = [*report, target.init, target.cgroup]
        .map(|fd| u32::try_from(fd.as_raw_fd()).unwrap_or(u32::MAX));
    kept.sort_unstable();
    let mut first = FIRST_OTHER;
    for fd in kept {
        if first < fd {
            close_range(first, fd - 1, 0)?;
        }
        first = fd.saturating_add(1);
    }
    close_range(first, u32::MAX, 0)
}

/// The pid of the new process in the agent's namespace, and 0 in that process itself.
fn clone_into(cgroup: BorrowedFd<'_>) -> Result<u32, Errno> {
    let flags = u64::try_from(libc::CLONE_PARENT).unwrap_or(0) | CLONE_INTO_CGROUP;
    let args = CloneArgs {
        flags,
        cgroup: u64::try_from(cgroup.as_raw_fd()).unwrap_or(u64::MAX),
        ..CloneArgs::default()
    };
    // SAFETY: the kernel reads one `clone_args` of the size that it is told, and writes nothing. Without CLONE_VM the
    // new process has a copy of all memory, this stack included, and goes on from here alone; it calls only what needs
    // no lock that another thread might have held.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, ptr::from_ref(&args), size_of_val(&args)) };
    let pid = checked(pid)?;
    u32::try_from(pid).map_err(|_| Errno::RANGE)
}

/// linux/sched.h
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Opens a cgroup's directory for [`Target::cgroup`].
pub(crate) fn open_cgroup(directory: &std::path::Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, directory, flags, Mode::empty())
}
