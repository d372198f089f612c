//! One set of namespaces for all containers that share, made kind by kind as they are asked for.

use std::{
    fs::{File, create_dir_all},
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::Path,
    sync::Arc,
    thread,
};

use husk_protocol::agent::SharedNamespaces;
use nix::sched::{CloneFlags, unshare};
use thiserror::Error;

use super::init::{EMPTY, Home, PodInit, start};
use crate::{
    network::loopback_up,
    process::{Reaper, Shared},
};

/// Why a container cannot share.
#[derive(Debug, Error)]
pub(crate) enum PodError {
    /// With it went every process of the namespace, and there will be no other.
    #[error("init of the pod's processes has ended")]
    InitEnded,
    /// The kernel does not make what is needed.
    #[error("make {what} of the pod")]
    Make {
        /// What was to be made.
        what: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}

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

/// The pod's namespaces, as far as somebody has asked for them.
#[derive(Debug, Default)]
pub(crate) struct PodNamespaces {
    net: Option<Arc<OwnedFd>>,
    ipc: Option<Arc<OwnedFd>>,
    uts: Option<Arc<OwnedFd>>,
    init: Option<PodInit>,
}

impl PodNamespaces {
    /// Whether process 1 of the shared process namespace was made.
    pub(crate) fn has_init(&self) -> bool {
        self.init.is_some()
    }

    /// What is wanted of them; what is not there yet is made. Process 1, if it is to be, goes into `cgroup`.
    pub(crate) async fn share(
        &mut self,
        wanted: &SharedNamespaces,
        reaper: &Arc<Reaper>,
        cgroup: &Path,
    ) -> Result<Sharing, PodError> {
        // Process 1 has nothing of the agent's, so it lives in the pod's whatever its containers do.
        let (net, ipc, uts) = (
            wanted.net || wanted.pid,
            wanted.ipc || wanted.pid,
            wanted.uts || wanted.pid,
        );
        self.fill(net, ipc, uts)?;
        let pid = match wanted.pid {
            true => Some(self.processes(reaper, cgroup).await?),
            false => None,
        };
        let of = |fd: &Option<Arc<OwnedFd>>, is_wanted| fd.clone().filter(|_| is_wanted);
        Ok(Sharing {
            user: None,
            net: of(&self.net, wanted.net),
            ipc: of(&self.ipc, wanted.ipc),
            uts: of(&self.uts, wanted.uts),
            pid,
        })
    }

    fn fill(&mut self, net: bool, ipc: bool, uts: bool) -> Result<(), PodError> {
        let mut missing = CloneFlags::empty();
        let kinds = [
            (net, &self.net, CloneFlags::CLONE_NEWNET),
            (ipc, &self.ipc, CloneFlags::CLONE_NEWIPC),
            (uts, &self.uts, CloneFlags::CLONE_NEWUTS),
        ];
        for (is_wanted, held, kind) in kinds {
            missing.set(kind, is_wanted && held.is_none());
        }
        if missing.is_empty() {
            return Ok(());
        }
        let made = make(missing).map_err(|source| PodError::Make {
            what: "namespaces",
            source,
        })?;
        self.net = made.net.or_else(|| self.net.take());
        self.ipc = made.ipc.or_else(|| self.ipc.take());
        self.uts = made.uts.or_else(|| self.uts.take());
        Ok(())
    }

    /// The shared process namespace, as long as its process 1 lives.
    async fn processes(
        &mut self,
        reaper: &Arc<Reaper>,
        cgroup: &Path,
    ) -> Result<Arc<OwnedFd>, PodError> {
        if let Some(init) = &self.init {
            return match init.has_ended() {
                true => Err(PodError::InitEnded),
                false => Ok(init.namespace()),
            };
        }
        let failed = |source| PodError::Make {
            what: "init",
            source,
        };
        create_dir_all(Path::new(EMPTY)).map_err(failed)?;
        let home = Home {
            cgroup,
            namespaces: [&self.net, &self.ipc, &self.uts]
                .into_iter()
                .flatten()
                .map(|fd| fd.as_fd())
                .collect(),
        };
        let init = start(reaper, &home).await.map_err(failed)?;
        let namespace = init.namespace();
        self.init = Some(init);
        Ok(namespace)
    }

    /// Ends process 1 and with it whatever is left in the shared process namespace.
    pub(crate) async fn end(&mut self) {
        if let Some(init) = self.init.take() {
            init.end().await;
        }
    }
}

/// In a thread of its own: the agent itself stays where it is.
fn make(kinds: CloneFlags) -> io::Result<Sharing> {
    let work = || {
        unshare(kinds)?;
        if kinds.contains(CloneFlags::CLONE_NEWNET) {
            loopback_up()?;
        }
        let open = |kind, name: &str| {
            let file = kinds
                .contains(kind)
                .then(|| File::open(format!("/proc/thread-self/ns/{name}")));
            Ok::<_, io::Error>(file.transpose()?.map(|file| Arc::new(file.into())))
        };
        Ok(Sharing {
            user: None,
            net: open(CloneFlags::CLONE_NEWNET, "net")?,
            ipc: open(CloneFlags::CLONE_NEWIPC, "ipc")?,
            uts: open(CloneFlags::CLONE_NEWUTS, "uts")?,
            pid: None,
        })
    };
    let made = thread::scope(|scope| scope.spawn(work).join());
    made.unwrap_or_else(|_| Err(io::Error::other("thread panicked")))
}
