//! Tests of the copying, with real pipes and sockets.

use std::{
    fs::File,
    io::{Read, Write, pipe},
    os::unix::net::UnixStream,
    thread,
};

use super::{OutputEnd, copy_input, copy_output, to_fd};

fn bytes(count: u32) -> Vec<u8> {
    (0..count).flat_map(u32::to_le_bytes).collect()
}

#[tokio::test]
async fn output_arrives_whole_and_ends_with_its_stream() {
    let (ours, mut container) = UnixStream::pair().unwrap();
    let (mut reader, writer) = pipe().unwrap();
    let output = copy_output(ours, to_fd(writer)).unwrap();
    let sent = bytes(1 << 20);
    let sending = sent.clone();
    let writing = thread::spawn(move || container.write_all(&sending).unwrap());
    let mut arrived = Vec::new();
    reader.read_to_end(&mut arrived).unwrap();
    writing.join().unwrap();
    assert_eq!(arrived, sent);
    assert!(matches!(output.end.await, Ok(OutputEnd::Complete)));
    assert!(output.first.await.is_ok());
    assert_eq!(output.copied.bytes(), 4 << 20);
}

#[tokio::test]
async fn output_without_a_byte_has_no_first() {
    let (ours, container) = UnixStream::pair().unwrap();
    let (_reader, writer) = pipe().unwrap();
    let output = copy_output(ours, to_fd(writer)).unwrap();
    drop(container);
    assert!(matches!(output.end.await, Ok(OutputEnd::Complete)));
    assert!(output.first.await.is_err());
}

/// The half-close is what tells the agent; what still comes is read, so that nothing waits for ever.
#[tokio::test]
async fn output_that_nobody_reads_is_half_closed_and_drained() {
    let (ours, mut container) = UnixStream::pair().unwrap();
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let output = copy_output(ours, to_fd(writer)).unwrap();
    container.write_all(b"x").unwrap();
    assert_eq!(container.read(&mut [0]).unwrap(), 0);
    container.write_all(&bytes(1 << 18)).unwrap();
    drop(container);
    assert!(matches!(output.end.await, Ok(OutputEnd::Complete)));
}

#[tokio::test]
async fn output_to_a_full_disk_fails_with_its_reason() {
    let (ours, mut container) = UnixStream::pair().unwrap();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = copy_output(ours, to_fd(full)).unwrap();
    container.write_all(b"x").unwrap();
    match output.end.await {
        Ok(OutputEnd::Failed(error)) => {
            assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn input_arrives_whole_and_its_end_is_a_half_close() {
    let (ours, mut container) = UnixStream::pair().unwrap();
    let (reader, mut writer) = pipe().unwrap();
    copy_input(reader, ours).unwrap();
    let sent = bytes(1 << 18);
    let sending = sent.clone();
    let writing = thread::spawn(move || writer.write_all(&sending).unwrap());
    let mut arrived = Vec::new();
    container.read_to_end(&mut arrived).unwrap();
    writing.join().unwrap();
    assert_eq!(arrived, sent);
    // The other direction is still open.
    container.write_all(b"x").unwrap();
}

#[test]
fn empty_input_closes_at_once() {
    let (ours, mut container) = UnixStream::pair().unwrap();
    copy_input(File::open("/dev/null").unwrap(), ours).unwrap();
    let mut arrived = Vec::new();
    container.read_to_end(&mut arrived).unwrap();
    assert!(arrived.is_empty());
}
