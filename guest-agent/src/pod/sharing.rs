//! What a container has that is not its own, held open for it.

use std::{
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use crate::process::Shared;

/// Namespaces of a container that are not its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sharing {
    pub(super) user: Option<Arc<OwnedFd>>,
    pub(super) net: Option<Arc<OwnedFd>>,
    pub(super) ipc: Option<Arc<OwnedFd>>,
    pub(super) uts: Option<Arc<OwnedFd>>,
    pub(super) pid: Option<Arc<OwnedFd>>,
}

impl Sharing {
    /// As a helper that inherits them knows them.
    pub(crate) fn numbers(&self) -> Shared {
        let number = |fd: &Option<Arc<OwnedFd>>| fd.as_ref().map(|fd| fd.as_raw_fd());
        Shared {
            user: number(&self.user),
            net: number(&self.net),
            ipc: number(&self.ipc),
            uts: number(&self.uts),
            pid: number(&self.pid),
        }
    }

    /// Whether its processes are among those of the pod.
    pub(crate) fn has_processes(&self) -> bool {
        self.pid.is_some()
    }

    /// The user namespace.
    pub(crate) fn user(&self) -> Option<BorrowedFd<'_>> {
        self.user.as_ref().map(|fd| fd.as_fd())
    }

    /// The network namespace.
    pub(crate) fn network(self) -> Option<Arc<OwnedFd>> {
        self.net
    }

    /// What a helper inherits.
    pub(crate) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let all = [&self.user, &self.net, &self.ipc, &self.uts, &self.pid];
        all.into_iter().flatten().map(|fd| fd.as_fd()).collect()
    }
}
