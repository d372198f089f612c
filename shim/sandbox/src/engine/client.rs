//! The client's side of an owner's socket.

use std::{
    io, os::fd::OwnedFd, os::unix::net::UnixStream as StdUnixStream, path::PathBuf, time::Duration,
};

use tokio::{
    net::UnixStream,
    time::{sleep, timeout},
};

use super::{
    error::EngineError,
    list::Found,
    wire::{Call, ExecCall, Exited, Link, Reply, Usage, Window},
};
use crate::pod::{DOOR, Timeline};

/// While an answer is due, the owner is asked so often whether it is there. What it is asked needs no guest, so that a call
/// may take as long as it takes: the owner bounds its own waits.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// How long an owner may take to say that it is there.
const OWNER_ANSWERS: Duration = Duration::from_secs(30);

/// A way to a container's owner. Each call has a connection of its own. An owner that hangs ends every call by an error.
#[derive(Clone, Debug)]
pub struct Client {
    name: String,
    socket: PathBuf,
}

/// A process that was started in a container, and whose end is due.
#[derive(Debug)]
pub struct Executed {
    /// How the owner calls it.
    pub exec: String,
    /// What of it was not applied, and why.
    pub warnings: Vec<String>,
    /// Its standard input, if it was asked for.
    pub stdin: Option<StdUnixStream>,
    /// Its standard output.
    pub stdout: Option<StdUnixStream>,
    /// Its standard error; none with a terminal.
    pub stderr: Option<StdUnixStream>,
    /// Over this its end is told; closed when its output has been read.
    pub end: Ending,
}

/// The connection over which a process's end is told. Closing it says that nobody needs the process's output any more.
#[derive(Debug)]
pub struct Ending {
    client: Client,
    link: Link,
}

impl Client {
    /// The owner of a pod that was found.
    #[must_use]
    pub fn new(found: &Found) -> Self {
        Self {
            name: found.name.clone(),
            socket: found.dir.join(DOOR),
        }
    }

    /// Runs a process in the container.
    ///
    /// # Errors
    /// The owner refuses or is gone.
    pub async fn exec(&self, call: ExecCall) -> Result<Executed, EngineError> {
        let (stdin, terminal, detached) = (call.stdin, call.terminal.is_some(), call.detached);
        let (reply, fds, link) = self.ask(&Call::Exec(call)).await?;
        let Reply::Executed { exec, warnings } = reply else {
            return Err(unexpected(reply));
        };
        let mut fds = fds.into_iter();
        let mut stream = |wanted: bool| -> Result<Option<StdUnixStream>, EngineError> {
            if detached || !wanted {
                return Ok(None);
            }
            let fd: Option<OwnedFd> = fds.next();
            let fd = fd.ok_or(EngineError::Unexpected("no stream"))?;
            Ok(Some(fd.into()))
        };
        Ok(Executed {
            exec,
            warnings,
            stdin: stream(stdin)?,
            stdout: stream(true)?,
            stderr: stream(!terminal)?,
            end: Ending {
                client: self.clone(),
                link,
            },
        })
    }

    /// Waits for the container's end.
    ///
    /// # Errors
    /// The owner refuses or is gone.
    pub async fn wait(&self) -> Result<Exited, EngineError> {
        match self.ask(&Call::Wait).await?.0 {
            Reply::Exited(exited) => Ok(exited),
            other => Err(unexpected(other)),
        }
    }

    /// Signals the container's first process, or an exec's.
    ///
    /// # Errors
    /// The owner refuses or is gone.
    pub async fn signal(&self, exec: Option<String>, signal: u32) -> Result<(), EngineError> {
        self.done(&Call::Signal { exec, signal }).await
    }

    /// Asks the container to end, and kills it after the grace, if there is one.
    ///
    /// # Errors
    /// The owner refuses or is gone.
    pub async fn stop(&self, signal: u32, grace_s: Option<u64>) -> Result<(), EngineError> {
        self.done(&Call::Stop { signal, grace_s }).await
    }

    /// Ends the pod at once, and nothing of it stays.
    ///
    /// # Errors
    /// The owner refuses or is gone.
    pub async fn remove(&self) -> Result<(), EngineError> {
        self.done(&Call::Remove).await
    }

