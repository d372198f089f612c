//! A connection to a port of the guest: the pod's socket, `CONNECT <port>`, and the guest's OK.

use std::path::Path;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

use super::AgentError;

/// `OK 4294967295\n` and nothing longer.
const MAX_REPLY_BYTES: usize = 14;

/// Connects. Before the agent listens the VMM holds the connection, so this waits until then, and ends when the VM ends.
pub(super) async fn connect(socket: &Path, port: u32) -> Result<UnixStream, AgentError> {
    let mut stream = UnixStream::connect(socket).await?;
    stream
        .write_all(format!("CONNECT {port}\n").as_bytes())
        .await?;
    let mut reply = Vec::with_capacity(MAX_REPLY_BYTES);
    // Byte by byte: what follows the line belongs to the stream.
    loop {
        let byte = match stream.read_u8().await {
            Ok(byte) => byte,
            Err(_) => return Err(AgentError::NotTaken { port }),
        };
        if byte == b'\n' {
            break;
        }
        reply.push(byte);
        if reply.len() >= MAX_REPLY_BYTES {
            return Err(AgentError::NotTaken { port });
        }
    }
    let host_port = reply.strip_prefix(b"OK ").map(str::from_utf8);
    match host_port {
        Some(Ok(digits)) if digits.parse::<u32>().is_ok() => Ok(stream),
        _ => Err(AgentError::NotTaken { port }),
    }
}
