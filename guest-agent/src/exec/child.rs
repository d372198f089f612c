//! The new process before its `execve`: one of the agent's few unsafe rooms. It has a copy of the agent's memory, so it
//! may read everything that was laid out for it, and it allocates nothing: whoever held the allocator's lock when the
//! copy was made is not here to let go of it.
//!
//! The order is that of the helper, and so of a container's first process. Without no_new_privs the filter is loaded
//! while CAP_SYS_ADMIN is still held, before capabilities go; with it, last.

use std::{
    convert::Infallible,
    ffi::{CStr, c_char},
    io,
    mem::MaybeUninit,
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

use rustix::{
    fs::{Access, AtFlags, CWD, FileType, accessat, stat},
    io::Errno,
    process::{chdir, ioctl_tiocsctty, setrlimit, setsid, umask},
    stdio::stdin,
    thread::{
        CapabilitySets, ThreadNameSpaceType, capabilities, move_into_thread_name_spaces,
        set_capabilities, set_keep_capabilities, set_no_new_privs, set_thread_groups,
        set_thread_res_gid, set_thread_res_uid,
    },
};

use super::{
    outcome::{Step, Stumble},
    plan::Plan,
};
use crate::{
    helper::{take, with_effective},
    process::{checked, exit},
    seccomp::load,
};

/// Where the process goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    /// A pidfd of the container's init.
    pub(crate) init: BorrowedFd<'a>,
    /// The directory of its cgroup.
    pub(crate) cgroup: BorrowedFd<'a>,
    /// Whether the container has a user namespace of its own.
    pub(crate) user_namespace: bool,
}

/// What was laid out for the process.
pub(super) struct Orders<'a> {
    pub(super) plan: &'a Plan,
    pub(super) target: Target<'a>,
    /// Closed by `execve`.
    pub(super) report: BorrowedFd<'a>,
    /// As `execve` takes them: with a null behind the last, pointing into the plan.
    pub(super) args: &'a [*const c_char],
    pub(super) environment: &'a [*const c_char],
}

/// Becomes the command, or reports why not and ends.
pub(super) fn run(orders: &Orders<'_>) -> ! {
    let Err(stumble) = become_command(orders);
    stumble.report(orders.report);
    exit()
}

fn become_command(orders: &Orders<'_>) -> Result<Infallible, Stumble> {
    let plan = orders.plan;
    // In a user namespace no hard limit can be raised.
    for (resource, limit) in &plan.rlimits {
        setrlimit(*resource, *limit).map_err(Stumble::at(Step::Rlimits))?;
    }
    join_rest(&orders.target).map_err(Stumble::at(Step::Namespaces))?;
    setsid().map_err(Stumble::at(Step::Session))?;
    if plan.terminal {
        ioctl_tiocsctty(stdin()).map_err(Stumble::at(Step::Terminal))?;
    }
    default_signals();
    umask(plan.umask);
    if let Some(domain) = plan.personality {
        set_personality(domain).map_err(Stumble::at(Step::Personality))?;
    }
    if plan.no_new_privileges {
        set_no_new_privs(true).map_err(Stumble::at(Step::NoNewPrivileges))?;
    }
    become_user(plan)?;
    execute(orders)
}

/// What the cgroup's owner had to wait with: with the container's cgroup namespace it could not have been born into the
/// cgroup, with its user namespace it could not have joined anything else.
fn join_rest(target: &Target<'_>) -> Result<(), Errno> {
    let mut namespaces = ThreadNameSpaceType::CONTROL_GROUP;
    if target.user_namespace {
        namespaces |= ThreadNameSpaceType::USER;
    }
    move_into_thread_name_spaces(target.init, namespaces)?;
    // A directory of the agent's: it must not be reachable through /proc/self/fd once the container's paths are looked
    // up.
    close(target.cgroup)?;
    close(target.init)
}

/// The agent's own copies stay open: this process has a table of its own.
fn close(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: no precondition of memory; the number is not used after it in this process, which ends or becomes another
    // program, and no destructor of its owner runs here.
    let closed = unsafe { libc::close(fd.as_raw_fd()) };
    checked(closed.into()).map(drop)
}

