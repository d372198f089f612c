//! The server in a real I/O thread, real sockets as its clients; the test is the owner of the machine.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::{Resource, Rlimit, setrlimit};

use super::{MAX_CONNECTIONS, Server};
use crate::api::config::SlotClass;
use crate::api::{
    Command as ApiCommand, Event, ExitReason, ExitReport, Message, Metrics, Reply, Request, wire,
};
use crate::process::Worker;
use crate::process::control::{Handle, Order};

struct Rig {
    launch: UnixStream,
    dir: tempfile::TempDir,
    handle: Handle,
    orders: Receiver<Order>,
    thread: JoinHandle<std::io::Result<()>>,
}

impl Rig {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("control")).unwrap();
        let (launch, theirs) = UnixStream::pair().unwrap();
        let (sender, orders) = channel();
        let sink = Box::new(move |order| sender.send(order).unwrap());
        let (server, handle) = Server::new(theirs, Some(listener), sink).unwrap();
        let mut worker = Worker::new().unwrap();
        worker.set_control(server).unwrap();
        Self {
            launch,
            dir,
            handle,
            orders,
            thread: std::thread::spawn(move || worker.run()),
        }
    }

    fn connect(&self) -> UnixStream {
        UnixStream::connect(self.dir.path().join("control")).unwrap()
    }

    fn next_order(&self) -> Order {
        self.orders.recv_timeout(Duration::from_secs(120)).unwrap()
    }

    fn end(self) {
        self.handle.finish(exited());
        self.thread.join().unwrap().unwrap();
    }
}

fn exited() -> Event {
    Event::Exited(Box::new(ExitReport {
        reason: ExitReason::Stopped,
        console_tail: String::new(),
        metrics: Metrics::default(),
    }))
}

fn ask(mut socket: &UnixStream, id: u64, command: ApiCommand) {
    let frame = wire::encode(&Request { id, command }).unwrap();
    socket.write_all(&frame).unwrap();
}

fn hear(mut socket: &UnixStream) -> Message {
    let mut length = [0; 4];
    socket.read_exact(&mut length).unwrap();
    let mut body = vec![0; usize::try_from(u32::from_le_bytes(length)).unwrap()];
    socket.read_exact(&mut body).unwrap();
    serde_json::from_slice(&body).unwrap()
}

fn assert_closed(mut socket: &UnixStream) {
    match socket.read(&mut [0]) {
        Ok(0) => {}
        Err(e) if e.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("still open: {other:?}"),
    }
}

#[test]
fn replies_go_to_the_one_who_asked_and_news_to_all() {
    let rig = Rig::new();
    let second = rig.connect();
    ask(&second, 7, ApiCommand::Pause);
    let order = rig.next_order();
    assert_eq!((order.id, &order.command), (7, &ApiCommand::Pause));
    rig.handle.announce(Event::Started);
    rig.handle.reply(order.from, order.id, Reply::Done);
    assert_eq!(hear(&rig.launch), Message::Event(Event::Started));
    assert_eq!(hear(&second), Message::Event(Event::Started));
    let (id, result) = (7, Reply::Done);
    assert_eq!(hear(&second), Message::Reply { id, result });
    ask(&rig.launch, 1, ApiCommand::Metrics);
    let order = rig.next_order();
    let result = Reply::Metrics(Box::default());
    rig.handle.reply(order.from, order.id, result.clone());
    assert_eq!(hear(&rig.launch), Message::Reply { id: 1, result });
    let launch = rig.launch.try_clone().unwrap();
    rig.end();
    assert_eq!(hear(&launch), Message::Event(exited()));
    assert_eq!(hear(&second), Message::Event(exited()));
    assert_closed(&second);
}

#[test]
fn closed_launch_socket_stops_nothing_and_socket_opens_anew() {
    let mut rig = Rig::new();
    let (other, _) = UnixStream::pair().unwrap();
    drop(std::mem::replace(&mut rig.launch, other));
    for id in 0..3 {
        let client = rig.connect();
        ask(&client, id, ApiCommand::Resume);
        let order = rig.next_order();
        rig.handle.reply(order.from, order.id, Reply::Done);
        let result = Reply::Done;
        assert_eq!(hear(&client), Message::Reply { id, result });
    }
    rig.end();
}

#[test]
fn request_of_a_client_that_closes_at_once_is_heard() {
    let rig = Rig::new();
    let client = rig.connect();
    ask(&client, 1, ApiCommand::Stop);
    drop(client);
    let order = rig.next_order();
    assert_eq!(order.command, ApiCommand::Stop);
    rig.handle.reply(order.from, order.id, Reply::Done);
    rig.end();
}

#[test]
fn half_closed_client_still_hears_its_reply() {
    let rig = Rig::new();
    let client = rig.connect();
    ask(&client, 1, ApiCommand::Pause);
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let order = rig.next_order();
    rig.handle.reply(order.from, order.id, Reply::Done);
    let (id, result) = (1, Reply::Done);
    assert_eq!(hear(&client), Message::Reply { id, result });
    rig.end();
}

