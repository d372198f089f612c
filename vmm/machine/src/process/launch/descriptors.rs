//! Each descriptor at its place, each of the kind that its place takes.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;

use rustix::fs::{FileType, fstat};
use rustix::net::{AddressFamily, SocketType, sockopt};

use super::error::LaunchError;
use crate::api::MachineConfig;

/// The descriptors of a configuration.
#[derive(Debug)]
pub struct Descriptors {
    /// `/dev/kvm`.
    pub kvm: OwnedFd,
    /// The kernel.
    pub kernel: File,
    /// The initramfs.
    pub initramfs: File,
    /// The drives, in the configuration's order.
    pub drives: Vec<File>,
    /// In the order of the configuration.
    pub nics: Vec<OwnedFd>,
    /// The vsock's host side.
    pub vsock: Option<UnixListener>,
    /// The control socket.
    pub control: Option<UnixListener>,
}

impl Descriptors {
    /// Give each descriptor that came its place in the configuration.
    ///
    /// # Errors
    /// One is missing, claimed twice, left over, or of the wrong kind.
    pub fn sort(config: &MachineConfig, fds: Vec<OwnedFd>) -> Result<Self, LaunchError> {
        let mut pile = Pile {
            count: fds.len(),
            fds: fds.into_iter().map(Some).collect(),
        };
        let kvm = pile.take("kvm_fd", config.kvm_fd)?;
        check_kind(
            "kvm_fd",
            &kvm,
            FileType::CharacterDevice,
            "character device",
        )?;
        let kernel = pile.take_file("kernel.fd", config.kernel.fd)?;
        let initramfs = pile.take_file("initramfs.fd", config.initramfs.fd)?;
        let mut drives = Vec::with_capacity(config.drives.len());
        for (index, drive) in config.drives.iter().enumerate() {
            let field = format!("drives[{index}].fd");
            let fd = pile.take(&field, drive.fd)?;
            // What a drive may be is the block device's to say, when the drive is attached.
            drives.push(File::from(fd));
        }
        let mut nics = Vec::with_capacity(config.nics.len());
        for (index, nic) in config.nics.iter().enumerate() {
            // What a tap is is the net device's to say, when it is plugged in.
            nics.push(pile.take(&format!("nics[{index}].fd"), nic.fd)?);
        }
        let vsock = match &config.vsock {
            Some(vsock) => Some(pile.take_listener("vsock.fd", vsock.fd)?),
            None => None,
        };
        let control = match config.control_fd {
            Some(index) => Some(pile.take_listener("control_fd", index)?),
            None => None,
        };
        if let Some(unused) = pile.fds.iter().position(Option::is_some) {
            return Err(LaunchError::UnusedDescriptor(unused));
        }
        Ok(Self {
            kvm,
            kernel,
            initramfs,
            drives,
            nics,
            vsock,
            control,
        })
    }
}

struct Pile {
    count: usize,
    fds: Vec<Option<OwnedFd>>,
}

impl Pile {
    fn take(&mut self, field: &str, index: u32) -> Result<OwnedFd, LaunchError> {
        let place = usize::try_from(index)
            .ok()
            .and_then(|at| self.fds.get_mut(at));
        let Some(place) = place else {
            return Err(LaunchError::NoDescriptor {
                field: field.to_owned(),
                index,
                count: self.count,
            });
        };
        place.take().ok_or_else(|| LaunchError::SharedDescriptor {
            field: field.to_owned(),
            index,
        })
    }

    fn take_file(&mut self, field: &str, index: u32) -> Result<File, LaunchError> {
        let fd = self.take(field, index)?;
        check_kind(field, &fd, FileType::RegularFile, "regular file")?;
        Ok(File::from(fd))
    }

    fn take_listener(&mut self, field: &str, index: u32) -> Result<UnixListener, LaunchError> {
        let fd = self.take(field, index)?;
        let listens = sockopt::socket_domain(&fd) == Ok(AddressFamily::UNIX)
            && sockopt::socket_type(&fd) == Ok(SocketType::STREAM)
            && sockopt::socket_acceptconn(&fd) == Ok(true);
        if !listens {
            return Err(wrong(field, "listening UNIX stream socket"));
        }
        Ok(UnixListener::from(fd))
    }
}

fn check_kind(
    field: &str,
    fd: impl AsFd,
    kind: FileType,
    wanted: &'static str,
) -> Result<(), LaunchError> {
    match fstat(fd) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == kind => Ok(()),
        _ => Err(wrong(field, wanted)),
    }
}

fn wrong(field: &str, wanted: &'static str) -> LaunchError {
    LaunchError::WrongDescriptor {
        field: field.to_owned(),
        wanted,
    }
}
