//! A machine as the sandbox asks for it, and its translation into the VMM's configuration and descriptors.

use std::{
    fs::File,
    os::fd::OwnedFd,
    os::unix::{fs::FileTypeExt, net::UnixListener},
    path::{Path, PathBuf},
};

use husk_machine::api::{
    MachineConfig,
    config::{
        BlockSlots, BootFile, CONFIG_VERSION, Doorbells, DriveConfig, FdIndex, HostKvm, JailConfig,
        SlotClass, VsockConfig,
    },
};
use husk_protocol::ports;

use super::MachineError;

/// Context id of every guest: the vsock of a pod is a UNIX socket of its own, so nobody else can have it.
const GUEST_CID: u32 = 3;

/// Net slots of every machine: what a pod's networks are attached to while it runs.
const NET_SLOTS: u8 = 4;

/// A file that a machine boots from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootArtefact {
    /// Where it is.
    pub path: PathBuf,
    /// SHA-256 as 64 lower-case hexadecimal digits; the VMM refuses another content.
    pub sha256: String,
}

/// A drive of a machine.
#[derive(Debug)]
pub struct Drive {
    /// Class of its slot.
    pub class: SlotClass,
    /// Index of the slot within the class.
    pub slot: u8,
    /// The backing file, open read-only for a read-only slot.
    pub file: File,
    /// How the guest finds it.
    pub serial: String,
}

/// A machine, with everything it needs open.
#[derive(Debug)]
pub struct MachineSpec {
    /// Number of vCPUs.
    pub vcpus: u8,
    /// Guest memory in MiB.
    pub memory_mib: u32,
    /// The host's KVM.
    pub host: HostKvm,
    /// The guest kernel.
    pub kernel: BootArtefact,
    /// The initramfs.
    pub initramfs: BootArtefact,
    /// Numbers of block slots.
    pub slots: BlockSlots,
    /// Drives from the start.
    pub drives: Vec<Drive>,
    /// Host side of the pod's vsock.
    pub vsock: UnixListener,
    /// Where control connections are accepted.
    pub control: UnixListener,
}

impl MachineSpec {
    /// The VMM's configuration for a process with this user id, and the descriptors that belong to it, in order.
    ///
    /// # Errors
    /// A file cannot be opened.
    pub fn into_config(self, uid: u32) -> Result<(MachineConfig, Vec<OwnedFd>), MachineError> {
        let mut fds = Descriptors::default();
        let kvm_fd = fds.add(open_kvm()?.into());
        let kernel = fds.add_boot_file(&self.kernel)?;
        let initramfs = fds.add_boot_file(&self.initramfs)?;
        let vsock_fd = fds.add(self.vsock.into());
        let control_fd = fds.add(self.control.into());
        let drives = self
            .drives
            .into_iter()
            .map(|drive| DriveConfig {
                class: drive.class,
                slot: drive.slot,
                fd: fds.add(drive.file.into()),
                serial: drive.serial,
            })
            .collect();
        let config = MachineConfig {
            version: CONFIG_VERSION,
            vcpus: self.vcpus,
            memory_mib: self.memory_mib,
            kvm_fd,
            host: self.host,
            kernel,
            initramfs,
            extra_cmdline: String::new(),
            slots: self.slots,
            drives,
            vsock: Some(VsockConfig {
                fd: vsock_fd,
                guest_cid: GUEST_CID,
                doorbells: Doorbells {
                    started_port: ports::DOORBELL_STARTED,
                    ready_port: ports::DOORBELL_READY,
                },
            }),
            rng: true,
            balloon: true,
            net_slots: NET_SLOTS,
            nics: Vec::new(),
            control_fd: Some(control_fd),
            jail: JailConfig { uid, gid: uid },
        };
        Ok((config, fds.list))
    }
}

/// The host's KVM.
pub(super) fn open_kvm() -> Result<File, MachineError> {
    let path = Path::new("/dev/kvm");
    let opened = File::options().read(true).write(true).open(path);
    let kvm = opened.map_err(|source| open_error(path, source))?;
    let about = kvm.metadata().map_err(|source| open_error(path, source))?;
    if !about.file_type().is_char_device() {
        let source = std::io::Error::other("is no device");
        return Err(open_error(path, source));
    }
    Ok(kvm)
}

#[derive(Default)]
struct Descriptors {
    list: Vec<OwnedFd>,
}

impl Descriptors {
    fn add(&mut self, fd: OwnedFd) -> FdIndex {
        let index = FdIndex::try_from(self.list.len()).unwrap_or(FdIndex::MAX);
        self.list.push(fd);
        index
    }

    fn add_boot_file(&mut self, artefact: &BootArtefact) -> Result<BootFile, MachineError> {
        let file =
            File::open(&artefact.path).map_err(|source| open_error(&artefact.path, source))?;
        Ok(BootFile {
            fd: self.add(file.into()),
            sha256: artefact.sha256.clone(),
            name: artefact.path.display().to_string(),
        })
    }
}

fn open_error(path: &Path, source: std::io::Error) -> MachineError {
    MachineError::Open {
        path: path.to_owned(),
        source,
    }
}
