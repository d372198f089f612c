//! The control client against a socket on which the test plays the VMM.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    thread,
};

use husk_machine::api::{
    Command, Event, Message, Metrics, Reply, Request, config::SlotClass, wire,
};
use tokio::sync::mpsc;

use crate::{
    machine::{ControlClient, MachineError, MachineNews},
    text::one_line,
};

fn read_request(socket: &mut UnixStream) -> Request {
    let mut length = [0; 4];
    socket.read_exact(&mut length).unwrap();
    let mut body = vec![0; usize::try_from(u32::from_le_bytes(length)).unwrap()];
    socket.read_exact(&mut body).unwrap();
    serde_json::from_slice(&body).unwrap()
}

fn write_message(socket: &mut UnixStream, message: &Message) {
    socket.write_all(&wire::encode(message).unwrap()).unwrap();
}

fn reply(socket: &mut UnixStream, id: u64, result: Reply) {
    write_message(socket, &Message::Reply { id, result });
}

fn client() -> (ControlClient, mpsc::Receiver<MachineNews>, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (news, from_machine) = mpsc::channel(8);
    (
        ControlClient::new(ours, news).unwrap(),
        from_machine,
        theirs,
    )
}

#[tokio::test]
async fn answers_out_of_order_find_their_callers() {
    let (client, _news, mut vmm) = client();
    let playing = thread::spawn(move || {
        let first = read_request(&mut vmm);
        let second = read_request(&mut vmm);
        for request in [second, first] {
            let result = match request.command {
                Command::Metrics => Reply::Metrics(Box::new(Metrics {
                    instructions: 42,
                    ..Metrics::default()
                })),
                _ => Reply::Refused("no such slot".to_owned()),
            };
            reply(&mut vmm, request.id, result);
        }
        vmm
    });
    let detach = client.detach_drive(SlotClass::ReadOnly, 99);
    let (metrics, refused) = tokio::join!(client.metrics(), detach);
    assert_eq!(metrics.unwrap().instructions, 42);
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("no such slot"), "{refused}");
    playing.join().unwrap();
}

#[tokio::test]
async fn event_between_answers_is_news() {
    let (client, mut news, mut vmm) = client();
    let playing = thread::spawn(move || {
        let request = read_request(&mut vmm);
        write_message(&mut vmm, &Message::Event(Event::Started));
        reply(&mut vmm, request.id, Reply::Done);
        vmm
    });
    client.pause().await.unwrap();
    let heard = news.recv().await.unwrap();
    assert!(matches!(heard, MachineNews::Event(Event::Started)));
    playing.join().unwrap();
}

#[tokio::test]
async fn end_of_the_machine_fails_calls_and_is_news() {
    let (client, mut news, mut vmm) = client();
    let playing = thread::spawn(move || {
        read_request(&mut vmm);
    });
    assert!(matches!(client.metrics().await, Err(MachineError::Gone)));
    playing.join().unwrap();
    let heard = news.recv().await.unwrap();
    assert!(matches!(heard, MachineNews::Closed(_)));
    assert!(matches!(client.metrics().await, Err(MachineError::Gone)));
}

/// A machine that ends says why and closes; a command that crosses that on its way must not cost the words.
#[tokio::test]
async fn last_words_are_heard_when_a_command_finds_the_machine_gone() {
    let (client, mut news, mut vmm) = client();
    write_message(&mut vmm, &Message::Event(Event::Started));
    drop(vmm);
    assert!(matches!(client.metrics().await, Err(MachineError::Gone)));
    let heard = news.recv().await.unwrap();
    assert!(
        matches!(heard, MachineNews::Event(Event::Started)),
        "{heard:?}"
    );
    let heard = news.recv().await.unwrap();
    assert!(matches!(heard, MachineNews::Closed(Ok(()))), "{heard:?}");
    assert!(matches!(client.metrics().await, Err(MachineError::Gone)));
}

#[tokio::test]
async fn machine_that_ends_when_asked_to_stop_is_no_error() {
    let (client, _news, mut vmm) = client();
    let playing = thread::spawn(move || {
        assert_eq!(read_request(&mut vmm).command, Command::Stop);
    });
    client.stop().await.unwrap();
    playing.join().unwrap();
}

#[tokio::test]
async fn message_that_is_none_ends_the_connection_with_its_words() {
    let (client, mut news, mut vmm) = client();
    vmm.write_all(b"\x02\0\0\0{}").unwrap();
    match news.recv().await.unwrap() {
        MachineNews::Closed(Err(error)) => {
            let text = one_line(&error);
            assert!(text.contains("message is not valid"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    assert!(client.metrics().await.is_err());
}

#[tokio::test]
async fn descriptor_of_an_attached_drive_travels_with_its_message() {
    let (client, _news, vmm) = client();
    let playing = thread::spawn(move || {
        let (bytes, files) = receive(&vmm);
        let mut vmm = vmm;
        let request: Request = serde_json::from_slice(&bytes[4..]).unwrap();
        reply(&mut vmm, request.id, Reply::Done);
        (files, vmm)
    });
    let file = tempfile::tempfile().unwrap();
    let serial = "disk".to_owned();
    let attached = client.attach_drive(SlotClass::Writable, 1, serial, file.into());
    attached.await.unwrap();
    assert_eq!(playing.join().unwrap().0, 1);
}

/// One message and the number of its descriptors.
fn receive(socket: &UnixStream) -> (Vec<u8>, usize) {
    use std::{io::IoSliceMut, mem::MaybeUninit};

    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

    let mut bytes = vec![0; 4096];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut iov = [IoSliceMut::new(&mut bytes)];
    let received = recvmsg(socket, &mut iov, &mut control, RecvFlags::CMSG_CLOEXEC).unwrap();
    let files = control
        .drain()
        .map(|message| match message {
            RecvAncillaryMessage::ScmRights(files) => files.count(),
            _ => 0,
        })
        .sum();
    bytes.truncate(received.bytes);
    (bytes, files)
}

/// The VMM takes few connections: one that nobody holds any more is closed.
#[tokio::test]
async fn connection_ends_with_its_last_handle_and_its_listener() {
    let (client, news, mut vmm) = client();
    drop(news);
    let other = client.clone();
    drop(client);
    let playing = thread::spawn(move || {
        let request = read_request(&mut vmm);
        reply(&mut vmm, request.id, Reply::Done);
        vmm.read(&mut [0]).unwrap()
    });
    other.pause().await.unwrap();
    drop(other);
    let ended = tokio::task::spawn_blocking(move || playing.join().unwrap());
    assert_eq!(ended.await.unwrap(), 0);
}
