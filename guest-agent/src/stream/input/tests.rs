//! Tests of input on its way, with a socket pair for the host's connection.

use std::{
    io::{Read, Write},
    sync::Arc,
};

use tokio::{io::AsyncWriteExt, task::JoinHandle};

use super::Input;
use crate::stream::{
    Conn,
    testing::{connection, plain_connection},
};

fn input() -> (Arc<Input>, std::io::PipeReader) {
    let (read, write) = std::io::pipe().unwrap();
    (Arc::new(Input::new(write.into()).unwrap()), read)
}

fn serve(input: &Arc<Input>, conn: Conn) -> JoinHandle<()> {
    let input = Arc::clone(input);
    tokio::spawn(async move { input.serve(&conn).await })
}

fn read_to_end(mut reader: std::io::PipeReader) -> JoinHandle<Vec<u8>> {
    tokio::task::spawn_blocking(move || {
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        read
    })
}

#[tokio::test]
async fn half_close_ends_the_input_after_everything_is_written() {
    let (input, reader) = input();
    let (conn, mut host) = connection();
    let served = serve(&input, conn);
    let sent = vec![7; 1_000_000];
    let read = read_to_end(reader);
    host.write_all(&sent).await.unwrap();
    host.shutdown().await.unwrap();
    assert!(read.await.unwrap() == sent);
    served.await.unwrap();
}

#[tokio::test]
async fn lost_host_leaves_the_input_open_for_the_next() {
    let (input, reader) = input();
    let (conn, mut host) = connection();
    let served = serve(&input, conn);
    host.write_all(b"one ").await.unwrap();
    drop(host);
    served.await.unwrap();
    let (conn, mut host) = connection();
    let served = serve(&input, conn);
    host.write_all(b"two").await.unwrap();
    host.shutdown().await.unwrap();
    assert_eq!(read_to_end(reader).await.unwrap(), b"one two");
    served.await.unwrap();
}

#[tokio::test]
async fn close_writes_what_has_arrived_first() {
    let (input, reader) = input();
    let (conn, mut host) = connection();
    host.write_all(b"arrived").await.unwrap();
    let served = serve(&input, conn);
    tokio::task::yield_now().await;
    input.close();
    assert_eq!(read_to_end(reader).await.unwrap(), b"arrived");
    served.await.unwrap();
}

#[tokio::test]
async fn close_without_connection_ends_the_input() {
    let (input, reader) = input();
    input.close();
    assert_eq!(read_to_end(reader).await.unwrap(), b"");
}

/// More has arrived than the pipe holds: all of it is written when the process reads at last.
#[tokio::test]
async fn close_does_not_wait_for_a_process_that_reads_nothing_yet() {
    let (input, reader) = input();
    let (conn, mut host) = plain_connection();
    let mut arrived = 0;
    while let Ok(count) = host.write(&[7; 4096]) {
        arrived += count;
    }
    assert!(arrived > 64 << 10);
    let served = serve(&input, conn);
    tokio::task::yield_now().await;
    input.close();
    assert!(read_to_end(reader).await.unwrap() == vec![7; arrived]);
    served.await.unwrap();
}

#[tokio::test]
async fn connection_to_a_forgotten_process_is_let_go_at_once() {
    let (input, _reader) = input();
    input.retire();
    for _ in 0..2 {
        let (conn, _host) = connection();
        serve(&input, conn).await.unwrap();
    }
}
