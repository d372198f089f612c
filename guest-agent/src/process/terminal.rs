//! Pseudo-terminals of a container: each is made in the container's own devpts, so that its name there is right.
//!
//! An exec's is made here, through a directory that was opened before the container ran anything of its own: no path of
//! the container is looked up later, so it cannot lead elsewhere and nobody can make the look-up wait. That of init is
//! made by libcontainer, which sends it over a socket.

use std::{
    io::{self, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{
        CWD, FileType, Mode, OFlags, ResolveFlags, Uid, fchown, fstat, fstatfs, major, minor,
        openat, openat2,
    },
    io::Errno,
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg},
    pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt},
};
use tokio::{
    io::Interest,
    net::{UnixListener, UnixStream},
};

use super::stdio::ChildEnds;

/// linux/magic.h
const DEVPTS_MAGIC: u64 = 0x1cd1;

/// Device number of every master.
const PTMX: (u32, u32) = (5, 2);

/// The container's /dev/pts.
#[derive(Debug)]
pub(crate) struct Devpts {
    directory: OwnedFd,
}

impl Devpts {
    /// Of a container whose init waits for its start; none where there is no devpts.
    pub(crate) fn of(init: u32) -> io::Result<Option<Self>> {
        let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, format!("/proc/{init}/root"), directory, Mode::empty())?;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let directory = match openat2(&root, "dev/pts", directory, Mode::empty(), resolve) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            opened => opened?,
        };
        let is_devpts = u64::try_from(fstatfs(&directory)?.f_type) == Ok(DEVPTS_MAGIC);
        Ok(is_devpts.then_some(Self { directory }))
    }

    /// A new terminal: its master, and the other end as a process's three streams.
    pub(crate) fn open(&self) -> io::Result<(OwnedFd, ChildEnds)> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let master = openat(&self.directory, "ptmx", flags, Mode::empty())?;
        unlockpt(&master)?;
        let stdin = peer(master.as_fd())?;
        let ends = ChildEnds {
            stdout: stdin.try_clone()?,
            stderr: stdin.try_clone()?,
            stdin,
        };
        Ok((master, ends))
    }
}

/// The other end of a master, without a look at any path.
fn peer(master: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    Ok(ioctl_tiocgptpeer(master, flags)?)
}

/// Lets a user open the terminal by its name.
pub(crate) fn give_terminal(master: BorrowedFd<'_>, uid: Uid) -> io::Result<()> {
    Ok(fchown(peer(master)?, Some(uid), None)?)
}

/// The socket on which libcontainer hands over the terminal that it makes.
#[derive(Debug)]
pub(crate) struct Console {
    listener: UnixListener,
    path: PathBuf,
}

impl Console {
    /// Listens in a directory of the agent's.
    pub(crate) fn listen(directory: &Path) -> io::Result<Self> {
        let path = directory.join("console.sock");
        Ok(Self {
            listener: UnixListener::bind(&path)?,
            path,
        })
    }

    /// Where.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The master of the terminal that was made. Called when the process exists: what it sends was sent before.
    pub(crate) async fn receive(self) -> io::Result<OwnedFd> {
        let (stream, _) = self.listener.accept().await?;
        let received = stream
            .async_io(Interest::READABLE, || receive_descriptor(&stream))
            .await;
        let _ = std::fs::remove_file(&self.path);
        let master = received?;
        let status = fstat(&master)?;
        let numbers = (major(status.st_rdev), minor(status.st_rdev));
        if FileType::from_raw_mode(status.st_mode) != FileType::CharacterDevice || numbers != PTMX {
            return Err(io::Error::other("what was handed over is no terminal"));
        }
        Ok(master)
    }
}

fn receive_descriptor(stream: &UnixStream) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut name = [0; 64];
    recvmsg(
        stream,
        &mut [IoSliceMut::new(&mut name)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let descriptors = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    descriptors
        .last()
        .ok_or_else(|| io::Error::other("no terminal was handed over"))
}
