//! `MachineConfig`: everything a VMM process is told before it starts, as one JSON document.
//!
//! It travels as the first message on the launch socket (framing: [`super::wire`]). Files and sockets are not named by
//! path: each `fd` is an index into the descriptors that came with that message (`SCM_RIGHTS`), 0 being the first.

use serde::{Deserialize, Serialize};

/// Version of this document; another one is refused.
pub const CONFIG_VERSION: u32 = 1;

/// Index into the descriptors that came with a message.
pub type FdIndex = u32;

/// A whole machine, as asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineConfig {
    /// [`CONFIG_VERSION`].
    pub version: u32,
    /// Number of vCPUs, 1 to 32.
    pub vcpus: u8,
    /// Guest memory in MiB, at least 64.
    pub memory_mib: u32,
    /// An open `/dev/kvm`.
    pub kvm_fd: FdIndex,
    /// What kind of KVM the host has and how fast it is.
    pub host: HostKvm,
    /// vmlinux (ELF) or bzImage.
    pub kernel: BootFile,
    /// Uncompressed cpio with the agent.
    pub initramfs: BootFile,
    /// Words added to the kernel command line that the VMM builds.
    #[serde(default)]
    pub extra_cmdline: String,
    /// Number of block slots of each class.
    pub slots: BlockSlots,
    /// Drives attached from the start.
    #[serde(default)]
    pub drives: Vec<DriveConfig>,
    /// The pod's vsock; `None`: the machine has none.
    pub vsock: Option<VsockConfig>,
    /// Whether there is an entropy device.
    pub rng: bool,
    /// Whether there is a balloon: memory that the guest does not use goes back to the host.
    pub balloon: bool,
    /// Listening UNIX socket on which new control connections are accepted; `None`: only the launch socket controls.
    pub control_fd: Option<FdIndex>,
    /// Number of net slots.
    #[serde(default)]
    pub net_slots: u8,
    /// Networks attached from the start.
    #[serde(default)]
    pub nics: Vec<NicConfig>,
    /// What the process becomes before it reads the kernel.
    pub jail: JailConfig,
}

/// The KVM of this host (`husk-vmm probe` finds out).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostKvm {
    /// Hardware virtualization or interpretation of guest kernel code.
    pub kind: KvmKind,
    /// Nanoseconds that one interpreted guest-kernel instruction takes; 0 on hardware.
    pub ns_per_instruction: u32,
}

/// How the host's KVM runs guest kernel code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KvmKind {
    /// VT-x or AMD-V.
    Hardware,
    /// KVM without hardware virtualization: kernel code is interpreted, user code runs natively.
    Interpreting,
}

/// A file that is loaded into guest memory at boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootFile {
    /// The open file.
    pub fd: FdIndex,
    /// SHA-256 of the content, 64 lower-case hexadecimal digits; a mismatch refuses to boot.
    pub sha256: String,
    /// Name for error texts only.
    pub name: String,
}

/// How many block slots the machine has; slots are fixed for the machine's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockSlots {
    /// Slots that the guest may write; the first is the scratch disk's.
    pub writable: u8,
    /// Read-only slots; writes are refused on the host side and the file is open read-only.
    pub read_only: u8,
}

/// The class of a block slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotClass {
    /// Guest may write, flush, discard.
    Writable,
    /// Guest may only read.
    ReadOnly,
}

/// One drive in one slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriveConfig {
    /// Class of the slot.
    pub class: SlotClass,
    /// Index of the slot within its class, from 0.
    pub slot: u8,
    /// The backing file or block device, open read-only for a read-only slot; its size must be a multiple of 512.
    pub fd: FdIndex,
    /// How the guest finds the disk: 1 to 20 ASCII letters, digits, '-' or '_' (virtio 1.2, 5.2.6.1).
    pub serial: String,
}

/// One network in one slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NicConfig {
    /// Index of the slot, from 0.
    pub slot: u8,
    /// A tap made with `IFF_TAP | IFF_NO_PI | IFF_VNET_HDR`.
    pub fd: FdIndex,
    /// Address of the guest's interface, `02:00:00:00:00:01`; by it the guest finds the interface.
    pub mac: String,
    /// MTU of the guest's interface, 68 to 65535.
    pub mtu: u16,
}

/// The pod's vsock device; its host side is one UNIX socket that speaks `CONNECT <port>\n` -> `OK <host port>\n`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VsockConfig {
    /// Listening UNIX stream socket.
    pub fd: FdIndex,
    /// Context id of the guest, 3 to 4294967293.
    pub guest_cid: u32,
    /// A guest's connect to one of these host ports is refused like every other, but is taken as news once
    /// (until the ready doorbell was rung). Host connections wait until then and are offered to the guest at that moment.
    pub doorbells: Doorbells,
}

/// Host ports by which the guest's first process says how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Doorbells {
    /// Its `main` has begun.
    pub started_port: u32,
    /// Its listeners are bound.
    pub ready_port: u32,
}

/// What the process becomes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JailConfig {
    /// User id of the running VMM; 0 is refused.
    pub uid: u32,
    /// Group id of the running VMM; 0 is refused.
    pub gid: u32,
}
