//! `husk run -d`: the command starts this program again as the container's owner, waits for its word, and ends.
//!
//! The two share a socket. The command says what was asked, the owner says when the container runs. Until then the
//! owner's errors go to the command's standard error, and an end of either ends everything.

use std::{
    env,
    fs::File,
    io::{self, BufRead, BufReader, Read, Write, stdin, stdout},
    net::Shutdown,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{net::UnixStream, process::ExitStatusExt},
    },
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

use anyhow::{Context, Result, bail};
use rustix::{
    process::{Signal, setsid},
    stdio::dup2_stdin,
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::AsyncWriteExt,
    net::{UnixStream as AsyncStream, unix::OwnedWriteHalf},
    task::{AbortHandle, spawn_blocking},
};

use super::owner_log;
use crate::signals::{self, Signals};

/// No command line is longer (execve(2) takes 2 MiB of words and environment).
const MAX_LINE_BYTES: u64 = 8 << 20;

/// What the owner is to do.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    version: String,
    words: Vec<String>,
}

/// The container runs.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Started {
    id: String,
}

/// Starts an owner for what was asked, and prints the container's id when it runs; gives the exit code.
pub(crate) async fn launch() -> Result<u8> {
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let words = env::args_os().map(|word| word.into_string());
    let words: Result<Vec<String>, _> = words.collect();
    let words = words.map_err(|word| anyhow::anyhow!("argument {word:?} is not UTF-8"))?;
    let (ours, theirs) = UnixStream::pair().context("socket for the owner")?;
    let child = spawn_owner(theirs)?;
    let order = Order {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        words,
    };
    // An owner that ended at once has said why.
    send_line(&ours, &order).ok();
    let reading = ours.try_clone().context("socket for the owner")?;
    let mut answer = spawn_blocking(move || read_answer(&reading, child));
    let mut asked_to_end = None;
    loop {
        tokio::select! {
            answer = &mut answer => return finish(answer??, asked_to_end),
            signal = signals.next_end() => {
                asked_to_end = Some(signal);
                ours.shutdown(Shutdown::Write).ok();
            }
        }
    }
}

/// What came of an owner.
enum Answer {
    Started(Started),
    Ended(ExitStatus),
}

fn spawn_owner(stdin: UnixStream) -> Result<Child> {
    Command::new("/proc/self/exe")
        .arg("pod-owner")
        .stdin(OwnedFd::from(stdin))
        .stdout(Stdio::null())
        .spawn()
        .context("cannot start the container's owner")
}

fn read_answer(socket: &UnixStream, mut child: Child) -> Result<Answer> {
    match read_line::<Started>(socket) {
        Ok(started) => Ok(Answer::Started(started)),
        // It ends, and its exit code says the rest.
        Err(_) => Ok(Answer::Ended(child.wait().context("the owner")?)),
    }
}

fn finish(answer: Answer, asked_to_end: Option<Signal>) -> Result<u8> {
    match (answer, asked_to_end) {
        (Answer::Started(started), _) => {
            let said = writeln!(stdout(), "{}", started.id);
            said.context("standard output")?;
            Ok(0)
        }
        (Answer::Ended(_), Some(signal)) => Ok(signals::exit_code(signal)),
        (Answer::Ended(status), None) => match (status.code(), status.signal()) {
            (Some(0), _) => bail!("the container's owner ended before the container ran"),
            (Some(code), _) => Ok(u8::try_from(code).unwrap_or(u8::MAX)),
            (None, signal) => bail!(
                "the container's owner was killed by signal {} before the container ran",
                signal.unwrap_or(0)
            ),
        },
    }
}

/// Takes the order from standard input, and leaves the session of the command that gives it.
pub(crate) fn take_order() -> Result<(Vec<String>, UnixStream)> {
    let socket = stdin().as_fd().try_clone_to_owned();
    let socket = UnixStream::from(socket.context("standard input")?);
    let order: Order = read_line(&socket).context("husk pod-owner is started by husk run -d")?;
    if order.version != env!("CARGO_PKG_VERSION") {
        bail!("husk was replaced by another version while it started: try again");
    }
    let null = File::open("/dev/null").context("/dev/null")?;
    dup2_stdin(null).context("standard input")?;
    // Keys typed at the terminal, and its end, are not for the owner.
    setsid().context("cannot leave the session")?;
    Ok((order.words, socket))
}

/// The command that waits for the container to run.
#[derive(Debug)]
pub(crate) struct Launcher {
    socket: OwnedWriteHalf,
    watch: AbortHandle,
}

impl Launcher {
    /// From now on its end is like a signal that asks to end.
    pub(crate) fn new(socket: UnixStream, signals: &Signals) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let (read, socket) = AsyncStream::from_std(socket)?.into_split();
        let end = signals.sender();
        let watching = tokio::spawn(async move {
            // It says nothing more; that it can be read means that it has closed.
            read.readable().await.ok();
            end.send(Signal::HUP).await.ok();
        });
        Ok(Self {
            socket,
            watch: watching.abort_handle(),
        })
    }

    /// Says that the container runs, and lets go of everything that the command shares with us.
    pub(crate) async fn tell(mut self, id: &str, dir: &Path) -> Result<()> {
        let line = line(&Started { id: id.to_owned() })?;
        self.watch.abort();
        let told = self.socket.write_all(&line).await;
        told.context("the husk run that started the container is gone")?;
        owner_log::begin(dir)?;
        env::set_current_dir("/").context("/")?;
        Ok(())
    }
}

fn line<T: Serialize>(message: &T) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

fn send_line<T: Serialize>(mut socket: &UnixStream, message: &T) -> Result<()> {
    Ok(socket.write_all(&line(message)?)?)
}

fn read_line<T: for<'a> Deserialize<'a>>(socket: &UnixStream) -> Result<T> {
    let mut line = Vec::new();
    let mut reader = BufReader::new(socket).take(MAX_LINE_BYTES);
    reader.read_until(b'\n', &mut line)?;
    Ok(serde_json::from_slice(&line)?)
}
