//! What an owner does for its clients: calls become verbs of the pod.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use oci_spec::runtime::Spec;
use rustix::process::Signal;
use tokio::sync::Mutex;

use super::ending::{kill, number, stop};
use crate::{
    agent::{ProcessId, Reach, Refusal},
    engine::{
        error::{EngineError, Refused},
        papers::{Papers, Phase},
        wire::{Call, Exited, Link, Reply, Usage},
    },
    pod::{Keep, Pod, PodError, ProcessExit},
    text::one_line,
};

/// A running container and all that its clients can ask of it.
#[derive(Debug)]
pub struct Served {
    pub(super) pod: Pod,
    pub(super) init: ProcessId,
    pub(super) spec: Spec,
    pub(super) papers: Arc<Mutex<Papers>>,
    pub(super) execs: AtomicU64,
}

impl Served {
    /// The container of a pod, made from this specification.
    #[must_use]
    pub fn new(pod: Pod, container: &str, spec: Spec, papers: Arc<Mutex<Papers>>) -> Self {
        Self {
            pod,
            init: ProcessId::init(container),
            spec,
            papers,
            execs: AtomicU64::new(0),
        }
    }

    /// Answers every call but an exec.
    pub(super) async fn answer(&self, call: Call, link: &Link) -> Result<(), EngineError> {
        let reply = match call {
            Call::Exec(_) => Err(refused("an exec ends its connection")),
            Call::Wait => tokio::select! {
                exit = self.pod.wait(&self.init) => exit.map(exited).map_err(refusal),
                // Nobody waits any more.
                () = link.closed() => return Ok(()),
            },
            Call::Signal { exec, signal } => self.signal(exec, signal).await,
            Call::Stop { signal, grace_s } => self.stop(signal, grace_s).await,
            Call::Remove => self.remove().await.map_err(refusal),
            Call::Pause => self.pause().await,
            Call::Unpause => self.unpause().await,
            Call::Resize { exec, size } => {
                let process = self.process(exec);
                let told = self.pod.resize(&process, size.into()).await;
                told.map(|()| Reply::Done).map_err(refusal)
            }
            Call::Stats => self.usage().await.map_err(refusal),
            Call::Timeline => {
                let timeline = self.pod.timeline().await;
                timeline.map(Reply::Timeline).map_err(refusal)
            }
        };
        link.send(&reply.unwrap_or_else(|no| no), &[]).await
    }

    fn process(&self, exec: Option<String>) -> ProcessId {
        ProcessId {
            exec: exec.unwrap_or_default(),
            ..self.init.clone()
        }
    }

    async fn pause(&self) -> Result<Reply, Reply> {
        let mut papers = self.papers.lock().await;
        in_phase(&papers, Phase::Running, "pause it")?;
        let paused = self.pod.pause(&self.init.container).await;
        paused.map_err(refusal)?;
        turn(&mut papers, Phase::Paused)
    }

    async fn unpause(&self) -> Result<Reply, Reply> {
        let mut papers = self.papers.lock().await;
        in_phase(&papers, Phase::Paused, "unpause it")?;
        let resumed = self.pod.resume(&self.init.container).await;
        resumed.map_err(refusal)?;
        turn(&mut papers, Phase::Running)
    }

    async fn usage(&self) -> Result<Reply, PodError> {
        let (container, instructions) = tokio::try_join!(
            self.pod.stats(&self.init.container),
            self.pod.instructions()
        )?;
        Ok(Reply::Stats(Box::new(Usage {
            container,
            instructions,
        })))
    }

    async fn signal(&self, exec: Option<String>, signal: u32) -> Result<Reply, Reply> {
        check_signal(signal)?;
        let kills = signal == number(Signal::KILL) && exec.is_none();
        if kills {
            self.kill().await.map_err(refusal)?;
            return Ok(Reply::Done);
        }
        let process = self.process(exec);
        let sent = self.pod.signal(&process, signal, Reach::One).await;
        sent.map(|()| Reply::Done).map_err(refusal)
    }

    /// Asks the container to end, and sees to it when it does not. Goes on when the client does not wait for it.
    async fn stop(&self, signal: u32, grace_s: Option<u64>) -> Result<Reply, Reply> {
        check_signal(signal)?;
        if self.papers.lock().await.status().phase == Phase::Paused {
            // What is held cannot end in order.
            self.unpause().await?;
        }
        let (pod, init) = (self.pod.clone(), self.init.clone());
        let grace = grace_s.map(Duration::from_secs);
        let stopping = tokio::spawn(async move { stop(&pod, &init, signal, grace).await });
        match stopping.await {
            Ok(ended) => ended.map(|()| Reply::Done).map_err(refusal),
            Err(error) => Err(refused(&error.to_string())),
        }
    }

    async fn kill(&self) -> Result<(), PodError> {
        let (pod, init) = (self.pod.clone(), self.init.clone());
        let killing = tokio::spawn(async move { kill(&pod, &init).await });
        killing.await.unwrap_or(Err(PodError::OwnerGone))
    }

    async fn remove(&self) -> Result<Reply, PodError> {
        self.pod.keep(Keep::Nothing).await?;
        self.pod.end().await?;
        Ok(Reply::Done)
    }
}

pub(super) fn in_phase(papers: &Papers, wanted: Phase, wish: &str) -> Result<(), Reply> {
    let phase = papers.status().phase;
    if phase == wanted {
        return Ok(());
    }
    let state = match phase {
        Phase::Starting => "starting",
        Phase::Running => "running",
        Phase::Paused => "paused",
        Phase::Exited => "exited",
    };
    Err(refused(&format!("container is {state}: cannot {wish}")))
}

fn turn(papers: &mut Papers, phase: Phase) -> Result<Reply, Reply> {
    let turned = papers.change(|status| status.phase = phase);
    turned
        .map(|()| Reply::Done)
        .map_err(|error| refused(&one_line(&error)))
}

fn check_signal(signal: u32) -> Result<(), Reply> {
    if (1..=64).contains(&signal) {
        return Ok(());
    }
    Err(refused(&format!("signal {signal} is not between 1 and 64")))
}

pub(super) fn exited(exit: ProcessExit) -> Reply {
    Reply::Exited(Exited {
        code: exit.code,
        oom_killed: exit.oom_killed,
        lost: exit
            .machine
            .filter(|end| !end.is_asked_for())
            .map(|end| end.to_string()),
    })
}

pub(super) fn refused(text: &str) -> Reply {
    Reply::Refused {
        refusal: Refused::Other,
        text: text.to_owned(),
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
pub(super) fn refusal(error: PodError) -> Reply {
    let refusal = match error.refusal() {
        Some(Refusal::CommandNotFound) => Refused::CommandNotFound,
        Some(Refusal::CommandNotExecutable) => Refused::CommandNotExecutable,
        _ => Refused::Other,
    };
    Reply::Refused {
        refusal,
        text: one_line(&error),
    }
}
