//! The pod's namespaces, for containers that share them.

use std::{os::fd::OwnedFd, sync::Arc};

use husk_protocol::agent::SharedNamespaces;

use crate::{
    container::{cgroup::Cgroup, error::ContainerError, table::Agent},
    pod::{PodError, Sharing},
};

/// The cgroup of process 1 of a shared process namespace; no container's name is like it.
const INIT: &str = "init";

impl Agent {
    /// What a container shares; what is not there yet is made.
    pub(super) async fn share(
        &self,
        wanted: Option<&SharedNamespaces>,
    ) -> Result<Sharing, ContainerError> {
        let Some(wanted) = wanted else {
            return Ok(Sharing::default());
        };
        let cgroup = Cgroup::of(INIT).directory();
        let mut pod = self.pod.lock().await;
        if wanted.pid && !pod.has_init() && !cgroup.exists() {
            self.make_cgroup(&Cgroup::of(INIT), None)?;
        }
        Ok(pod.share(wanted, &self.reaper, &cgroup).await?)
    }

    /// The network namespace of all that share theirs, whether there is one already or not.
    pub(super) async fn pods_network(&self) -> Result<Arc<OwnedFd>, ContainerError> {
        let wanted = SharedNamespaces {
            net: true,
            ..SharedNamespaces::default()
        };
        let network = self.share(Some(&wanted)).await?.network();
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
            PodError::Make { what, source } => Self::Io {
                what: format!("make {what} of the pod"),
                source,
            },
        }
    }
}
