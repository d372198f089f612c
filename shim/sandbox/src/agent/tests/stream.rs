//! Opening of streams, against an agent that answers well and agents that do not.

use husk_protocol::{
    agent::{StreamKind as WireKind, StreamOpen, StreamOpened},
    frame,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};

use crate::agent::{AgentError, ProcessId, StreamKind, open_stream};

async fn accept(listener: UnixListener) -> (UnixStream, StreamOpen) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut line = vec![0; b"CONNECT 1025\n".len()];
    stream.read_exact(&mut line).await.unwrap();
    stream.write_all(b"OK 1\n").await.unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).await.unwrap();
    let mut body = vec![0; frame::body_len(length).unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    (stream, frame::parse(&body).unwrap())
}

async fn open(reply: Vec<u8>) -> (Result<Vec<u8>, AgentError>, StreamOpen) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vsock.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let serving = tokio::spawn(async move {
        let (mut stream, open) = accept(listener).await;
        stream.write_all(&reply).await.unwrap();
        open
    });
    let process = ProcessId::init("c");
    let opened = match open_stream(&path, &process, StreamKind::Stdout).await {
        Ok(mut stream) => {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.unwrap();
            Ok(rest)
        }
        Err(error) => Err(error),
    };
    (opened, serving.await.unwrap())
}

fn opened(error: &str) -> Vec<u8> {
    let opened = StreamOpened {
        error: error.to_owned(),
        ..StreamOpened::default()
    };
    frame::encode(&opened).unwrap()
}

#[tokio::test]
async fn bytes_behind_the_answer_are_the_streams() {
    let mut reply = opened("");
    reply.extend_from_slice(b"output");
    let (result, open) = open(reply).await;
    assert_eq!(result.unwrap(), b"output");
    assert_eq!(open.container_id, "c");
    assert_eq!(open.exec_id, "");
    assert_eq!(open.kind.enum_value(), Ok(WireKind::STREAM_KIND_STDOUT));
}

#[tokio::test]
async fn refusal_carries_the_agents_words() {
    let (result, _) = open(opened("no such\ncontainer")).await;
    assert_eq!(result.unwrap_err().to_string(), "no such container");
}

#[tokio::test]
async fn length_beyond_the_limit_is_refused_without_room_for_it() {
    let (result, _) = open(u32::MAX.to_le_bytes().to_vec()).await;
    assert!(matches!(result, Err(AgentError::Invalid { .. })));
}

#[tokio::test]
async fn answer_cut_short_is_broken() {
    let (result, _) = open(vec![9, 0, 0, 0, 1]).await;
    assert!(matches!(result, Err(AgentError::Broken { .. })));
}
