//! The connection line, against sockets that keep to it and sockets that do not.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
};

use crate::agent::{AgentError, connect::connect};

/// Answers one connection with these bytes and closes; gives the line that it was sent.
async fn answer(reply: &'static [u8]) -> (Result<Vec<u8>, AgentError>, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vsock.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut line = vec![0; b"CONNECT 1024\n".len()];
        stream.read_exact(&mut line).await.unwrap();
        stream.write_all(reply).await.unwrap();
        line
    });
    let connected = match connect(&path, 1024).await {
        Ok(mut stream) => {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.unwrap();
            Ok(rest)
        }
        Err(error) => Err(error),
    };
    (connected, serving.await.unwrap())
}

#[tokio::test]
async fn bytes_behind_the_ok_belong_to_the_stream() {
    let (connected, line) = answer(b"OK 1073741824\nhello").await;
    assert_eq!(connected.unwrap(), b"hello");
    assert_eq!(line, b"CONNECT 1024\n");
}

#[tokio::test]
async fn close_without_an_answer_is_not_taken() {
    let (connected, _) = answer(b"").await;
    assert!(matches!(
        connected,
        Err(AgentError::NotTaken { port: 1024 })
    ));
}

#[tokio::test]
async fn other_answers_are_not_taken() {
    for reply in [
        b"OK x\n".as_slice(),
        b"NO 1\n",
        b"OK 99999999999999\n",
        b"\xff\xff\n",
    ] {
        let (connected, _) = answer(reply).await;
        assert!(connected.is_err(), "{reply:?}");
    }
}
