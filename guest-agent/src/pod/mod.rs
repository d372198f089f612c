//! What the containers of the pod share: namespaces, held by descriptors until the machine ends.
//!
//! `sharing` is what one container gets of it; `namespaces` makes each kind when it is first asked for; `init` starts
//! process 1 of the shared process namespace; `user` makes user namespaces, a container's own or the pod's with all that
//! belongs to it.
//! Called by `container`; may use `init`, `network`, `helper` and `process`.

mod init;
mod namespaces;
mod sharing;
mod user;

pub(crate) use namespaces::{PodError, PodNamespaces};
pub(crate) use sharing::Sharing;
pub(crate) use user::make_user;
