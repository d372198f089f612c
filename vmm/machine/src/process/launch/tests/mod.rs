//! Configurations that are refused, and what the refusal says.

mod descriptors;
mod values;

use crate::api::MachineConfig;
use crate::api::config::{
    BlockSlots, BootFile, CONFIG_VERSION, Doorbells, DriveConfig, HostKvm, JailConfig, KvmKind,
    SlotClass, VsockConfig,
};

/// A configuration in which every value can be.
fn good() -> MachineConfig {
    let boot = |fd, name: &str| BootFile {
        fd,
        sha256: "0123456789abcdef".repeat(4),
        name: name.to_owned(),
    };
    let drive = |class, slot, fd, serial: &str| DriveConfig {
        class,
        slot,
        fd,
        serial: serial.to_owned(),
    };
    MachineConfig {
        version: CONFIG_VERSION,
        vcpus: 2,
        memory_mib: 256,
        kvm_fd: 0,
        host: HostKvm {
            kind: KvmKind::Interpreting,
            ns_per_instruction: 700,
        },
        kernel: boot(1, "vmlinux"),
        initramfs: boot(2, "initramfs.cpio"),
        extra_cmdline: "quiet".to_owned(),
        slots: BlockSlots {
            writable: 5,
            read_only: 16,
        },
        drives: vec![
            drive(SlotClass::Writable, 0, 3, "scratch"),
            drive(SlotClass::ReadOnly, 0, 4, "image-0"),
        ],
        vsock: Some(VsockConfig {
            fd: 5,
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
        control_fd: Some(6),
        jail: JailConfig {
            uid: 70_000,
            gid: 70_000,
        },
    }
}
