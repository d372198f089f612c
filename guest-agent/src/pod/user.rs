//! A user namespace and namespaces that belong to it. A process makes them in its birth, and holds them until the agent,
//! which alone may say what their ids are outside, has them open.

use std::{
    ffi::c_char,
    fs::{self, File},
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    ptr,
    sync::Arc,
};

use nix::sched::CloneFlags;
use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process},
};

use super::sharing::Sharing;
use crate::{
    init::{NAME, become_program, program},
    network::loopback_up_in,
    process::{Reaper, vfork},
};

/// What the process works with.
struct Job<'a> {
    program: BorrowedFd<'a>,
    failed: Option<Errno>,
}

/// Makes a user namespace with these lines of ids (users, groups) and those of `others` inside of it.
pub(crate) async fn make_user(
    reaper: &Arc<Reaper>,
    others: CloneFlags,
    ids: &[String; 2],
) -> io::Result<Sharing> {
    let program = program()?;
    let launching = reaper.launch();
    let mut job = Job {
        program: program.as_fd(),
        failed: None,
    };
    let kinds = CloneFlags::CLONE_NEWUSER | others;
    let pid = vfork(&mut job, kinds.bits(), |job| {
        job.failed = Some(hold(job.program));
    });
    if let Some(errno) = job.failed {
        return Err(errno.into());
    }
    let pid = pid?;
    let mut exit = launching.claim(pid);
    let made = take_over(pid, others, ids);
    let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
    kill_process(number.ok_or(Errno::SRCH)?, Signal::KILL)?;
    // Fails only with the agent.
    let _ = exit.wait_for(Option::is_some).await;
    made
}

/// Becomes a program that waits to be killed; returns only when that failed.
fn hold(program: BorrowedFd<'_>) -> Errno {
    let arguments = [NAME.as_ptr(), ptr::null()];
    let environment: [*const c_char; 1] = [ptr::null()];
    let error = become_program(program, &arguments, &environment);
    Errno::from_io_error(&error).unwrap_or(Errno::NOEXEC)
}

fn take_over(pid: u32, others: CloneFlags, [uids, gids]: &[String; 2]) -> io::Result<Sharing> {
    fs::write(format!("/proc/{pid}/uid_map"), uids)?;
    fs::write(format!("/proc/{pid}/gid_map"), gids)?;
    let open = |kind, name: &str| {
        let file = others
            .contains(kind)
            .then(|| File::open(format!("/proc/{pid}/ns/{name}")));
        Ok::<_, io::Error>(file.transpose()?.map(|file| Arc::new(OwnedFd::from(file))))
    };
    let net = open(CloneFlags::CLONE_NEWNET, "net")?;
    if let Some(net) = &net {
        loopback_up_in(net)?;
    }
    let user = File::open(format!("/proc/{pid}/ns/user"))?;
    Ok(Sharing {
        user: Some(Arc::new(user.into())),
        net,
        ipc: open(CloneFlags::CLONE_NEWIPC, "ipc")?,
        uts: open(CloneFlags::CLONE_NEWUTS, "uts")?,
        pid: None,
    })
}
