//! The client's side of an owner's socket.

use std::{io, os::fd::OwnedFd, os::unix::net::UnixStream as StdUnixStream, path::PathBuf};

use tokio::net::UnixStream;

use super::{
    error::EngineError,
    list::Found,
    wire::{Call, ExecCall, Exited, Link, Reply, Usage, Window},
};
use crate::pod::{DOOR, Timeline};

/// A way to a container's owner. Each call has a connection of its own.
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
            end: Ending { link },
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
        let gone = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => EngineError::State {
                name: self.name.clone(),
                state: "without an owner that listens".to_owned(),
                wish: "ask it".to_owned(),
            },
            _ => EngineError::file(&self.socket, error),
        };
        let stream = UnixStream::connect(&self.socket).await.map_err(gone)?;
        let link = Link::new(stream);
        link.send(call, &[]).await?;
        let answer = link.next().await?;
        let (reply, fds) = answer.ok_or(EngineError::Unexpected("nothing"))?;
        Ok((reply, fds, link))
    }
}

impl Ending {
    /// Waits for the end.
    ///
    /// # Errors
    /// The owner is gone.
    pub async fn wait(&self) -> Result<Exited, EngineError> {
        let next = self.link.next().await?;
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