/// What the agent ignores, blocks or handles is nothing that its containers should inherit.
fn default_signals() {
    let mut none = MaybeUninit::uninit();
    // SAFETY: the set is memory of the right type, which the call fills.
    unsafe { libc::sigemptyset(none.as_mut_ptr()) };
    // SAFETY: the set was filled above, and the old one is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut()) };
    // SAFETY: the disposition is one of the two constants; no handler of this process depends on it.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

fn set_personality(domain: libc::c_ulong) -> Result<(), Errno> {
    // SAFETY: no precondition; the call changes how this process sees the kernel after `execve`.
    let before = unsafe { libc::personality(domain) };
    checked(before.into()).map(drop)
}

fn become_user(plan: &Plan) -> Result<(), Stumble> {
    let entered = match chdir(plan.cwd.as_c_str()) {
        // Root of a container may be denied what its user is not.
        Err(Errno::ACCESS | Errno::PERM) => false,
        entered => entered.map(|()| true).map_err(Stumble::at(Step::Cwd))?,
    };
    set_keep_capabilities(true).map_err(Stumble::at(Step::Capabilities))?;
    set_thread_groups(&plan.groups).map_err(Stumble::at(Step::Groups))?;
    set_thread_res_gid(plan.gid, plan.gid, plan.gid).map_err(Stumble::at(Step::Group))?;
    set_thread_res_uid(plan.uid, plan.uid, plan.uid).map_err(Stumble::at(Step::User))?;
    if !entered {
        chdir(plan.cwd.as_c_str()).map_err(Stumble::at(Step::Cwd))?;
    }
    set_keep_capabilities(false).map_err(Stumble::at(Step::Capabilities))?;
    // What was kept is permitted and not effective.
    let sets = capabilities(None).map_err(Stumble::at(Step::Capabilities))?;
    let effective = sets.permitted;
    set_capabilities(None, CapabilitySets { effective, ..sets })
        .map_err(Stumble::at(Step::Capabilities))
}

/// The path of the command, as the process will see it. Looked for before the filter, which may forbid to look.
fn find(plan: &Plan) -> Result<&CStr, Stumble> {
    let searched = !plan.name.contains('/');
    let mut denied = None;
    for candidate in &plan.candidates {
        match check(candidate) {
            Ok(()) => return Ok(candidate),
            Err(Errno::ACCESS) if searched => denied = Some(Errno::ACCESS),
            Err(_) if searched => {}
            Err(Errno::NOENT) => return Err(Stumble::at(Step::Missing)(Errno::NOENT)),
            Err(errno) => return Err(Stumble::at(Step::Execute)(errno)),
        }
    }
    Err(Stumble::at(Step::Nowhere)(denied.unwrap_or(Errno::NOENT)))
}

/// Whether the user that the process has become may execute the file.
fn check(path: &CStr) -> Result<(), Errno> {
    if FileType::from_raw_mode(stat(path)?.st_mode) == FileType::Directory {
        return Err(Errno::ISDIR);
    }
    accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS)
}

fn filter(plan: &Plan) -> Result<(), Stumble> {
    let Some(program) = &plan.filter else {
        return Ok(());
    };
    load(program).map_err(|error| Stumble::at(Step::Filter)(errno_of(&error)))
}

fn errno_of(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// From the first filter on it makes only the calls that the helper makes too.
fn execute(orders: &Orders<'_>) -> Result<Infallible, Stumble> {
    let plan = orders.plan;
    let path = with_effective(&plan.privileges, || find(plan))
        .map_err(|error| Stumble::at(Step::Capabilities)(errno_of(&error)))??;
    if !plan.no_new_privileges {
        filter(plan)?;
    }
    take(&plan.privileges).map_err(|error| Stumble::at(Step::Capabilities)(errno_of(&error)))?;
    if plan.no_new_privileges {
        filter(plan)?;
    }
    Err(Stumble::at(Step::Execute)(exec(path, orders)))
}

/// Returns only when it failed.
fn exec(path: &CStr, orders: &Orders<'_>) -> Errno {
    let (args, environment) = (orders.args.as_ptr(), orders.environment.as_ptr());
    // SAFETY: the path ends with a null; both arrays hold addresses of such strings and end with a null address
    // (`strings::pointers` made them), and all of them live in the plan, which this process has a copy of.
    let failed = unsafe { libc::execve(path.as_ptr(), args, environment) };
    checked(failed.into()).err().unwrap_or(Errno::NOEXEC)
}
