//! What a door holds of a pod: verbs. Each puts a message into the owner's queue and waits for its answer.

use std::path::PathBuf;

use tokio::{
    net::UnixStream,
    sync::{mpsc, oneshot},
};

use super::{
    error::{MachineEnd, PodError},
    owner::{Ask, Message, Meter, ProcessExit, Reply},
    run_dir::{Keep, PodName},
    timeline::{Timeline, monotonic_us},
};
use crate::agent::{
    Created, GuestInfo, NewContainer, NewProcess, ProcessId, StreamKind, open_stream,
};

/// How the guest finds the scratch disk of a pod.
pub const SCRATCH_SERIAL: &str = "scratch";

/// A pod. Cheap to clone; it lives until [`Self::end`], or until its machine ends.
#[derive(Clone, Debug)]
pub struct Pod {
    name: PodName,
    queue: mpsc::Sender<Message>,
    pub(super) meter: Meter,
    vsock: PathBuf,
}

impl Pod {
    pub(super) fn new(
        name: PodName,
        queue: mpsc::Sender<Message>,
        meter: Meter,
        vsock: PathBuf,
    ) -> Self {
        Self {
            name,
            queue,
            meter,
            vsock,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &PodName {
        &self.name
    }

    /// Waits until the agent answers.
    ///
    /// # Errors
    /// The machine ended before.
    pub async fn ready(&self) -> Result<GuestInfo, PodError> {
        self.ask(Ask::Ready).await
    }

    /// Makes a container; its init waits before execve.
    ///
    /// # Errors
    /// The agent refuses, or the machine ended.
    pub async fn create(&self, container: NewContainer) -> Result<Created, PodError> {
        self.ask(|reply| Ask::Create(container, reply)).await
    }

    /// Lets a created container's init run.
    ///
    /// # Errors
    /// The agent refuses, or the machine ended.
    pub async fn start(&self, container: &str) -> Result<(), PodError> {
        let id = ProcessId::init(container);
        self.ask(|reply| Ask::Start(id, reply)).await
    }

    /// Starts another process in a running container.
    ///
    /// # Errors
    /// The agent refuses, or the machine ended.
    pub async fn exec(&self, process: NewProcess) -> Result<Created, PodError> {
        self.ask(|reply| Ask::Exec(process, reply)).await
    }

    /// Waits for the end of a process; one whose machine ends, ends with it.
    ///
    /// # Errors
    /// There is no such process.
    pub async fn wait(&self, process: &ProcessId) -> Result<ProcessExit, PodError> {
        let id = process.clone();
        self.ask(|reply| Ask::Wait(id, reply)).await
    }

    /// Forgets an ended process, or removes an ended container. Repeating it is no error.
    ///
    /// # Errors
    /// The process has not ended, or the agent refuses.
    pub async fn delete(&self, process: &ProcessId) -> Result<(), PodError> {
        let id = process.clone();
        self.ask(|reply| Ask::Delete(id, reply)).await
    }

    /// Opens a standard stream of a process that was made with it.
    ///
    /// # Errors
    /// The agent refuses, or the machine ended.
    pub async fn stream(
        &self,
        process: &ProcessId,
        kind: StreamKind,
    ) -> Result<UnixStream, PodError> {
        let opening = open_stream(&self.vsock, process, kind);
        self.meter.call("opening of a stream", opening).await
    }

    /// Notes a stage in the timeline, with the guest's instructions of this moment.
    pub async fn mark(&self, stage: &'static str) {
        let at_us = monotonic_us();
        // A machine that ended meanwhile has a last mark of its own.
        if let Ok(metrics) = self.meter.control.metrics().await {
            let ask = Ask::Mark(stage, at_us, metrics.instructions);
            self.queue.send(Message::Ask(ask)).await.ok();
        }
    }

    /// The stages so far.
    ///
    /// # Errors
    /// The owner's task is no more.
    pub async fn timeline(&self) -> Result<Timeline, PodError> {
        self.ask(Ask::Timeline).await
    }

    /// Kernel instructions that the guest has executed, where they are counted.
    ///
    /// # Errors
    /// The machine ended.
    pub async fn instructions(&self) -> Result<u64, PodError> {
        Ok(self.meter.control.metrics().await?.instructions)
    }

    /// Says what stays when the machine has ended; at first it is nothing.
    ///
    /// # Errors
    /// The record cannot be written.
    pub async fn keep(&self, keep: Keep) -> Result<(), PodError> {
        self.ask(|reply| Ask::Keep(keep, reply)).await
    }

    /// Ends the pod without asking the guest, and returns when nothing of it is left but what is kept. Repeating it is no error.
    ///
    /// # Errors
    /// The owner's task is no more.
    pub async fn end(&self) -> Result<MachineEnd, PodError> {
        self.ask(Ask::End).await
    }

    pub(super) async fn ask<T>(&self, ask: impl FnOnce(Reply<T>) -> Ask) -> Result<T, PodError> {
        let (reply, answer) = oneshot::channel();
        let message = Message::Ask(ask(reply));
        let sent = self.queue.send(message).await;
        sent.map_err(|_| PodError::OwnerGone)?;
        answer.await.map_err(|_| PodError::OwnerGone)?
    }
}
