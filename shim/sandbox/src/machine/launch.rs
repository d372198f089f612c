//! Starting `husk-vmm`: pid 1 of a pid namespace of its own, one end of a socket pair as its standard input,
//! and over that socket the configuration with every descriptor it may ever use.
//!
//! Until the configuration is sent the process only waits for it and ends when the socket closes: a launcher that
//! dies in between leaves no machine.

use std::{
    fs::{self, File},
    io::{self, IoSlice, Write},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use husk_machine::api::{
    MachineConfig,
    wire::{self, MAX_MESSAGE_FDS},
};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::{ExitWatch, MachineError, MachineSpec};

/// How to start the VMM.
#[derive(Debug)]
pub struct Vmm {
    /// The `husk-vmm` binary.
    pub binary: PathBuf,
    /// Where its standard output and error go.
    pub log: File,
}

/// A VMM process that waits for its configuration. Dropping it ends the process.
#[derive(Debug)]
pub struct LaunchedVmm {
    socket: UnixStream,
    watch: ExitWatch,
}

impl Vmm {
    /// Starts the process.
    ///
    /// # Errors
    /// The binary, the namespace or the process table says no.
    pub fn spawn(self) -> Result<LaunchedVmm, MachineError> {
        let (ours, theirs) = UnixStream::pair()?;
        // Namespaces belong to a thread, and one that has left its pid namespace cannot go back: it ends with the spawn.
        let spawning = thread::Builder::new()
            .name("husk-spawn".to_owned())
            .spawn(move || spawn_in_own_pid_namespace(&self, theirs))?;
        let child = spawning
            .join()
            .map_err(|_| io::Error::other("the spawning thread panicked"))??;
        Ok(LaunchedVmm {
            socket: ours,
            watch: ExitWatch::new(child)?,
        })
    }
}

impl LaunchedVmm {
    /// Pid on the host.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.watch.pid()
    }

    #[cfg(test)]
    pub(super) fn into_watch(self) -> ExitWatch {
        self.watch
    }

    /// Sends the configuration: from now on the process is a machine. The socket becomes its first control connection.
    ///
    /// # Errors
    /// A file of the machine cannot be opened, or the process is gone.
    pub fn configure(
        self,
        spec: MachineSpec,
        uid: u32,
    ) -> Result<(UnixStream, ExitWatch), MachineError> {
        let (config, fds) = spec.into_config(uid)?;
        send_config(&self.socket, &config, &fds).map_err(|error| match error {
            MachineError::Control(source) => MachineError::Process {
                pid: self.watch.pid(),
                what: "sending the configuration",
                source,
            },
            other => other,
        })?;
        Ok((self.socket, self.watch))
    }
}

#[expect(
    deprecated,
    reason = "deprecated for UnshareFlags::FILES only, which would part this thread's descriptors from the others'"
)]
fn own_pid_namespace() -> rustix::io::Result<()> {
    rustix::thread::unshare(rustix::thread::UnshareFlags::NEWPID)
}

fn spawn_in_own_pid_namespace(vmm: &Vmm, stdin: UnixStream) -> Result<Child, MachineError> {
    own_pid_namespace().map_err(|source| MachineError::Namespace {
        source: source.into(),
    })?;
    let log = vmm.log.try_clone()?;
    Command::new(&vmm.binary)
        .env_clear()
        .current_dir("/")
        .stdin(OwnedFd::from(stdin))
        .stdout(Stdio::from(vmm.log.try_clone()?))
        .stderr(Stdio::from(log))
        // Keys typed at our terminal are for the container, not for its machine.
        .process_group(0)
        .spawn()
        .map_err(|source| MachineError::Spawn {
            path: vmm.binary.clone(),
            source,
        })
}

fn send_config(
    socket: &UnixStream,
    config: &MachineConfig,
    fds: &[OwnedFd],
) -> Result<(), MachineError> {
    let frame = wire::encode(config)?;
    let borrowed: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
    let sent = send_with_fds(socket.as_fd(), &frame, &borrowed)?;
    // Descriptors travel with the first byte; a message longer than the socket's buffer goes on without them.
    let mut writer = socket;
    writer.write_all(frame.get(sent..).unwrap_or_default())?;
    Ok(())
}

/// Sends what fits of `bytes`, with the descriptors.
pub(crate) fn send_with_fds(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_MESSAGE_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::other(format!(
            "{} descriptors in one message, at most {MAX_MESSAGE_FDS}",
            fds.len()
        )));
    }
    Ok(sendmsg(
        socket,
        &[IoSlice::new(bytes)],
        &mut control,
        SendFlags::NOSIGNAL,
    )?)
}

/// When a process was started, in clock ticks since the host's boot: with its pid it names a process for good.
///
/// `None`: there is no such process, or it has ended.
#[must_use]
pub fn process_start_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    start_ticks(&stat)
}

/// Field 22 of /proc/PID/stat (proc_pid_stat(5)); the name in field 2 may hold blanks and parentheses.
pub(super) fn start_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    // One that only waits to be reaped has ended.
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}
