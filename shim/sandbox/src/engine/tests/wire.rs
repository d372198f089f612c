//! Messages from anybody: no bytes make an owner or a client panic, and what is sent is what arrives.

use std::{
    fs::File,
    io::Read,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream as StdUnixStream,
    },
};

use proptest::prelude::*;
use tokio::{io::AsyncWriteExt, net::UnixStream};

use crate::engine::{
    EngineError, ExecCall, Window,
    wire::{Call, Link, Reply, parse},
};

fn exec() -> ExecCall {
    ExecCall {
        args: vec!["sh".to_owned(), "x\0y\u{7f}".to_owned()],
        env: vec!["A=b".to_owned()],
        working_dir: Some("/tmp".to_owned()),
        user: None,
        cap_add: vec!["NET_ADMIN".to_owned()],
        cap_drop: vec!["ALL".to_owned()],
        stdin: true,
        terminal: Some(Window {
            columns: 80,
            rows: 25,
        }),
        detached: false,
    }
}

#[tokio::test]
async fn message_arrives_as_it_was_sent_with_its_descriptors() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (ours, theirs) = (Link::new(ours), Link::new(theirs));
    let (read, write) = std::io::pipe().unwrap();
    let (call, fds) = (Call::Exec(exec()), [write.as_fd()]);
    let sent = ours.send(&call, &fds);
    let (sent, arrived) = tokio::join!(sent, theirs.next::<Call>());
    sent.unwrap();
    let (call, fds) = arrived.unwrap().unwrap();
    match call {
        Call::Exec(call) => assert_eq!(call, exec()),
        other => panic!("{other:?}"),
    }
    assert_eq!(fds.len(), 1);
    drop((fds, write));
    // Every copy of it is closed.
    let mut rest = Vec::new();
    File::from(OwnedFd::from(read))
        .read_to_end(&mut rest)
        .unwrap();
}

#[tokio::test]
async fn half_a_message_and_one_that_is_too_long_are_errors_and_an_end_is_none() {
    for (bytes, is_error) in [
        (&b""[..], false),
        (b"\x05\0", true),
        (b"\x05\0\0\0{", true),
        (b"\xff\xff\xff\xff", true),
        (b"\x02\0\0\0{}", true),
    ] {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(bytes).await.unwrap();
        drop(theirs);
        let next = Link::new(ours).next::<Call>().await;
        assert_eq!(next.is_err(), is_error, "{bytes:?}: {next:?}");
        assert!(next.is_err() || next.unwrap().is_none());
    }
}

#[test]
fn other_version_is_told_from_nonsense() {
    let error = parse::<Call>(br#"{"version":3,"message":{"future":1}}"#).unwrap_err();
    assert_eq!(error.to_string(), "protocol version 3, known is 2");
    let error = parse::<Call>(br#"{"version":2,"message":{"future":1}}"#).unwrap_err();
    assert!(matches!(error, EngineError::Malformed(_)), "{error}");
    let error = parse::<Call>(br#"{"version":2,"message":"wait","more":1}"#).unwrap_err();
    assert!(matches!(error, EngineError::Malformed(_)), "{error}");
}

#[tokio::test]
async fn end_of_the_other_side_is_noticed_and_its_silence_is_not_an_end() {
    let (ours, theirs) = StdUnixStream::pair().unwrap();
    for end in [&ours, &theirs] {
        end.set_nonblocking(true).unwrap();
    }
    let ours = Link::new(UnixStream::from_std(ours).unwrap());
    let theirs = Link::new(UnixStream::from_std(theirs).unwrap());
    theirs.send(&Call::Wait, &[]).await.unwrap();
    ours.next::<Call>().await.unwrap().unwrap();
    // Nothing has come since: it does not resolve.
    let mut closed = Box::pin(ours.closed());
    let waits = futures_poll(&mut closed).await;
    assert!(waits);
    drop(theirs);
    closed.await;
}

/// Whether a future is not ready after the runtime had its turn.
async fn futures_poll(future: &mut (impl Future<Output = ()> + Unpin)) -> bool {
    tokio::select! {
        biased;
        () = future => false,
        () = async { for _ in 0..10 { tokio::task::yield_now().await; } } => true,
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        parse::<Call>(&body).ok();
        parse::<Reply>(&body).ok();
    }

    #[test]
    fn no_json_makes_the_reader_panic(text in r#"\{"version":2,"message":(\{"(exec|signal|stop|resize)":\{"[a-z_]{0,8}":(-?[0-9]{0,20}|null|"x"|\[\])\}\}|"(wait|pause|x)")\}"#) {
        parse::<Call>(text.as_bytes()).ok();
    }
}
