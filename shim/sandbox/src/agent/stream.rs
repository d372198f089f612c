//! Standard streams: a connection each, so that bulk output never queues behind calls.

use std::path::Path;

use husk_protocol::{
    agent::{StreamKind as WireKind, StreamOpen, StreamOpened},
    frame::{self, FrameError},
    ports::STREAM_PORT,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

use super::{AgentError, ProcessId, Refusal, connect::connect, error::clean};

/// Which stream of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamKind {
    /// Standard input: the host writes.
    Stdin,
    /// Standard output: the host reads.
    Stdout,
    /// Standard error: the host reads.
    Stderr,
}

impl From<StreamKind> for WireKind {
    fn from(kind: StreamKind) -> Self {
        match kind {
            StreamKind::Stdin => Self::STREAM_KIND_STDIN,
            StreamKind::Stdout => Self::STREAM_KIND_STDOUT,
            StreamKind::Stderr => Self::STREAM_KIND_STDERR,
        }
    }
}

/// Opens a stream; raw bytes follow on what is returned.
///
/// # Errors
/// The guest refuses, or its answer is not valid.
pub async fn open_stream(
    socket: &Path,
    process: &ProcessId,
    kind: StreamKind,
) -> Result<UnixStream, AgentError> {
    let mut stream = connect(socket, STREAM_PORT).await?;
    let open = StreamOpen {
        container_id: process.container.clone(),
        exec_id: process.exec.clone(),
        kind: WireKind::from(kind).into(),
        ..StreamOpen::default()
    };
    let request = frame::encode(&open).map_err(|error| invalid(&error))?;
    stream.write_all(&request).await?;
    let mut length = [0; frame::LENGTH_BYTES];
    stream.read_exact(&mut length).await.map_err(broken)?;
    let length = frame::body_len(length).map_err(|error| invalid(&error))?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.map_err(broken)?;
    let opened: StreamOpened = frame::parse(&body).map_err(|error| invalid(&error))?;
    if opened.error.is_empty() {
        return Ok(stream);
    }
    Err(AgentError::Refused {
        refusal: Refusal::Other,
        text: clean(&opened.error),
    })
}

fn invalid(error: &FrameError) -> AgentError {
    AgentError::Invalid {
        call: "StreamOpen",
        what: clean(&error.to_string()),
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn broken(error: std::io::Error) -> AgentError {
    AgentError::Broken {
        call: "StreamOpen",
        text: error.to_string(),
    }
}
