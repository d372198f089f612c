//! Standard streams over connections of their own.

use husk_protocol::agent::{CloseStdinRequest, CreateContainerRequest, Stdio, StreamKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{Guest, context, create};

/// More than the pipe and both socket buffers hold.
const MUCH: usize = 16 << 20;

fn with_stdin(args: &[&str]) -> CreateContainerRequest {
    let mut request = create("c", args);
    request.stdio = Some(Stdio {
        stdin: true,
        stdout: true,
        ..Stdio::default()
    })
    .into();
    request
}

#[tokio::test]
async fn bytes_go_through_a_container_unchanged() {
    let guest = Guest::boot().await;
    guest.run(&with_stdin(&["cat"])).await;
    let mut input = guest.stream("c", "", StreamKind::STREAM_KIND_STDIN).await;
    let mut output = guest.stream("c", "", StreamKind::STREAM_KIND_STDOUT).await;
    let sent: Vec<u8> = (0..MUCH).map(|i| (i % 251).to_le_bytes()[0]).collect();
    let copy = sent.clone();
    let writing = tokio::spawn(async move {
        input.write_all(&copy).await.unwrap();
        input.shutdown().await.unwrap();
        // The agent closes the stream when it has closed the process's input.
        assert_eq!(input.read(&mut [0; 1]).await.unwrap(), 0);
    });
    let mut received = Vec::new();
    output.read_to_end(&mut received).await.unwrap();
    assert!(received == sent);
    writing.await.unwrap();
    assert_eq!(guest.wait("c", "").await.exit_code, 0);
}

#[tokio::test]
async fn output_and_errors_are_apart_and_outlive_the_process() {
    let guest = Guest::boot().await;
    let script = "echo out; echo err >&2";
    guest.run(&create("c", &["sh", "-c", script])).await;
    guest.wait("c", "").await;
    assert_eq!(guest.read("c", "").await, "out\n");
    let mut errors = String::new();
    let mut stream = guest.stream("c", "", StreamKind::STREAM_KIND_STDERR).await;
    stream.read_to_string(&mut errors).await.unwrap();
    assert_eq!(errors, "err\n");
}

#[tokio::test]
async fn writer_that_nobody_reads_from_waits() {
    let guest = Guest::boot().await;
    let script = format!("head -c {MUCH} /dev/zero; echo done >&2");
    guest.run(&create("c", &["sh", "-c", &script])).await;
    let mut errors = guest.stream("c", "", StreamKind::STREAM_KIND_STDERR).await;
    let mut output = guest.stream("c", "", StreamKind::STREAM_KIND_STDOUT).await;
    // As long as not everything is read, the script cannot be past its first command.
    let mut half = vec![0; MUCH / 2];
    output.read_exact(&mut half).await.unwrap();
    let nothing = errors.try_read(&mut [0; 1]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).await.unwrap();
    assert_eq!(half.len() + rest.len(), MUCH);
    let mut said = String::new();
    errors.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "done\n");
}

#[tokio::test]
async fn closing_stdin_by_call_ends_the_reader() {
    let guest = Guest::boot().await;
    guest.run(&with_stdin(&["cat"])).await;
    let request = CloseStdinRequest {
        container_id: "c".into(),
        ..CloseStdinRequest::default()
    };
    guest.calls.close_stdin(context(), &request).await.unwrap();
    assert_eq!(guest.wait("c", "").await.exit_code, 0);
}
