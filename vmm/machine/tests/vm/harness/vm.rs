//! A VMM process and its control connections.

use std::io::{ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use husk_machine::api::control::{Stage, StageMark};
use husk_machine::api::{Command, Event, ExitReport, Message, Metrics, Reply, Request, wire};

use super::setup::send;

/// Longer than anything takes on the slowest host: a test that waits so long has failed.
const LIMIT: Duration = Duration::from_secs(600);

/// A control connection.
pub(crate) struct Client {
    socket: UnixStream,
    next: u64,
    /// Events that came while a reply was waited for.
    events: Vec<Event>,
}

impl Client {
    pub(crate) fn new(socket: UnixStream) -> Self {
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        Self {
            socket,
            next: 1,
            events: Vec::new(),
        }
    }

    pub(crate) fn connect(path: &Path) -> Self {
        Self::new(UnixStream::connect(path).unwrap())
    }

    /// The next message; `None` at the end.
    pub(crate) fn hear(&mut self) -> Option<Message> {
        let mut length = [0; 4];
        match self.socket.read_exact(&mut length) {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => return None,
            Err(e) if e.kind() == ErrorKind::ConnectionReset => return None,
            Err(e) => panic!("control socket: {e}"),
        }
        let mut body = vec![0; usize::try_from(u32::from_le_bytes(length)).unwrap()];
        self.socket.read_exact(&mut body).unwrap();
        Some(serde_json::from_slice(&body).unwrap())
    }

    /// The next event; `None` at the end.
    pub(crate) fn event(&mut self) -> Option<Event> {
        if !self.events.is_empty() {
            return Some(self.events.remove(0));
        }
        match self.hear()? {
            Message::Event(event) => Some(event),
            Message::Reply { id, result } => panic!("reply {id} to nothing: {result:?}"),
        }
    }

    /// Wait for a stage.
    pub(crate) fn stage(&mut self, stage: Stage) -> StageMark {
        loop {
            match self.event() {
                Some(Event::Stage(mark)) if mark.stage == stage => return mark,
                Some(Event::Exited(report)) => panic!("{report:?} before {stage:?}"),
                Some(_) => {}
                None => panic!("gone before {stage:?}"),
            }
        }
    }

    /// Wait for the last event.
    pub(crate) fn exited(&mut self) -> ExitReport {
        loop {
            match self.event() {
                Some(Event::Exited(report)) => return *report,
                Some(_) => {}
                None => panic!("gone without a report"),
            }
        }
    }

    pub(crate) fn ask_with(&mut self, command: Command, fds: &[OwnedFd]) -> Reply {
        let id = self.next;
        self.next += 1;
        let frame = wire::encode(&Request { id, command }).unwrap();
        send(&self.socket, &frame, fds);
        loop {
            match self.hear() {
                Some(Message::Reply { id: to, result }) if to == id => return result,
                Some(Message::Event(event)) => self.events.push(event),
                other => panic!("{other:?} in place of reply {id}"),
            }
        }
    }

    pub(crate) fn ask(&mut self, command: Command) -> Reply {
        self.ask_with(command, &[])
    }

    pub(crate) fn metrics(&mut self) -> Metrics {
        match self.ask(Command::Metrics) {
            Reply::Metrics(metrics) => *metrics,
            other => panic!("{other:?}"),
        }
    }
}

/// A VMM process; killed when dropped.
pub(crate) struct Vm {
    child: Child,
    pub(crate) client: Client,
    dir: tempfile::TempDir,
}

impl Vm {
    pub(crate) fn new(child: Child, socket: UnixStream, dir: tempfile::TempDir) -> Self {
        Self {
            child,
            client: Client::new(socket),
            dir,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The guest runs.
    pub(crate) fn started(&mut self) {
        assert_eq!(self.client.event(), Some(Event::Started));
    }

    /// The last event and the exit code that came with it; the launch socket ends after it.
    pub(crate) fn end(mut self) -> (ExitReport, i32) {
        let report = self.client.exited();
        assert_eq!(self.client.event(), None);
        let status = self.child.wait().unwrap();
        (report, status.code().unwrap())
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // It has ended, or the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
