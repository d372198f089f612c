//! Ends of containers that somebody asked for. Nothing here waits for a guest without a limit.

use std::{future::pending, time::Duration};

use rustix::process::Signal;
use tokio::time::timeout;

use crate::{
    agent::{ProcessId, Reach},
    pod::{Pod, PodError},
};

/// How long a guest may take to end a process that was killed, before its machine is.
const KILL_GRACE: Duration = Duration::from_secs(10);

/// Asks, and kills when that does not help. An agent that refuses to ask is believed, and its words given back: who wanted
/// the container to end in order may not want it killed.
pub(super) async fn stop(
    pod: &Pod,
    init: &ProcessId,
    signal: u32,
    grace: Option<Duration>,
) -> Result<(), PodError> {
    // Beside: a guest that does not take it must not hold up what follows.
    let refused = async {
        match pod.signal(init, signal, Reach::One).await {
            Err(error) if error.refusal().is_some() => error,
            _ => pending().await,
        }
    };
    let ended = async {
        match grace {
            Some(grace) => timeout(grace, pod.wait(init)).await.ok(),
            None => Some(pod.wait(init).await),
        }
    };
    tokio::select! {
        ended = ended => match ended {
            Some(exit) => exit.map(drop),
            None => kill(pod, init).await,
        },
        // It may have ended meanwhile.
        error = refused => match timeout(KILL_GRACE, pod.wait(init)).await {
            Ok(exit) => exit.map(drop),
            Err(_) => Err(error),
        },
    }
}

/// SIGKILL by the guest, which leaves its output whole; by the host when the guest takes too long.
pub(super) async fn kill(pod: &Pod, init: &ProcessId) -> Result<(), PodError> {
    let killing = async {
        pod.signal(init, number(Signal::KILL), Reach::One).await?;
        pod.wait(init).await
    };
    match timeout(KILL_GRACE, killing).await {
        Ok(Ok(_)) => Ok(()),
        // It may have ended meanwhile.
        Ok(Err(error)) => match pod.wait(init).await {
            Ok(_) => Ok(()),
            Err(_) => Err(error),
        },
        Err(_) => pod.end().await.map(drop),
    }
}

pub(super) fn number(signal: Signal) -> u32 {
    u32::try_from(signal.as_raw()).unwrap_or(0)
}
