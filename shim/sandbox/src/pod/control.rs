//! More verbs of a pod: what can be done with a process or a container while it exists.

use super::{
    error::PodError,
    handle::Pod,
    owner::{Ask, Query, Reply},
};
use crate::agent::{GuestProcess, ProcessId, Reach, Stats, TerminalSize};

impl Pod {
    /// Signals a process, or every process of its container.
    ///
    /// # Errors
    /// There is no such process, the agent refuses, or the machine ended.
    pub async fn signal(
        &self,
        process: &ProcessId,
        signal: u32,
        reach: Reach,
    ) -> Result<(), PodError> {
        let id = process.clone();
        self.query(|reply| Query::Signal(id, signal, reach, reply))
            .await
    }

    /// Tells a process's terminal its size.
    ///
    /// # Errors
    /// The process has no terminal or has ended, the agent refuses, or the machine ended.
    pub async fn resize(&self, process: &ProcessId, size: TerminalSize) -> Result<(), PodError> {
        let id = process.clone();
        self.query(|reply| Query::Resize(id, size, reply)).await
    }

    /// Ends a process's standard input once what has arrived for it is written.
    ///
    /// # Errors
    /// There is no such process, the agent refuses, or the machine ended.
    pub async fn close_stdin(&self, process: &ProcessId) -> Result<(), PodError> {
        let id = process.clone();
        self.query(|reply| Query::CloseStdin(id, reply)).await
    }

    /// Stops every process of a container where it is, and returns when all stand still. Repeating it is no error.
    ///
    /// # Errors
    /// There is no such container, the agent refuses, or the machine ended.
    pub async fn pause(&self, container: &str) -> Result<(), PodError> {
        let id = ProcessId::init(container);
        self.query(|reply| Query::Pause(id, reply)).await
    }

    /// Lets a paused container go on. Repeating it is no error.
    ///
    /// # Errors
    /// There is no such container, the agent refuses, or the machine ended.
    pub async fn resume(&self, container: &str) -> Result<(), PodError> {
        let id = ProcessId::init(container);
        self.query(|reply| Query::Resume(id, reply)).await
    }

    /// Changes a container's limits: an OCI `linux.resources` object as JSON. All of it is applied, or nothing; what it
    /// does not name stays.
    ///
    /// # Errors
    /// There is no such container, a field is refused by name and value, or the machine ended.
    pub async fn update(&self, container: &str, resources_json: Vec<u8>) -> Result<(), PodError> {
        let id = ProcessId::init(container);
        self.query(|reply| Query::Update(id, resources_json, reply))
            .await
    }

    /// What a container has used; also of one that has ended and was not deleted.
    ///
    /// # Errors
    /// There is no such container, the agent refuses, or the machine ended.
    pub async fn stats(&self, container: &str) -> Result<Stats, PodError> {
        let id = ProcessId::init(container);
        self.query(|reply| Query::Stats(id, reply)).await
    }

    /// Every process of a container.
    ///
    /// # Errors
    /// There is no such container, the agent refuses, or the machine ended.
    pub async fn processes(&self, container: &str) -> Result<Vec<GuestProcess>, PodError> {
        let id = ProcessId::init(container);
        self.query(|reply| Query::Processes(id, reply)).await
    }

    /// Waits until the kernel has killed more of a container's processes for memory than `seen`, and gives their number.
    ///
    /// # Errors
    /// The container was removed, the agent refuses, or the machine ended.
    pub async fn wait_oom(&self, container: &str, seen: u64) -> Result<u64, PodError> {
        let id = ProcessId::init(container);
        self.query(|reply| Query::Oom(id, seen, reply)).await
    }

    pub(super) async fn query<T>(
        &self,
        query: impl FnOnce(Reply<T>) -> Query,
    ) -> Result<T, PodError> {
        self.ask(|reply| Ask::Query(query(reply))).await
    }
}
