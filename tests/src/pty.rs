//! A pseudo-terminal pair, as a person's terminal has one.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
};

use rustix::{
    fs::OFlags,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

/// Both ends.
#[derive(Debug)]
pub struct Pty {
    /// The end of the terminal program.
    pub near: File,
    /// The end of the programs in it.
    pub far: File,
}

/// Makes one of this size.
///
/// # Errors
/// The kernel has none to give.
pub fn open(columns: u16, rows: u16) -> io::Result<Pty> {
    let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&near)?;
    unlockpt(&near)?;
    let name = ptsname(&near, Vec::new())?;
    let far = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(i32::try_from(OFlags::NOCTTY.bits()).unwrap_or(0))
        .open(name.to_string_lossy().as_ref())?;
    let pty = Pty {
        near: near.into(),
        far,
    };
    pty.resize(columns, rows)?;
    Ok(pty)
}

impl Pty {
    /// Gives it another size.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn resize(&self, columns: u16, rows: u16) -> io::Result<()> {
        let size = Winsize {
            ws_col: columns,
            ws_row: rows,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        Ok(tcsetwinsize(&self.near, size)?)
    }
}

/// What the programs wrote, until the last of them has closed their end.
///
/// # Errors
/// Reading fails for another reason.
pub fn read_to_end(near: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match near.read(&mut chunk) {
            Ok(0) => return Ok(bytes),
            Ok(length) => bytes.extend_from_slice(&chunk[..length]),
            // Nobody holds the other end any more.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                return Ok(bytes);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
