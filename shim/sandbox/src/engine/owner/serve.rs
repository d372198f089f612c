//! The owner's side of its socket: who may come, how many, and for how long.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{UnixListener, UnixStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::calls::Served;
use crate::{
    engine::{
        error::{EngineError, Refused},
        wire::{Call, Link, Reply},
    },
    pod::DOOR,
    text::one_line,
};

/// The most connections at once.
const MAX_CONNECTIONS: usize = 256;

/// How long a connection may say nothing, or only half of a message.
const REQUEST_LIMIT: Duration = Duration::from_secs(120);

/// How long clients may take to hear the last answers.
const FAREWELL: Duration = Duration::from_secs(10);

/// How long to wait with the next connection when the host has no descriptor left for one.
const BREATH: Duration = Duration::from_secs(1);

/// The open door of a container's owner.
#[derive(Debug)]
pub struct Door {
    closing: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<()>,
}

/// Opens the owner's socket in its pod's directory.
///
/// # Errors
/// The socket cannot be made.
pub fn open_door(dir: &Path, served: Served) -> Result<Door, EngineError> {
    let path = dir.join(DOOR);
    let error = |error| EngineError::file(&path, error);
    let listener = UnixListener::bind(&path).map_err(error)?;
    fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(error)?;
    let (closing, closed) = watch::channel(false);
    let serving = tokio::spawn(accept(listener, Arc::new(served), closed));
    Ok(Door { closing, serving })
}

impl Door {
    /// Takes no more calls; returns when those that are being answered have heard the answer.
    pub async fn close(self) {
        self.closing.send(true).ok();
        self.serving.await.ok();
    }
}

async fn accept(listener: UnixListener, served: Arc<Served>, mut closing: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = closing.changed() => break,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, _)) => {
                let (served, places) = (Arc::clone(&served), Arc::clone(&places));
                connections.spawn(admit(stream, served, places, closing.clone()));
            }
            Err(error) => {
                tracing::warn!("socket of the owner: {error}");
                sleep(BREATH).await;
            }
        }
    }
    let farewell = async { while connections.join_next().await.is_some() {} };
    timeout(FAREWELL, farewell).await.ok();
}

async fn admit(
    stream: UnixStream,
    served: Arc<Served>,
    places: Arc<Semaphore>,
    closing: watch::Receiver<bool>,
) {
    let link = Link::new(stream);
    let refused = match places.try_acquire() {
        Ok(_place) if link.is_ours() => {
            if let Err(error) = converse(&served, &link, closing).await {
                tracing::debug!("connection to the owner: {}", one_line(&error));
            }
            return;
        }
        Ok(_) => "only root may speak to it".to_owned(),
        Err(_) => format!("{MAX_CONNECTIONS} connections are open already"),
    };
    refuse(&link, Refused::Other, refused).await.ok();
}

async fn refuse(link: &Link, refusal: Refused, text: String) -> Result<(), EngineError> {
    link.send(&Reply::Refused { refusal, text }, &[]).await
}

/// One request after the other.
async fn converse(
    served: &Arc<Served>,
    link: &Link,
    mut closing: watch::Receiver<bool>,
) -> Result<(), EngineError> {
    loop {
        let next = tokio::select! {
            next = timeout(REQUEST_LIMIT, link.next::<Call>()) => next,
            _ = closing.changed() => return Ok(()),
        };
        match next {
            Ok(Ok(Some((Call::Exec(call), _)))) => return served.exec(call, link).await,
            Ok(Ok(Some((call, _)))) => served.answer(call, link).await?,
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(error)) => {
                let text = one_line(&error);
                return refuse(link, Refused::Malformed, text).await;
            }
            Err(_) => {
                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
            }
        }
    }
}
