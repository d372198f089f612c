//! Execs: a process whose client takes its streams and waits for its end, and what becomes of it without one.

use std::{
    os::fd::AsFd,
    sync::{Arc, atomic::Ordering},
};

use tokio::{
    io::{AsyncWriteExt, copy, sink},
    net::UnixStream,
};

use super::calls::{Served, exited, in_phase, refusal, refused};
use crate::{
    agent::{NewProcess, ProcessId, Refusal, StreamKind, Streams},
    engine::{
        error::{EngineError, Refused},
        papers::Phase,
        wire::{ExecCall, Link, Reply},
    },
    pod::PodError,
    spec::{CapabilityName, ExecOptions, exec_process},
    text::one_line,
};

impl Served {
    /// Runs another process: one answer when it runs, one when it has ended. The connection is of no other use then.
    pub(super) async fn exec(
        self: &Arc<Self>,
        call: ExecCall,
        link: &Link,
    ) -> Result<(), EngineError> {
        let process = ProcessId {
            exec: format!("exec-{}", self.execs.fetch_add(1, Ordering::Relaxed)),
            ..self.init.clone()
        };
        let detached = call.detached;
        let (streams, started) = match self.start(&process, call).await {
            Ok(started) => started,
            Err(no) => return link.send(&no, &[]).await,
        };
        let served = if detached {
            link.send(&started, &[]).await.map(|()| Client::Gone)
        } else {
            self.accompany(&process, streams, &started, link).await
        };
        match served {
            Ok(Client::Heard) => {
                // It has all that it wanted of it.
                self.pod.delete(&process).await.map_err(EngineError::from)
            }
            other => {
                let owner = Arc::clone(self);
                tokio::spawn(async move { owner.bury(&process, streams).await });
                other.map(drop)
            }
        }
    }

    async fn start(&self, process: &ProcessId, call: ExecCall) -> Result<(Streams, Reply), Reply> {
        in_phase(&*self.papers.lock().await, Phase::Running, "execute in it")?;
        let streams = streams(&call);
        let options = ExecOptions {
            args: call.args,
            env: call.env,
            user: call.user.clone(),
            working_dir: call.working_dir,
            cap_add: capabilities(&call.cap_add)?,
            cap_drop: capabilities(&call.cap_drop)?,
            terminal: call.terminal.is_some(),
        };
        let made = exec_process(&self.spec, &options)
            .map_err(|error| one_line(&error))
            .and_then(|made| serde_json::to_vec(&made).map_err(|error| error.to_string()));
        let new = NewProcess {
            id: process.clone(),
            process_json: made.map_err(|text| not_made(None, text))?,
            streams,
            user: call.user.unwrap_or_default(),
        };
        let created = self.pod.exec(new).await;
        let created = created.map_err(|error| match error.refusal() {
            // It ended meanwhile, or all of the machine did.
            None | Some(Refusal::State) => refusal(error),
            no => not_made(no, one_line(&error)),
        })?;
        let started = Reply::Executed {
            exec: process.exec.clone(),
            warnings: created.warnings,
        };
        Ok((streams, started))
    }

    /// Gives the client the process's streams, and later its end.
    async fn accompany(
        &self,
        process: &ProcessId,
        streams: Streams,
        started: &Reply,
        link: &Link,
    ) -> Result<Client, EngineError> {
        let (stdin, stdout, stderr) = tokio::join!(
            self.stream(process, StreamKind::Stdin, streams.stdin),
            self.stream(process, StreamKind::Stdout, streams.stdout),
            self.stream(process, StreamKind::Stderr, streams.stderr),
        );
        let opened: Result<Vec<_>, PodError> = [stdin, stdout, stderr]
            .into_iter()
            .filter_map(Result::transpose)
            .collect();
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => {
                link.send(&refusal(error), &[]).await?;
                return Ok(Client::Gone);
            }
        };
        let fds: Vec<_> = opened.iter().map(AsFd::as_fd).collect();
        link.send(started, &fds).await?;
        drop(opened);
        let exit = tokio::select! {
            exit = self.pod.wait(process) => exit,
            () = link.closed() => return Ok(Client::Gone),
        };
        let reply = exit.map_or_else(refusal, exited);
        link.send(&reply, &[]).await?;
        // Until it closes, it may still be reading output.
        link.closed().await;
        Ok(Client::Heard)
    }

    async fn stream(
        &self,
        process: &ProcessId,
        kind: StreamKind,
        wanted: bool,
    ) -> Result<Option<UnixStream>, PodError> {
        if !wanted {
            return Ok(None);
        }
        self.pod.stream(process, kind).await.map(Some)
    }

    /// A process whose client is gone: its input ends, its output goes nowhere, and when it has ended it is forgotten.
    async fn bury(&self, process: &ProcessId, streams: Streams) {
        let input = async {
            let stream = self.stream(process, StreamKind::Stdin, streams.stdin).await;
            if let Ok(Some(mut stream)) = stream {
                stream.shutdown().await.ok();
                copy(&mut stream, &mut sink()).await.ok();
            }
        };
        let drain = |kind, wanted| async move {
            if let Ok(Some(mut stream)) = self.stream(process, kind, wanted).await {
                copy(&mut stream, &mut sink()).await.ok();
            }
        };
        let ended = async {
            let (_, (), ()) = tokio::join!(
                self.pod.wait(process),
                drain(StreamKind::Stdout, streams.stdout),
                drain(StreamKind::Stderr, streams.stderr),
            );
        };
        // Input is of no interest any more when the process has ended.
        tokio::select! {
            () = ended => {}
            () = async { input.await; std::future::pending().await } => {}
        }
        if let Err(error) = self.pod.delete(process).await {
            tracing::debug!("process {}: {}", process.exec, one_line(&error));
        }
    }
}

/// What became of an exec's client.
enum Client {
    /// It heard how the process ended, and has its output.
    Heard,
    /// It is gone, or never wanted to hear.
    Gone,
}

/// A process that cannot be made as it was asked for: its user, its directory, its command.
fn not_made(no: Option<Refusal>, text: String) -> Reply {
    let refusal = match no {
        Some(Refusal::CommandNotFound) => Refused::CommandNotFound,
        _ => Refused::CommandNotExecutable,
    };
    Reply::Refused { refusal, text }
}

/// The client has looked at them, but anybody may be the client.
fn capabilities(names: &[String]) -> Result<Vec<CapabilityName>, Reply> {
    let parsed: Result<_, String> = names.iter().map(|name| name.parse()).collect();
    parsed.map_err(|text| refused(&text))
}

fn streams(call: &ExecCall) -> Streams {
    if call.detached {
        return Streams::default();
    }
    Streams {
        stdin: call.stdin,
        stdout: true,
        stderr: call.terminal.is_none(),
        terminal: call.terminal.map(Into::into),
    }
}