    /// Holds everything of the container where it is.
    ///
    /// # Errors
    /// The owner refuses or is gone.
    pub async fn pause(&self) -> Result<(), EngineError> {
        self.done(&Call::Pause).await
    }

    /// Lets a paused container go on.
    ///
    /// # Errors
    /// The owner refuses or is gone.
    pub async fn unpause(&self) -> Result<(), EngineError> {
        self.done(&Call::Unpause).await
    }

    /// Tells the terminal of the container or of an exec its size.
    ///
    /// # Errors
    /// The owner refuses or is gone.
    pub async fn resize(&self, exec: Option<String>, size: Window) -> Result<(), EngineError> {
        self.done(&Call::Resize { exec, size }).await
    }

    /// What the container uses.
    ///
    /// # Errors
    /// The owner refuses or is gone.
    pub async fn stats(&self) -> Result<Usage, EngineError> {
        match self.ask(&Call::Stats).await?.0 {
            Reply::Stats(usage) => Ok(*usage),
            other => Err(unexpected(other)),
        }
    }

    /// What happened so far.
    ///
    /// # Errors
    /// The owner refuses or is gone.
    pub async fn timeline(&self) -> Result<Timeline, EngineError> {
        match self.ask(&Call::Timeline).await?.0 {
            Reply::Timeline(timeline) => Ok(timeline),
            other => Err(unexpected(other)),
        }
    }

    async fn done(&self, call: &Call) -> Result<(), EngineError> {
        match self.ask(call).await?.0 {
            Reply::Done => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    async fn ask(&self, call: &Call) -> Result<(Reply, Vec<OwnedFd>, Link), EngineError> {
        self.unless_silent(self.exchange(call)).await
    }

    async fn exchange(&self, call: &Call) -> Result<(Reply, Vec<OwnedFd>, Link), EngineError> {
        let gone = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                self.cannot_ask("without an owner that listens".to_owned())
            }
            _ => EngineError::file(&self.socket, error),
        };
        let stream = UnixStream::connect(&self.socket).await.map_err(gone)?;
        let link = Link::new(stream);
        link.send(call, &[]).await?;
        let answer = link.next().await?;
        let (reply, fds) = answer.ok_or(EngineError::Unexpected("nothing"))?;
        Ok((reply, fds, link))
    }

    /// Waits for something that the owner says, as long as there is an owner that says anything.
    async fn unless_silent<T>(
        &self,
        said: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        tokio::select! {
            said = said => said,
            silent = self.silence() => Err(silent),
        }
    }

    /// Ends when the owner does not answer any more. One that is gone closes its connections.
    async fn silence(&self) -> EngineError {
        loop {
            sleep(ASK_EVERY).await;
            let asked = timeout(OWNER_ANSWERS, self.exchange(&Call::Timeline));
            if asked.await.is_err() {
                let seconds = OWNER_ANSWERS.as_secs();
                return self.cannot_ask(format!(
                    "with an owner that has not answered for {seconds} s"
                ));
            }
        }
    }

    fn cannot_ask(&self, state: String) -> EngineError {
        EngineError::State {
            name: self.name.clone(),
            state,
            wish: "ask it".to_owned(),
        }
    }
}

impl Ending {
    /// Waits for the end.
    ///
    /// # Errors
    /// The owner is gone.
    pub async fn wait(&self) -> Result<Exited, EngineError> {
        let next = self.client.unless_silent(self.link.next()).await?;
        match next.ok_or(EngineError::Unexpected("nothing"))?.0 {
            Reply::Exited(exited) => Ok(exited),
            other => Err(unexpected(other)),
        }
    }
}

fn unexpected(reply: Reply) -> EngineError {
    match reply {
        Reply::Refused { refusal, text } => EngineError::refused(refusal, text),
        Reply::Done => EngineError::Unexpected("done"),
        Reply::Executed { .. } => EngineError::Unexpected("executed"),
        Reply::Exited(_) => EngineError::Unexpected("exited"),
        Reply::Stats(_) => EngineError::Unexpected("figures"),
        Reply::Timeline(_) => EngineError::Unexpected("a timeline"),
    }
}
