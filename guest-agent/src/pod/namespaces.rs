//! One set of namespaces for all containers that share, made kind by kind as they are asked for.

use std::{
    fs::{File, create_dir_all},
    io::{self, ErrorKind},
    os::fd::{AsFd, OwnedFd},
    path::Path,
    sync::Arc,
    thread,
};

use husk_protocol::agent::SharedNamespaces;
use nix::sched::{CloneFlags, unshare};
use thiserror::Error;

use super::{
    init::{EMPTY, Home, PodInit, start},
    sharing::Sharing,
    user::make_user,
};
use crate::{network::loopback_up, process::Reaper};

/// Why a container cannot share.
#[derive(Debug, Error)]
pub(crate) enum PodError {
    /// With it went every process of the namespace, and there will be no other.
    #[error("init of the pod's processes has ended")]
    InitEnded,
    /// All of them share one user namespace.
    #[error("ids are not those of the pod's user namespace")]
    OtherIds,
    /// What there is to be shared belongs to another user namespace.
    #[error("the pod's namespaces belong to another user namespace")]
    OtherUser,
    /// The kernel does not make what is needed.
    #[error("make {what} of the pod")]
    Make {
        /// What was to be made.
        what: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}

/// The pod's namespaces, as far as somebody has asked for them.
#[derive(Debug, Default)]
pub(crate) struct PodNamespaces {
    net: Option<Arc<OwnedFd>>,
    ipc: Option<Arc<OwnedFd>>,
    uts: Option<Arc<OwnedFd>>,
    init: Option<PodInit>,
    /// The user namespace that they belong to, if they were made for containers that have one.
    user: Option<Mapped>,
}

#[derive(Debug)]
struct Mapped {
    namespace: Arc<OwnedFd>,
    /// Lines of its users and groups.
    ids: [String; 2],
}

impl PodNamespaces {
    /// Whether process 1 of the shared process namespace was made.
    pub(crate) fn has_init(&self) -> bool {
        self.init.is_some()
    }

    /// The network namespace, if there is one.
    pub(crate) fn network(&self) -> Option<Arc<OwnedFd>> {
        self.net.clone()
    }

    /// What is wanted of them by a container in a user namespace with these ids. The first one makes them, all at once:
    /// they belong to its user namespace for good.
    pub(crate) async fn share_mapped(
        &mut self,
        wanted: &SharedNamespaces,
        reaper: &Arc<Reaper>,
        ids: [String; 2],
    ) -> Result<Sharing, PodError> {
        let namespace = match &self.user {
            Some(user) if user.ids != ids => return Err(PodError::OtherIds),
            Some(user) => Arc::clone(&user.namespace),
            None => self.make_mapped(reaper, ids).await?,
        };
        Ok(Sharing {
            user: Some(namespace),
            ..self.of(wanted)
        })
    }

    async fn make_mapped(
        &mut self,
        reaper: &Arc<Reaper>,
        ids: [String; 2],
    ) -> Result<Arc<OwnedFd>, PodError> {
        let failed = |source| PodError::Make {
            what: "user namespace",
            source,
        };
        if self.net.is_some() || self.ipc.is_some() || self.uts.is_some() {
            return Err(PodError::OtherUser);
        }
        let kinds = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
        let made = make_user(reaper, kinds, &ids).await.map_err(failed)?;
        let namespace = made
            .user
            .ok_or_else(|| failed(ErrorKind::NotFound.into()))?;
        (self.net, self.ipc, self.uts) = (made.net, made.ipc, made.uts);
        self.user = Some(Mapped {
            namespace: Arc::clone(&namespace),
            ids,
        });
        Ok(namespace)
    }

    /// What is there of what is wanted, but for processes.
    fn of(&self, wanted: &SharedNamespaces) -> Sharing {
        let held = |fd: &Option<Arc<OwnedFd>>, is_wanted| fd.clone().filter(|_| is_wanted);
        Sharing {
            user: None,
            net: held(&self.net, wanted.net),
            ipc: held(&self.ipc, wanted.ipc),
            uts: held(&self.uts, wanted.uts),
            pid: None,
        }
    }

    /// What is wanted of them; what is not there yet is made. Process 1, if it is to be, goes into `cgroup`.
    pub(crate) async fn share(
        &mut self,
        wanted: &SharedNamespaces,
        reaper: &Arc<Reaper>,
        cgroup: &Path,
    ) -> Result<Sharing, PodError> {
        if self.user.is_some() {
            return Err(PodError::OtherUser);
        }
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
        Ok(Sharing {
            pid,
            ..self.of(wanted)
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
