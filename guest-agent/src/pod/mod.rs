//! What the containers of the pod share: namespaces, held by descriptors until the machine ends.
//!
//! `namespaces` makes each kind when it is first asked for; `init` starts process 1 of the shared process namespace;
//! `user` makes user namespaces, which no container shares so far.
//! Called by `container`; may use `init`, `network`, `helper` and `process`.

mod init;
mod namespaces;
mod user;

pub(crate) use namespaces::{PodError, PodNamespaces, Sharing};
pub(crate) use user::make_user;
