//! The pod's namespaces that the container shares: the helper is in them before libcontainer runs, which then finds them
//! as its own. Only the process namespace must be joined by libcontainer itself: its next child is the container's.

use std::{
    io,
    os::fd::{AsFd, OwnedFd, RawFd},
};

use rustix::{
    system::{setdomainname, sethostname},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

use super::fds::adopt;
use crate::process::{Names, Shared};

/// Descriptors that the agent left open, owned.
pub(super) struct Inherited {
    pub(super) net: Option<OwnedFd>,
    /// The specification names it by its number, so it stays open.
    _user: Option<OwnedFd>,
    ipc: Option<OwnedFd>,
    uts: Option<OwnedFd>,
    /// So does this.
    _pid: Option<OwnedFd>,
}

impl Inherited {
    pub(super) fn of(shared: Shared) -> io::Result<Self> {
        let own = |number: Option<RawFd>| number.map(adopt).transpose();
        Ok(Self {
            net: own(shared.net)?,
            _user: own(shared.user)?,
            ipc: own(shared.ipc)?,
            uts: own(shared.uts)?,
            _pid: own(shared.pid)?,
        })
    }

    /// Joins what the helper itself must be in. A name that the specification gives is then the pod's, as in runc.
    pub(super) fn join(&self, names: &Names) -> io::Result<()> {
        let join = |fd: &OwnedFd, kind| move_into_link_name_space(fd.as_fd(), Some(kind));
        if let Some(ipc) = &self.ipc {
            join(ipc, LinkNameSpaceType::InterProcessCommunication)?;
        }
        let Some(uts) = &self.uts else {
            return Ok(());
        };
        join(uts, LinkNameSpaceType::HostNameAndNISDomainName)?;
        if let Some(host) = &names.host {
            sethostname(host.as_bytes())?;
        }
        if let Some(domain) = &names.domain {
            setdomainname(domain.as_bytes())?;
        }
        Ok(())
    }
}
