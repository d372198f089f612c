//! The control connection: one task owns the socket, callers hold a handle with verbs, news goes to one channel.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    os::unix::net::UnixStream as StdUnixStream,
    time::Duration,
};

use husk_machine::api::{
    Command, Event, Message, Metrics, Reply, Request, config::SlotClass, wire,
};
use tokio::{
    io::{AsyncWriteExt, Interest},
    net::UnixStream,
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{MachineError, frames::Frames, launch::send_with_fds};

/// The VMM answers from a thread that never waits for the guest; one that needs this long is stuck.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);

/// Bytes read from the control socket at a time.
const READ_BYTES: usize = 16 << 10;

/// What arrives without being asked for.
#[derive(Debug)]
pub enum MachineNews {
    /// An event of the VMM.
    Event(Event),
    /// The connection ended, in order or because the VMM broke the protocol. The last news.
    Closed(Result<(), MachineError>),
}

/// A handle on a running VMM.
#[derive(Clone, Debug)]
pub struct ControlClient {
    requests: mpsc::Sender<Outgoing>,
}

#[derive(Debug)]
struct Outgoing {
    command: Command,
    fd: Option<OwnedFd>,
    answer: oneshot::Sender<Reply>,
}

impl ControlClient {
    /// Takes over a connected control socket; must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The socket cannot be registered with the runtime.
    pub fn new(
        socket: StdUnixStream,
        news: mpsc::Sender<MachineNews>,
    ) -> Result<Self, MachineError> {
        socket.set_nonblocking(true)?;
        let socket = UnixStream::from_std(socket)?;
        let (requests, queue) = mpsc::channel(16);
        let connection = Connection {
            socket,
            queue,
            waiting: HashMap::new(),
            next_id: 1,
            frames: Frames::default(),
        };
        tokio::spawn(connection.run(news));
        Ok(Self { requests })
    }

    /// Counters of this moment.
    ///
    /// # Errors
    /// The VMM is gone or does not answer.
    pub async fn metrics(&self) -> Result<Metrics, MachineError> {
        match self.call("metrics", Command::Metrics, None).await? {
            Reply::Metrics(metrics) => Ok(*metrics),
            other => Err(unexpected("metrics", &other)),
        }
    }

    /// Puts a file into an empty slot.
    ///
    /// # Errors
    /// The VMM refuses, is gone or does not answer.
    pub async fn attach_drive(
        &self,
        class: SlotClass,
        slot: u8,
        serial: String,
        file: OwnedFd,
    ) -> Result<(), MachineError> {
        let command = Command::AttachDrive {
            class,
            slot,
            serial,
        };
        done(
            "attach_drive",
            self.call("attach_drive", command, Some(file)).await?,
        )
    }

    /// Empties a slot that the guest has unmounted.
    ///
    /// # Errors
    /// The VMM refuses, is gone or does not answer.
    pub async fn detach_drive(&self, class: SlotClass, slot: u8) -> Result<(), MachineError> {
        let command = Command::DetachDrive { class, slot };
        done(
            "detach_drive",
            self.call("detach_drive", command, None).await?,
        )
    }

    /// Plugs a tap into an empty net slot; the guest finds the interface by its address.
    ///
    /// # Errors
    /// The VMM refuses, is gone or does not answer.
    pub async fn attach_nic(
        &self,
        slot: u8,
        mac: String,
        mtu: u16,
        tap: OwnedFd,
    ) -> Result<(), MachineError> {
        let command = Command::AttachNic { slot, mac, mtu };
        done(
            "attach_nic",
            self.call("attach_nic", command, Some(tap)).await?,
        )
    }

    /// Unplugs a net slot's tap; the guest's interface goes.
    ///
    /// # Errors
    /// The VMM refuses, is gone or does not answer.
    pub async fn detach_nic(&self, slot: u8) -> Result<(), MachineError> {
        let command = Command::DetachNic { slot };
        done("detach_nic", self.call("detach_nic", command, None).await?)
    }

    /// Stops the vCPUs.
    ///
    /// # Errors
    /// The VMM refuses, is gone or does not answer.
    pub async fn pause(&self) -> Result<(), MachineError> {
        done("pause", self.call("pause", Command::Pause, None).await?)
    }

    /// Lets the vCPUs run again.
    ///
    /// # Errors
    /// The VMM refuses, is gone or does not answer.
    pub async fn resume(&self) -> Result<(), MachineError> {
        done("resume", self.call("resume", Command::Resume, None).await?)
    }

    /// Asks the VMM to end now. It may be gone before it answers, which is what was asked for.
    ///
    /// # Errors
    /// The VMM refuses or does not answer.
    pub async fn stop(&self) -> Result<(), MachineError> {
        match self.call("stop", Command::Stop, None).await {
            Ok(reply) => done("stop", reply),
            Err(MachineError::Gone) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn call(
        &self,
        name: &'static str,
        command: Command,
        fd: Option<OwnedFd>,
    ) -> Result<Reply, MachineError> {
        let (answer, answered) = oneshot::channel();
        let outgoing = Outgoing {
            command,
            fd,
            answer,
        };
        let exchange = async {
            let sent = self.requests.send(outgoing).await;
            sent.map_err(|_| MachineError::Gone)?;
            answered.await.map_err(|_| MachineError::Gone)
        };
        match timeout(ANSWER_LIMIT, exchange).await {
            Ok(Ok(Reply::Refused(text))) => Err(MachineError::Refused {
                command: name,
                text,
            }),
            Ok(other) => other,
            Err(_) => Err(MachineError::Silent {
                command: name,
                seconds: ANSWER_LIMIT.as_secs(),
            }),
        }
    }
}

fn done(command: &'static str, reply: Reply) -> Result<(), MachineError> {
    match reply {
        Reply::Done => Ok(()),
        other => Err(unexpected(command, &other)),
    }
}

fn unexpected(command: &'static str, reply: &Reply) -> MachineError {
    let text = match reply {
        Reply::Done => "answered done",
        Reply::Metrics(_) => "answered metrics",
        Reply::Refused(_) => "refused",
    };
    MachineError::Refused {
        command,
        text: text.to_owned(),
    }
}

/// The task that owns the socket.
struct Connection {
    socket: UnixStream,
    queue: mpsc::Receiver<Outgoing>,
    waiting: HashMap<u64, oneshot::Sender<Reply>>,
    next_id: u64,
    frames: Frames,
}

impl Connection {
    async fn run(mut self, news: mpsc::Sender<MachineNews>) {
        let end = self.serve(&news).await;
        // Whoever still waits for an answer learns by the closed channels that there is none.
        drop(self);
        news.send(MachineNews::Closed(end)).await.ok();
    }

    async fn serve(&mut self, news: &mpsc::Sender<MachineNews>) -> Result<(), MachineError> {
        let mut open = true;
        loop {
            tokio::select! {
                request = self.queue.recv(), if open => match request {
                    Some(request) => match self.send(request).await {
                        // The VMM listens no more; what it said before, its report above all, is still to be read.
                        Err(MachineError::Control(error)) => {
                            tracing::debug!(%error, "the VMM takes no more commands");
                            open = false;
                            self.queue.close();
                            self.waiting.clear();
                        }
                        sent => sent?,
                    },
                    // Every handle is gone; news may still be of interest.
                    None => open = false,
                },
                // To nobody: the VMM has few connections, and must not keep this one for the rest of its life.
                () = news.closed(), if !open => return Ok(()),
                readable = self.socket.readable() => {
                    readable?;
                    if !self.read(news).await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn send(&mut self, outgoing: Outgoing) -> Result<(), MachineError> {
        let id = self.next_id;
        self.next_id += 1;
        let frame = wire::encode(&Request {
            id,
            command: outgoing.command,
        })?;
        self.waiting.retain(|_, answer| !answer.is_closed());
        self.waiting.insert(id, outgoing.answer);
        let fds: Vec<BorrowedFd<'_>> = outgoing.fd.iter().map(AsFd::as_fd).collect();
        let socket = &self.socket;
        let first = socket.async_io(Interest::WRITABLE, || {
            send_with_fds(socket.as_fd(), &frame, &fds)
        });
        let sent = first.await?;
        let rest = frame.get(sent..).unwrap_or_default();
        self.socket.write_all(rest).await?;
        Ok(())
    }

    /// `false`: the other side closed.
    async fn read(&mut self, news: &mpsc::Sender<MachineNews>) -> Result<bool, MachineError> {
        let mut bytes = [0; READ_BYTES];
        match self.socket.try_read(&mut bytes) {
            Ok(0) => return Ok(false),
            Ok(count) => self.frames.push(bytes.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        while let Some(message) = self.frames.next()? {
            match message {
                // An answer that nobody waits for is no news.
                Message::Reply { id, result } => {
                    if let Some(answer) = self.waiting.remove(&id) {
                        answer.send(result).ok();
                    }
                }
                Message::Event(event) => {
                    // Nobody listens any more: the answers still count.
                    news.send(MachineNews::Event(event)).await.ok();
                }
            }
        }
        Ok(true)
    }
}
