//! A machine to be: configuration and descriptors, both to be spoiled by tests.

use std::fs::{File, OpenOptions};
use std::io::{IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use husk_machine::api::config::{
    BlockSlots, BootFile, CONFIG_VERSION, Doorbells, DriveConfig, HostKvm, JailConfig, KvmKind,
    SlotClass, VsockConfig,
};
use husk_machine::api::{MachineConfig, wire};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use sha2::{Digest, Sha256};

use super::Vm;

/// User and group of the VMM.
pub(crate) const UID: u32 = 70_001;

/// A machine to be, complete and right until a test changes it.
pub(crate) struct Setup {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) config: MachineConfig,
    pub(crate) fds: Vec<OwnedFd>,
}

impl Setup {
    /// One vCPU, 64 MiB, this kernel and initramfs, two block slots of each class, vsock, entropy, control socket.
    pub(crate) fn new(kernel: &[u8], initramfs: &[u8]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let mut fds: Vec<OwnedFd> = Vec::new();
        // Refusals come before KVM is looked at: they do not need it.
        let kvm = if std::path::Path::new("/dev/kvm").exists() {
            "/dev/kvm"
        } else {
            "/dev/null"
        };
        fds.push(
            OpenOptions::new()
                .read(true)
                .write(true)
                .open(kvm)
                .unwrap()
                .into(),
        );
        let mut boot = |name: &str, bytes: &[u8]| {
            std::fs::write(path(name), bytes).unwrap();
            fds.push(File::open(path(name)).unwrap().into());
            BootFile {
                fd: u32::try_from(fds.len() - 1).unwrap(),
                sha256: hex(&Sha256::digest(bytes)),
                name: name.to_owned(),
            }
        };
        let (kernel, initramfs) = (boot("kernel", kernel), boot("initramfs", initramfs));
        fds.push(UnixListener::bind(path("vsock")).unwrap().into());
        fds.push(UnixListener::bind(path("control")).unwrap().into());
        let config = MachineConfig {
            version: CONFIG_VERSION,
            vcpus: 1,
            memory_mib: 64,
            kvm_fd: 0,
            host: host(),
            kernel,
            initramfs,
            extra_cmdline: String::new(),
            slots: BlockSlots {
                writable: 2,
                read_only: 2,
            },
            drives: Vec::new(),
            vsock: Some(VsockConfig {
                fd: 3,
                guest_cid: 3,
                doorbells: Doorbells {
                    started_port: 1,
                    ready_port: 2,
                },
            }),
            rng: true,
            balloon: true,
            net_slots: 1,
            nics: Vec::new(),
            control_fd: Some(4),
            jail: JailConfig { uid: UID, gid: UID },
        };
        Self { dir, config, fds }
    }

    /// A guest of machine code.
    pub(crate) fn code(code: &[u8]) -> Self {
        Self::new(&super::guest::kernel(code), b"")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Add a drive of `sectors` sectors from the start.
    pub(crate) fn drive(&mut self, class: SlotClass, slot: u8, serial: &str, sectors: u64) {
        let file = disk(&self.path(serial), class, sectors);
        self.fds.push(file);
        self.config.drives.push(DriveConfig {
            class,
            slot,
            fd: u32::try_from(self.fds.len() - 1).unwrap(),
            serial: serial.to_owned(),
        });
    }

    /// Launch it.
    pub(crate) fn launch(self) -> Vm {
        let body = wire::encode(&self.config).unwrap();
        let (child, socket) = spawn();
        send(&socket, &body, &self.fds);
        Vm::new(child, socket, self.dir)
    }
}

/// An empty file, open as a slot of this class wants it.
pub(crate) fn disk(path: &std::path::Path, class: SlotClass, sectors: u64) -> OwnedFd {
    File::create(path).unwrap().set_len(sectors * 512).unwrap();
    let write = class == SlotClass::Writable;
    OpenOptions::new()
        .read(true)
        .write(write)
        .open(path)
        .unwrap()
        .into()
}

/// The binary in a pid namespace of its own, with its launch socket.
pub(crate) fn spawn() -> (Child, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    // A descriptor that the process must not keep: the standard library closes only what it opened itself.
    let leaked = rustix::io::dup(File::open("/proc/self/maps").unwrap()).unwrap();
    let thread = std::thread::spawn(move || {
        // What is refused is refused to everybody; what runs needs root for its jail as well.
        if rustix::process::geteuid().is_root() {
            own_pid_namespace();
        }
        Command::new(binary())
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap()
    });
    let child = thread.join().unwrap();
    drop(leaked);
    (child, ours)
}

#[expect(deprecated, reason = "deprecated for UnshareFlags::FILES only")]
fn own_pid_namespace() {
    rustix::thread::unshare(rustix::thread::UnshareFlags::NEWPID).unwrap();
}

/// The VMM under test: `HUSK_TEST_VMM` names another build.
pub(crate) fn binary() -> PathBuf {
    let built = || env!("CARGO_BIN_EXE_husk-vmm").into();
    std::env::var_os("HUSK_TEST_VMM").map_or_else(built, PathBuf::from)
}

/// Send bytes with descriptors.
pub(crate) fn send(mut socket: &UnixStream, bytes: &[u8], fds: &[OwnedFd]) {
    let borrowed: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(64))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(fds.is_empty() || control.push(SendAncillaryMessage::ScmRights(&borrowed)));
    let iov = [IoSlice::new(bytes)];
    let sent = sendmsg(socket, &iov, &mut control, SendFlags::NOSIGNAL).unwrap();
    socket.write_all(&bytes[sent..]).unwrap();
}

/// The host's KVM, measured once.
fn host() -> HostKvm {
    use std::sync::OnceLock;
    static HOST: OnceLock<HostKvm> = OnceLock::new();
    let measure = || match OpenOptions::new().read(true).write(true).open("/dev/kvm") {
        Ok(kvm) => husk_machine::interp::probe(kvm.into()).unwrap(),
        Err(_) => HostKvm {
            kind: KvmKind::Hardware,
            ns_per_instruction: 0,
        },
    };
    HOST.get_or_init(measure).clone()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
