//! What the containers of the pod share: namespaces, held by descriptors until the machine ends.
//!
//! `namespaces` makes each kind when it is first asked for; `init` starts process 1 of the shared process namespace.
//! Called by `container`; may use `init`, `network`, `helper` and `process`.

mod init;
mod namespaces;

pub(crate) use namespaces::{PodError, PodNamespaces, Sharing};
