//! Limits of a process, `process.rlimits`.
//!
//! A process takes its own as one of the last things before `execve`: what makes a container needs more open files, stack
//! and memory than its command may have. Hard limits can be raised only outside of a user namespace, so there is room for
//! them before.

use std::io;

use oci_spec::runtime::{PosixRlimit, PosixRlimitType};
use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

/// Of `process.rlimits`, in its order.
///
/// # Errors
/// A soft limit above its hard one, a resource that is named twice.
pub(crate) fn process_limits(limits: &[PosixRlimit]) -> Result<Vec<(Resource, Rlimit)>, String> {
    let mut seen = Vec::new();
    for limit in limits {
        if limit.soft() > limit.hard() {
            return Err(format!(
                "process.rlimits: soft {} of {} is more than hard {}",
                limit.soft(),
                limit.typ(),
                limit.hard()
            ));
        }
        let resource = resource(limit.typ());
        if seen.iter().any(|(known, _)| *known == resource) {
            return Err(format!("process.rlimits names {} twice", limit.typ()));
        }
        let limit = Rlimit {
            current: value(limit.soft()),
            maximum: value(limit.hard()),
        };
        seen.push((resource, limit));
    }
    Ok(seen)
}

fn resource(kind: PosixRlimitType) -> Resource {
    match kind {
        PosixRlimitType::RlimitCpu => Resource::Cpu,
        PosixRlimitType::RlimitFsize => Resource::Fsize,
        PosixRlimitType::RlimitData => Resource::Data,
        PosixRlimitType::RlimitStack => Resource::Stack,
        PosixRlimitType::RlimitCore => Resource::Core,
        PosixRlimitType::RlimitRss => Resource::Rss,
        PosixRlimitType::RlimitNproc => Resource::Nproc,
        PosixRlimitType::RlimitNofile => Resource::Nofile,
        PosixRlimitType::RlimitMemlock => Resource::Memlock,
        PosixRlimitType::RlimitAs => Resource::As,
        PosixRlimitType::RlimitLocks => Resource::Locks,
        PosixRlimitType::RlimitSigpending => Resource::Sigpending,
        PosixRlimitType::RlimitMsgqueue => Resource::Msgqueue,
        PosixRlimitType::RlimitNice => Resource::Nice,
        PosixRlimitType::RlimitRtprio => Resource::Rtprio,
        PosixRlimitType::RlimitRttime => Resource::Rttime,
    }
}

/// Raises hard limits of this process to those that a later process is to have, and lowers none.
///
/// # Errors
/// The limit that the kernel refuses, and its answer.
pub(crate) fn make_room(limits: &[PosixRlimit]) -> io::Result<()> {
    for limit in limits {
        let resource = resource(limit.typ());
        let now = getrlimit(resource);
        let most = now.maximum.is_some_and(|most| most < limit.hard());
        if most {
            let maximum = value(limit.hard());
            let room = Rlimit { maximum, ..now };
            setrlimit(resource, room).map_err(|error| refused(limit, error))?;
        }
    }
    Ok(())
}

/// Takes the limits on.
///
/// # Errors
/// As [`make_room`].
pub(crate) fn take_limits(limits: &[PosixRlimit]) -> io::Result<()> {
    for limit in limits {
        let taken = Rlimit {
            current: value(limit.soft()),
            maximum: value(limit.hard()),
        };
        setrlimit(resource(limit.typ()), taken).map_err(|error| refused(limit, error))?;
    }
    Ok(())
}

fn refused(limit: &PosixRlimit, error: Errno) -> io::Error {
    let (kind, soft, hard) = (limit.typ(), limit.soft(), limit.hard());
    let text = format!("process.rlimits: {kind} of {soft}, hard {hard}: {error}");
    io::Error::new(error.kind(), text)
}

fn value(value: u64) -> Option<u64> {
    (value != libc::RLIM_INFINITY).then_some(value)
}

#[cfg(test)]
mod tests;
