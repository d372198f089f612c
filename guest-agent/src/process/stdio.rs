//! The three standard streams of a process: pipes towards the host, or /dev/null.

use std::{fs::File, io, os::fd::OwnedFd};

use husk_protocol::agent::Stdio;
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

/// Room in an output pipe. A larger pipe lets the writer and the pump each do more before the other must run.
const OUTPUT_PIPE_BYTES: usize = 256 * 1024;

/// What the process gets as its descriptors 0, 1 and 2.
#[derive(Debug)]
pub(crate) struct ChildEnds {
    pub(crate) stdin: OwnedFd,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
}

/// What the agent keeps of them.
#[derive(Debug, Default)]
pub(crate) struct Pipes {
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) stdout: Option<OwnedFd>,
    pub(crate) stderr: Option<OwnedFd>,
}

/// Makes the streams that were asked for.
pub(crate) fn make_pipes(wanted: &Stdio) -> io::Result<(ChildEnds, Pipes)> {
    let mut kept = Pipes::default();
    let stdin = if wanted.stdin {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        kept.stdin = Some(write);
        read
    } else {
        null()?
    };
    let stdout = output(wanted.stdout, &mut kept.stdout)?;
    let stderr = output(wanted.stderr, &mut kept.stderr)?;
    let ends = ChildEnds {
        stdin,
        stdout,
        stderr,
    };
    Ok((ends, kept))
}

fn output(wanted: bool, kept: &mut Option<OwnedFd>) -> io::Result<OwnedFd> {
    if !wanted {
        return null();
    }
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    // A smaller pipe works as well, only slower.
    let _ = fcntl_setpipe_size(&write, OUTPUT_PIPE_BYTES);
    *kept = Some(read);
    Ok(write)
}

fn null() -> io::Result<OwnedFd> {
    let file = File::options().read(true).write(true).open("/dev/null")?;
    Ok(file.into())
}
