//! `--cap-add` and `--cap-drop`.

use std::str::FromStr;

use oci_spec::runtime::{Capabilities, Capability};

/// A capability as a person names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapabilityName {
    /// Every one that the kernel has.
    All,
    /// One.
    One(Capability),
}

impl FromStr for CapabilityName {
    type Err = String;

    /// With or without `CAP_`, in either case.
    fn from_str(text: &str) -> Result<Self, String> {
        let upper = text.to_ascii_uppercase();
        if upper == "ALL" {
            return Ok(Self::All);
        }
        let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
        let found = EVERY.iter().find(|(name, _)| *name == bare);
        let found = found.ok_or_else(|| format!("unknown capability {text:?}"))?;
        Ok(Self::One(found.1))
    }
}

/// Capabilities of a container for which nobody asked for others (Docker's default set).
const DEFAULT: [Capability; 14] = [
    Capability::Chown,
    Capability::DacOverride,
    Capability::Fsetid,
    Capability::Fowner,
    Capability::Mknod,
    Capability::NetRaw,
    Capability::Setgid,
    Capability::Setuid,
    Capability::Setfcap,
    Capability::Setpcap,
    Capability::NetBindService,
    Capability::SysChroot,
    Capability::Kill,
    Capability::AuditWrite,
];

/// Every capability of the guest's kernel (Linux 6.12), in its order.
const EVERY: [(&str, Capability); 41] = [
    ("CHOWN", Capability::Chown),
    ("DAC_OVERRIDE", Capability::DacOverride),
    ("DAC_READ_SEARCH", Capability::DacReadSearch),
    ("FOWNER", Capability::Fowner),
    ("FSETID", Capability::Fsetid),
    ("KILL", Capability::Kill),
    ("SETGID", Capability::Setgid),
    ("SETUID", Capability::Setuid),
    ("SETPCAP", Capability::Setpcap),
    ("LINUX_IMMUTABLE", Capability::LinuxImmutable),
    ("NET_BIND_SERVICE", Capability::NetBindService),
    ("NET_BROADCAST", Capability::NetBroadcast),
    ("NET_ADMIN", Capability::NetAdmin),
    ("NET_RAW", Capability::NetRaw),
    ("IPC_LOCK", Capability::IpcLock),
    ("IPC_OWNER", Capability::IpcOwner),
    ("SYS_MODULE", Capability::SysModule),
    ("SYS_RAWIO", Capability::SysRawio),
    ("SYS_CHROOT", Capability::SysChroot),
    ("SYS_PTRACE", Capability::SysPtrace),
    ("SYS_PACCT", Capability::SysPacct),
    ("SYS_ADMIN", Capability::SysAdmin),
    ("SYS_BOOT", Capability::SysBoot),
    ("SYS_NICE", Capability::SysNice),
    ("SYS_RESOURCE", Capability::SysResource),
    ("SYS_TIME", Capability::SysTime),
    ("SYS_TTY_CONFIG", Capability::SysTtyConfig),
    ("MKNOD", Capability::Mknod),
    ("LEASE", Capability::Lease),
    ("AUDIT_WRITE", Capability::AuditWrite),
    ("AUDIT_CONTROL", Capability::AuditControl),
    ("SETFCAP", Capability::Setfcap),
    ("MAC_OVERRIDE", Capability::MacOverride),
    ("MAC_ADMIN", Capability::MacAdmin),
    ("SYSLOG", Capability::Syslog),
    ("WAKE_ALARM", Capability::WakeAlarm),
    ("BLOCK_SUSPEND", Capability::BlockSuspend),
    ("AUDIT_READ", Capability::AuditRead),
    ("PERFMON", Capability::Perfmon),
    ("BPF", Capability::Bpf),
    ("CHECKPOINT_RESTORE", Capability::CheckpointRestore),
];

/// The bounding set, by Docker's rules: `--cap-add ALL` takes every one but the dropped, `--cap-drop ALL` none but the
/// added; else the default set is changed.
pub(in super::super) fn capabilities(
    add: &[CapabilityName],
    drop: &[CapabilityName],
) -> Capabilities {
    changed(&DEFAULT.into_iter().collect(), add, drop)
}

/// The same for a set of somebody's own.
pub(in super::super) fn changed(
    before: &Capabilities,
    add: &[CapabilityName],
    drop: &[CapabilityName],
) -> Capabilities {
    let one = |name: &CapabilityName| match name {
        CapabilityName::All => None,
        CapabilityName::One(capability) => Some(*capability),
    };
    let added: Capabilities = add.iter().filter_map(one).collect();
    let dropped: Capabilities = drop.iter().filter_map(one).collect();
    if add.contains(&CapabilityName::All) {
        let every = EVERY.iter().map(|(_, capability)| *capability);
        return every
            .filter(|capability| !dropped.contains(capability))
            .collect();
    }
    if drop.contains(&CapabilityName::All) {
        return added;
    }
    let kept = before.iter().filter(|kept| !dropped.contains(kept));
    kept.copied().chain(added).collect()
}