#[test]
fn malformed_message_is_refused_and_its_connection_closed() {
    let rig = Rig::new();
    let slot = serde_json::json!({"id": 1, "command": {"detach_drive":
        {"class": "writable", "slot": 0, "force": true}}});
    let attach = ApiCommand::AttachDrive {
        class: SlotClass::ReadOnly,
        slot: 0,
        serial: "a".to_owned(),
    };
    let without_fd = wire::encode(&Request {
        id: 9,
        command: attach,
    });
    let cases: [(Vec<u8>, &str); 5] = [
        (wire::encode(&"stop").unwrap(), "request: invalid type"),
        (
            wire::encode(&slot).unwrap(),
            "request: unknown field `force`",
        ),
        (
            u32::MAX.to_le_bytes().to_vec(),
            "message of 4294967295 bytes is longer than 4096",
        ),
        (b"\x01\0\0\0{".to_vec(), "request: EOF while parsing"),
        (
            without_fd.unwrap(),
            "request 9: 0 descriptors came, the command takes 1",
        ),
    ];
    for (bytes, expected) in cases {
        let mut client = rig.connect();
        client.write_all(&bytes).unwrap();
        let Message::Reply {
            id: 0,
            result: Reply::Refused(text),
        } = hear(&client)
        else {
            panic!("{expected}: not refused");
        };
        assert!(text.starts_with(expected), "{text}");
        assert_closed(&client);
    }
    ask(&rig.launch, 2, ApiCommand::Metrics);
    assert_eq!(rig.next_order().id, 2, "the others go on");
    rig.end();
}

#[test]
fn connection_above_the_bound_is_refused_until_one_closes() {
    let mut rig = Rig::new();
    let mut clients: Vec<_> = (1..MAX_CONNECTIONS).map(|_| rig.connect()).collect();
    let refused = rig.connect();
    let Message::Reply {
        id: 0,
        result: Reply::Refused(text),
    } = hear(&refused)
    else {
        panic!("not refused");
    };
    assert_eq!(text, "16 control connections are open");
    assert_closed(&refused);
    let (handle, orders) = (
        rig.handle.clone(),
        std::mem::replace(&mut rig.orders, channel().1),
    );
    std::thread::spawn(move || {
        for order in orders {
            handle.reply(order.from, order.id, Reply::Done);
        }
    });
    drop(clients.pop());
    // The server may look at its listener once more before it sees that one is gone.
    loop {
        let mut next = rig.connect();
        let frame = wire::encode(&Request {
            id: 3,
            command: ApiCommand::Pause,
        })
        .unwrap();
        // Fails if it is refused already.
        let _ = next.write_all(&frame);
        let done = Message::Reply {
            id: 3,
            result: Reply::Done,
        };
        if hear(&next) == done {
            break;
        }
    }
    rig.end();
}

#[test]
fn client_that_does_not_read_is_given_up_and_the_others_are_served() {
    let rig = Rig::new();
    let silent = rig.connect();
    ask(&silent, 1, ApiCommand::Metrics);
    let order = rig.next_order();
    let launch = rig.launch.try_clone().unwrap();
    let (heard, hears) = channel();
    let reader = std::thread::spawn(move || {
        while hear(&launch) != Message::Event(exited()) {
            heard.send(()).unwrap();
        }
    });
    // Together more than a socket's buffer and the outbox hold, in steps that the reader keeps up with.
    for _ in 0..400 {
        for _ in 0..100 {
            rig.handle.announce(Event::Started);
        }
        for _ in 0..100 {
            hears.recv_timeout(Duration::from_secs(120)).unwrap();
        }
    }
    rig.handle.reply(order.from, order.id, Reply::Done);
    rig.end();
    reader.join().unwrap();
    drop(silent);
}

#[test]
fn requests_beyond_the_bound_wait_for_answers() {
    let rig = Rig::new();
    for id in 0..20 {
        ask(&rig.launch, id, ApiCommand::Pause);
    }
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(rig.next_order());
    }
    // A request of another client is taken; the ninth of the first is not.
    let second = rig.connect();
    ask(&second, 100, ApiCommand::Resume);
    assert_eq!(rig.next_order().id, 100);
    for order in open {
        rig.handle.reply(order.from, order.id, Reply::Done);
        let next = rig.next_order();
        rig.handle.reply(next.from, next.id, Reply::Done);
    }
    rig.end();
}

/// Tells this test that it is in a process of its own: the limit of descriptors is every thread's.
const ALONE: &str = "HUSK_TEST_ALONE";

#[test]
fn listener_outlives_a_time_without_descriptors() {
    if std::env::var_os(ALONE).is_some() {
        return without_descriptors_for_a_while();
    }
    let name = "process::control::server::tests::listener_outlives_a_time_without_descriptors";
    let output = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{output:?}"
    );
}

fn without_descriptors_for_a_while() {
    let rig = Rig::new();
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
    let path = rig.dir.path().join("control");
    let limit = Rlimit {
        current: Some(64),
        maximum: Some(64),
    };
    setrlimit(Resource::Nofile, limit).unwrap();
    let taken: Vec<File> = std::iter::repeat_with(|| File::open("/dev/null"))
        .map_while(Result::ok)
        .collect();
    connect(&socket, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    // Answered after the attempt to accept, which was due before.
    ask(&rig.launch, 1, ApiCommand::Metrics);
    let order = rig.next_order();
    rig.handle.reply(order.from, order.id, Reply::Done);
    let (id, result) = (1, Reply::Done);
    assert_eq!(hear(&rig.launch), Message::Reply { id, result });
    drop(taken);
    let late = UnixStream::from(socket);
    ask(&late, 2, ApiCommand::Metrics);
    let order = rig.next_order();
    assert_eq!(order.id, 2);
    rig.end();
}
