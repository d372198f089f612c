//! Where an answer goes.

use tokio::sync::oneshot;

use crate::pod::error::PodError;

/// The door's end of a wish.
pub(in crate::pod) type Reply<T> = oneshot::Sender<Result<T, PodError>>;
