//! The pod's namespaces, for containers that share them.

use std::{os::fd::OwnedFd, sync::Arc};

use husk_protocol::agent::SharedNamespaces;
use nix::sched::CloneFlags;

use crate::{
    container::{cgroup::Cgroup, error::ContainerError, ids::Ids, spec::Kinds, table::Agent},
    pod::{PodError, Sharing, make_user},
};

/// The cgroup of process 1 of a shared process namespace; no container's name is like it.
const INIT: &str = "init";

/// The kinds that are wanted.
pub(super) fn kinds(wanted: Option<&SharedNamespaces>) -> Kinds {
    wanted.map_or_else(Kinds::default, |wanted| Kinds {
        net: wanted.net,
        ipc: wanted.ipc,
        uts: wanted.uts,
        pid: wanted.pid,
    })
}

impl Agent {
    /// What a container shares, and what must be there before it; what is not there yet is made.
    pub(super) async fn share(
        &self,
        wanted: Option<&SharedNamespaces>,
        ids: Option<&Ids>,
    ) -> Result<Sharing, ContainerError> {
        let nothing = SharedNamespaces::default();
        let wanted = wanted.unwrap_or(&nothing);
        let shares = wanted.net || wanted.ipc || wanted.uts || wanted.pid;
        match ids {
            None if !shares => Ok(Sharing::default()),
            None => self.share_unmapped(wanted).await,
            // The network namespace in it: of another one the container could not mount `sysfs`.
            Some(ids) if !shares => make_user(&self.reaper, CloneFlags::CLONE_NEWNET, &ids.lines())
                .await
                .map_err(ContainerError::io("make user namespace")),
            Some(ids) => {
                let mut pod = self.pod.lock().await;
                Ok(pod.share_mapped(wanted, &self.reaper, ids.lines()).await?)
            }
        }
    }

    async fn share_unmapped(&self, wanted: &SharedNamespaces) -> Result<Sharing, ContainerError> {
        let cgroup = Cgroup::of(INIT).directory();
        let mut pod = self.pod.lock().await;
        if wanted.pid && !pod.has_init() && !cgroup.exists() {
            self.make_cgroup(&Cgroup::of(INIT), None)?;
        }
        Ok(pod.share(wanted, &self.reaper, &cgroup).await?)
    }

    /// The network namespace of all that share theirs, whether there is one already or not.
    pub(super) async fn pods_network(&self) -> Result<Arc<OwnedFd>, ContainerError> {
        if let Some(network) = self.pod.lock().await.network() {
            return Ok(network);
        }
        let wanted = SharedNamespaces {
            net: true,
            ..SharedNamespaces::default()
        };
        let network = self.share_unmapped(&wanted).await?.network();
        network.ok_or_else(|| ContainerError::NotFound("network of the pod".to_owned()))
    }
}

impl From<PodError> for ContainerError {
    fn from(error: PodError) -> Self {
        match error {
            PodError::InitEnded => Self::State {
                what: "init of the pod's processes".to_owned(),
                state: "stopped",
            },
            PodError::OtherIds => Self::Invalid(
                "linux.uidMappings and linux.gidMappings are not those of the pod's user namespace"
                    .to_owned(),
            ),
            PodError::OtherUser => Self::Unsupported(
                "sharing namespaces with containers of another user namespace".to_owned(),
            ),
            PodError::Make { what, source } => Self::Io {
                what: format!("make {what} of the pod"),
                source,
            },
        }
    }
}
