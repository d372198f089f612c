//! Calls to a guest with the limit that each may take of the guest's own progress, and the tasks that wait for it.

use std::{future::Future, path::PathBuf, time::Duration};

use husk_machine::api::config::KvmKind;
use tokio::{sync::mpsc, time::sleep};

use super::{
    messages::{Message, News},
    reply::Reply,
};
use crate::{
    agent::{AgentClient, AgentError, GuestInfo, ProcessId},
    machine::{ControlClient, GuestLimit, within},
    pod::error::PodError,
    text::one_line,
};

/// What one call may take: the dearest, creating a container, takes about 10 million instructions alone, and shares
/// the guest with whatever runs in it.
const CALL_LIMIT: GuestLimit = GuestLimit {
    instructions: 500_000_000,
    wall: Duration::from_secs(120),
};

/// How often an agent that nobody calls is asked whether it still answers.
const PING_EVERY: Duration = Duration::from_secs(60);

/// What booting may take: about 12 million instructions, twice that on slow hosts, and 10 million a GiB of memory.
pub(in crate::pod) fn boot_limit(memory_mib: u32) -> GuestLimit {
    GuestLimit {
        instructions: 250_000_000 + u64::from(memory_mib) * 40_000,
        wall: Duration::from_secs(120),
    }
}

/// How to measure a machine's guest.
#[derive(Clone, Debug)]
pub(in crate::pod) struct Meter {
    pub(in crate::pod) control: ControlClient,
    pub(in crate::pod) kind: KvmKind,
}

impl Meter {
    /// Waits for a call's answer as long as the guest gets on with it.
    pub(in crate::pod) async fn call<T>(
        &self,
        what: &'static str,
        call: impl Future<Output = Result<T, AgentError>>,
    ) -> Result<T, PodError> {
        self.limited(what, call, CALL_LIMIT).await
    }

    async fn limited<T>(
        &self,
        what: &'static str,
        call: impl Future<Output = Result<T, AgentError>>,
        limit: GuestLimit,
    ) -> Result<T, PodError> {
        Ok(within(what, call, limit, self.kind, &self.control).await??)
    }

    /// Connects to the agent when it listens, and greets it.
    pub(in crate::pod) async fn greet(
        &self,
        socket: PathBuf,
        limit: GuestLimit,
    ) -> Result<(AgentClient, GuestInfo), PodError> {
        let greeting = async {
            let agent = AgentClient::connect(&socket).await?;
            let info = agent.hello().await?;
            Ok((agent, info))
        };
        self.limited("boot of the guest", greeting, limit).await
    }
}

/// A guest whose agent answers.
#[derive(Clone, Debug)]
pub(in crate::pod) struct Guest {
    pub(in crate::pod) agent: AgentClient,
    pub(in crate::pod) meter: Meter,
    pub(in crate::pod) queue: mpsc::WeakSender<Message>,
}

impl Guest {
    /// Runs a call beside the owner and puts what comes of it into its queue.
    pub(in crate::pod) fn spawn<T, F>(
        &self,
        what: &'static str,
        call: impl FnOnce(AgentClient) -> F,
        news: impl FnOnce(Result<T, PodError>) -> News + Send + 'static,
    ) where
        T: Send + 'static,
        F: Future<Output = Result<T, AgentError>> + Send + 'static,
    {
        let future = call(self.agent.clone());
        let meter = self.meter.clone();
        let queue = self.queue.clone();
        tokio::spawn(async move {
            let result = meter.call(what, future).await;
            send(&queue, news(result)).await;
        });
    }

    /// Runs a call beside the owner and gives what comes of it straight to the door: no state depends on it.
    pub(in crate::pod) fn spawn_reply<T, F>(
        &self,
        reply: Reply<T>,
        what: &'static str,
        call: impl FnOnce(AgentClient) -> F,
    ) where
        T: Send + 'static,
        F: Future<Output = Result<T, AgentError>> + Send + 'static,
    {
        let future = call(self.agent.clone());
        let meter = self.meter.clone();
        tokio::spawn(async move {
            reply.send(meter.call(what, future).await).ok();
        });
    }

    /// As [`Self::spawn_reply`], for an answer that may take years.
    pub(in crate::pod) fn spawn_unlimited<T, F>(
        &self,
        reply: Reply<T>,
        call: impl FnOnce(AgentClient) -> F,
    ) where
        T: Send + 'static,
        F: Future<Output = Result<T, AgentError>> + Send + 'static,
    {
        let future = call(self.agent.clone());
        tokio::spawn(async move {
            let mut reply = reply;
            tokio::select! {
                // Nobody waits for it any more.
                () = reply.closed() => {}
                answer = future => {
                    reply.send(answer.map_err(PodError::from)).ok();
                }
            }
        });
    }

    /// Waits for the end of a process. No limit: it may run for years, and [`Self::keep_asking`] notices a dead agent.
    pub(in crate::pod) fn spawn_wait(&self, process: ProcessId) {
        let agent = self.agent.clone();
        let queue = self.queue.clone();
        tokio::spawn(async move {
            let news = match agent.wait(&process).await {
                Ok(exit) => News::Exited(process, exit),
                Err(error) => News::AgentLost(one_line(&error)),
            };
            send(&queue, news).await;
        });
    }

    /// Notices an agent that answers no more although nothing is asked of it.
    pub(in crate::pod) fn keep_asking(&self) {
        let guest = self.clone();
        tokio::spawn(async move {
            loop {
                sleep(PING_EVERY).await;
                let ping = guest.agent.ping();
                if let Err(error) = guest.meter.call("sign of life of the agent", ping).await {
                    return send(&guest.queue, News::AgentLost(one_line(&error))).await;
                }
            }
        });
    }
}

/// Puts news into the queue; when there is none any more, nobody wants it.
pub(in crate::pod) async fn send(queue: &mpsc::WeakSender<Message>, news: News) {
    if let Some(queue) = queue.upgrade() {
        queue.send(Message::News(news)).await.ok();
    }
}
