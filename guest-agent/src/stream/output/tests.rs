//! Tests of output on its way, with a socket pair for the host's connection.

use std::{io::Write, sync::Arc};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Output;
use crate::stream::{Conn, testing::connection};

fn output() -> (Arc<Output>, std::io::PipeWriter) {
    let (read, write) = std::io::pipe().unwrap();
    (Arc::new(Output::new(read.into()).unwrap()), write)
}

fn serve(output: &Arc<Output>, conn: Conn) -> tokio::task::JoinHandle<()> {
    let output = Arc::clone(output);
    tokio::spawn(async move { output.serve(&conn).await })
}

#[tokio::test]
async fn bytes_written_before_the_connection_arrive_and_then_the_end() {
    let (output, mut writer) = output();
    writer.write_all(b"early").unwrap();
    drop(writer);
    let (conn, mut host) = connection();
    let served = serve(&output, conn);
    let mut read = Vec::new();
    host.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, b"early");
    drop(host);
    served.await.unwrap();
}

#[tokio::test]
async fn more_than_pipe_and_socket_hold_arrives_whole() {
    let (output, mut writer) = output();
    let (conn, mut host) = connection();
    let served = serve(&output, conn);
    let sent: Vec<u8> = (0..4_000_000u32).map(|i| i.to_le_bytes()[1]).collect();
    let copy = sent.clone();
    let writing = tokio::task::spawn_blocking(move || writer.write_all(&copy).unwrap());
    let mut read = Vec::new();
    host.read_to_end(&mut read).await.unwrap();
    assert!(read == sent);
    writing.await.unwrap();
    drop(host);
    served.await.unwrap();
}

#[tokio::test]
async fn what_a_lost_host_has_not_taken_stays_for_the_next() {
    let (output, mut writer) = output();
    let (conn, host) = connection();
    drop(host);
    writer.write_all(b"kept").unwrap();
    serve(&output, conn).await.unwrap();
    let (conn, mut host) = connection();
    let served = serve(&output, conn);
    let mut read = [0; 4];
    host.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"kept");
    output.retire();
    served.await.unwrap();
}

#[tokio::test]
async fn output_that_nobody_will_read_breaks_the_writers_pipe() {
    let (output, mut writer) = output();
    let (conn, mut host) = connection();
    let served = serve(&output, conn);
    writer.write_all(b"1").unwrap();
    assert_eq!(host.read_u8().await.unwrap(), b'1');
    host.shutdown().await.unwrap();
    served.await.unwrap();
    let error = writer.write_all(b"2").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    assert_eq!(host.read(&mut [0; 1]).await.unwrap(), 0);
    // Who opens it again finds its end.
    let (conn, mut host) = connection();
    let served = serve(&output, conn);
    assert_eq!(host.read(&mut [0; 1]).await.unwrap(), 0);
    drop(host);
    served.await.unwrap();
}

/// A writer that waits because the host takes nothing more is woken too.
#[tokio::test]
async fn writer_that_waits_learns_that_nobody_will_read() {
    let (output, mut writer) = output();
    let (conn, mut host) = connection();
    let served = serve(&output, conn);
    let writing = tokio::task::spawn_blocking(move || writer.write_all(&vec![0; 8 << 20]));
    assert_eq!(host.read_u8().await.unwrap(), 0);
    host.shutdown().await.unwrap();
    let error = writing.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    served.await.unwrap();
}

#[tokio::test]
async fn newer_connection_takes_the_stream_over() {
    let (output, mut writer) = output();
    let (first, mut old_host) = connection();
    let first = serve(&output, first);
    writer.write_all(b"1").unwrap();
    assert_eq!(old_host.read_u8().await.unwrap(), b'1');
    let (second, mut host) = connection();
    let second = serve(&output, second);
    first.await.unwrap();
    writer.write_all(b"2").unwrap();
    assert_eq!(host.read_u8().await.unwrap(), b'2');
    drop(writer);
    assert_eq!(host.read(&mut [0; 1]).await.unwrap(), 0);
    host.shutdown().await.unwrap();
    drop(host);
    second.await.unwrap();
}

#[tokio::test]
async fn connection_to_a_forgotten_process_is_let_go_at_once() {
    let (output, _writer) = output();
    output.retire();
    for _ in 0..2 {
        let (conn, _host) = connection();
        serve(&output, conn).await.unwrap();
    }
}
