//! Framing against a socket's other end that does what it likes.

use std::fs::File;
use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::{FrameError, FrameReader, Received};

fn pair() -> (UnixStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (ours, theirs)
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(body.len()).unwrap().to_le_bytes().to_vec();
    bytes.extend_from_slice(body);
    bytes
}

fn send(socket: &UnixStream, bytes: &[u8], fds: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(64))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(fds)));
    let iov = [IoSlice::new(bytes)];
    let sent = sendmsg(socket, &iov, &mut control, SendFlags::empty()).unwrap();
    assert_eq!(sent, bytes.len());
}

fn file_with(text: &str) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    file
}

fn text_of(fd: OwnedFd) -> String {
    let mut text = String::new();
    File::from(fd).read_to_string(&mut text).unwrap();
    text
}

fn receive(reader: &mut FrameReader, socket: &UnixStream) -> Result<Received, FrameError> {
    reader.receive(socket.as_fd())
}

#[test]
fn message_in_single_bytes_is_whole_at_its_last() {
    let (ours, mut theirs) = pair();
    let mut reader = FrameReader::new(100);
    let bytes = framed(b"hello");
    let (last, first) = bytes.split_last().unwrap();
    for byte in first {
        theirs.write_all(&[*byte]).unwrap();
        let received = receive(&mut reader, &ours).unwrap();
        assert!(matches!(received, Received::Pending), "{received:?}");
    }
    theirs.write_all(&[*last]).unwrap();
    let Received::Frame(frame) = receive(&mut reader, &ours).unwrap() else {
        panic!("no frame");
    };
    assert_eq!(frame.body, b"hello");
    assert!(frame.fds.is_empty());
}

#[test]
fn descriptors_stay_with_their_own_message() {
    let (ours, theirs) = pair();
    let (one, two) = (file_with("one"), file_with("two"));
    let mut bytes = framed(b"first");
    bytes.extend(framed(b"second"));
    (&theirs).write_all(&bytes).unwrap();
    send(&theirs, &framed(b"third"), &[one.as_fd(), two.as_fd()]);
    (&theirs).write_all(&framed(b"fourth")).unwrap();
    let mut reader = FrameReader::new(100);
    let mut frames = Vec::new();
    while let Received::Frame(frame) = receive(&mut reader, &ours).unwrap() {
        frames.push(frame);
    }
    let counts: Vec<_> = frames.iter().map(|frame| frame.fds.len()).collect();
    assert_eq!(counts, [0, 0, 2, 0]);
    let texts: Vec<_> = frames.remove(2).fds.into_iter().map(text_of).collect();
    assert_eq!(texts, ["one", "two"]);
}

#[test]
fn descriptors_in_the_middle_are_refused() {
    let (ours, theirs) = pair();
    let bytes = framed(b"hello");
    (&theirs).write_all(&bytes[..6]).unwrap();
    let file = file_with("x");
    send(&theirs, &bytes[6..], &[file.as_fd()]);
    let error = receive(&mut FrameReader::new(100), &ours).unwrap_err();
    assert!(matches!(error, FrameError::StrayDescriptors), "{error}");
}

#[test]
fn more_descriptors_than_fit_are_refused_and_closed() {
    for count in [65, 66, 200] {
        let (ours, theirs) = pair();
        let (watched, held) = UnixStream::pair().unwrap();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(200))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fds = vec![held.as_fd(); count];
        assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
        let bytes = framed(b"x");
        let iov = [IoSlice::new(&bytes)];
        sendmsg(&theirs, &iov, &mut control, SendFlags::empty()).unwrap();
        let error = receive(&mut FrameReader::new(100), &ours).unwrap_err();
        assert!(matches!(error, FrameError::TooManyDescriptors), "{error}");
        drop(held);
        // End of file: none of them is open any more.
        assert_eq!((&watched).read(&mut [0]).unwrap(), 0);
    }
}

#[test]
fn length_above_the_limit_is_refused_before_the_body() {
    let (ours, mut theirs) = pair();
    theirs.write_all(&101_u32.to_le_bytes()).unwrap();
    let error = receive(&mut FrameReader::new(100), &ours).unwrap_err();
    assert_eq!(error.to_string(), "message of 101 bytes is longer than 100");
}

#[test]
fn close_between_messages_is_an_end_and_inside_is_an_error() {
    let (ours, mut theirs) = pair();
    theirs.write_all(&framed(b"")).unwrap();
    theirs.write_all(&framed(b"hello")[..7]).unwrap();
    drop(theirs);
    let mut reader = FrameReader::new(100);
    assert!(matches!(
        receive(&mut reader, &ours).unwrap(),
        Received::Frame(_)
    ));
    let error = receive(&mut reader, &ours).unwrap_err();
    let text = "connection closed after 7 of 9 bytes of a message";
    assert_eq!(error.to_string(), text);

    let (ours, theirs) = pair();
    drop(theirs);
    let end = receive(&mut FrameReader::new(100), &ours).unwrap();
    assert!(matches!(end, Received::Closed));
}
