//! Ends of containers that somebody asked for. Nothing here waits for a guest without a limit.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::timeout;

use crate::{
    agent::{ProcessId, Reach},
    pod::{Pod, PodError},
};

/// How long a guest may take to end a process that was killed, before its machine is.
const KILL_GRACE: Duration = Duration::from_secs(10);

/// Asks, and kills when that does not help.
pub(super) async fn stop(
    pod: &Pod,
    init: &ProcessId,
    signal: u32,
    grace: Option<Duration>,
) -> Result<(), PodError> {
    let (signalled, process) = (pod.clone(), init.clone());
    // Beside: a guest that does not take it must not hold up what follows.
    let asking = tokio::spawn(async move { signalled.signal(&process, signal, Reach::One).await });
    let ended = pod.wait(init);
    let ended = match grace {
        Some(grace) => timeout(grace, ended).await,
        None => Ok(ended.await),
    };
    asking.abort();
    match ended {
        Ok(exit) => exit.map(drop),
        Err(_) => kill(pod, init).await,
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
