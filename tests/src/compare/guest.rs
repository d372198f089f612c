//! A case in a container of a guest.

use husk_sandbox::{
    agent::{ProcessId, Reach, StreamKind, Streams, TerminalSize},
    pod::{PodError, ProcessExit},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

use super::{Act, Case, Seen};
use crate::guest::Guest;

/// Runs a case and removes its container.
///
/// # Errors
/// The machine ended; a container that is refused is a finding.
pub fn in_guest(guest: &Guest, case: &Case) -> Result<Seen, PodError> {
    guest.wait(run(guest, case))
}

async fn run(guest: &Guest, case: &Case) -> Result<Seen, PodError> {
    let spec = case.spec();
    let terminal = case.has_terminal().then(|| size(&spec));
    let streams = Streams {
        stdin: true,
        stdout: true,
        stderr: terminal.is_none(),
        terminal,
    };
    let id = guest.fresh_id();
    let process = match guest
        .create_json(&id, spec.to_string().into_bytes(), streams)
        .await
    {
        Ok(process) => process,
        Err(error) => return refused(error),
    };
    let seen = match attend(guest, &process, case, streams).await {
        Ok(seen) => Ok(seen),
        Err(error) => refused(error),
    };
    guest.pod().delete(&process).await?;
    seen
}

/// An agent's refusal is what is looked for; anything else is not.
fn refused(error: PodError) -> Result<Seen, PodError> {
    match error {
        PodError::Agent(_) => Ok(Seen::failed(&husk_sandbox::text::one_line(&error))),
        other => Err(other),
    }
}

async fn attend(
    guest: &Guest,
    process: &ProcessId,
    case: &Case,
    streams: Streams,
) -> Result<Seen, PodError> {
    let pod = guest.pod();
    let mut stdin = pod.stream(process, StreamKind::Stdin).await?;
    let mut stdout = pod.stream(process, StreamKind::Stdout).await?;
    let stderr = match streams.stderr {
        true => Some(pod.stream(process, StreamKind::Stderr).await?),
        false => None,
    };
    pod.start(&process.container).await?;
    let mut bytes = Vec::new();
    match case.act {
        Act::Leave => {}
        Act::Feed(text) => {
            // A process that does not want it shows in the outcome.
            stdin.write_all(text.as_bytes()).await.ok();
        }
        Act::Signal(signal) => {
            first_line(&mut stdout, &mut bytes).await;
            pod.signal(process, signal, Reach::One).await?;
        }
    }
    if streams.terminal.is_none() {
        stdin.shutdown().await.ok();
    }
    let errors = async {
        let mut bytes = Vec::new();
        if let Some(mut stderr) = stderr {
            // A stream that breaks shows as missing bytes.
            stderr.read_to_end(&mut bytes).await.ok();
        }
        bytes
    };
    let (_, errors, exit) = tokio::join!(stdout.read_to_end(&mut bytes), errors, pod.wait(process));
    let ProcessExit { code, .. } = exit?;
    Ok(Seen::ended(i32::from(code), &bytes, &errors))
}

async fn first_line(stream: &mut UnixStream, bytes: &mut Vec<u8>) {
    while let Ok(byte) = stream.read_u8().await {
        bytes.push(byte);
        if byte == b'\n' {
            break;
        }
    }
}

fn size(spec: &Value) -> TerminalSize {
    let side = |name: &str| {
        let value = spec["process"]["consoleSize"][name].as_u64();
        value
            .and_then(|value| u16::try_from(value).ok())
            .unwrap_or(0)
    };
    TerminalSize {
        columns: side("width"),
        rows: side("height"),
    }
}
