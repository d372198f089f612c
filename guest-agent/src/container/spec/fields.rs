//! Fields that the agent must judge before libcontainer sees them: it ignores some of them, and says of others only
//! that something failed.

use oci_spec::runtime::{
    Linux, LinuxDevice, LinuxDeviceType, LinuxNamespaceType, PosixRlimit, Process, Spec,
};

use super::scheduler;
use crate::container::ContainerError;

/// Longest host and domain name of the kernel (`__NEW_UTS_LEN`).
const MAX_UTS_BYTES: usize = 64;

/// The kernel's device numbers have 12 and 20 bits.
const MAX_MAJOR: i64 = (1 << 12) - 1;
const MAX_MINOR: i64 = (1 << 20) - 1;

type Checked = Result<(), ContainerError>;

fn invalid<T>(what: impl Into<String>) -> Result<T, ContainerError> {
    Err(ContainerError::Invalid(what.into()))
}

fn unsupported<T>(what: impl Into<String>) -> Result<T, ContainerError> {
    Err(ContainerError::Unsupported(what.into()))
}

/// Everything outside of `process`, `linux` and `mounts`.
pub(super) fn check_top(spec: &Spec, warnings: &mut Vec<String>) -> Checked {
    if !spec.version().starts_with("1.") {
        return invalid(format!("ociVersion: {:?} is not 1.x", spec.version()));
    }
    if spec.root().is_none() {
        return invalid("specification has no root");
    }
    let other_systems = [
        ("solaris", spec.solaris().is_some()),
        ("windows", spec.windows().is_some()),
        ("vm", spec.vm().is_some()),
        ("zos", spec.zos().is_some()),
    ];
    for (name, _) in other_systems.iter().filter(|(_, given)| *given) {
        warnings.push(format!(
            "{name} is ignored: the guest runs Linux containers"
        ));
    }
    let has_uts = has_namespace(spec.linux().as_ref(), LinuxNamespaceType::Uts);
    for (name, value) in [
        ("hostname", spec.hostname().as_deref()),
        ("domainname", spec.domainname().as_deref()),
    ] {
        match value {
            None => {}
            Some(value) if value.len() > MAX_UTS_BYTES || value.contains('\0') => {
                return invalid(format!(
                    "{name}: {value:?} is not a name of at most {MAX_UTS_BYTES} bytes"
                ));
            }
            Some(value) if !has_uts => {
                return invalid(format!("{name}: {value:?} without a uts namespace"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

pub(super) fn has_namespace(linux: Option<&Linux>, kind: LinuxNamespaceType) -> bool {
    linux
        .and_then(|linux| linux.namespaces().as_ref())
        .is_some_and(|namespaces| namespaces.iter().any(|namespace| namespace.typ() == kind))
}

/// The process, apart from its user's name, its capabilities and its labels.
pub(super) fn check_process(process: &mut Process, warnings: &mut Vec<String>) -> Checked {
    let args = process.args().as_deref().unwrap_or_default();
    if args.is_empty() {
        return invalid("process.args is empty");
    }
    if let Some(arg) = args.iter().find(|arg| arg.contains('\0')) {
        return invalid(format!("process.args: {arg:?} contains a zero byte"));
    }
    for (index, entry) in process.env().iter().flatten().enumerate() {
        let name = entry.split_once('=').map(|(name, _)| name);
        if name.is_none_or(str::is_empty) || entry.contains('\0') {
            return invalid(format!("process.env[{index}]: {entry:?} is not NAME=value"));
        }
    }
    let cwd = process.cwd();
    if !cwd.is_absolute() || cwd.as_os_str().as_encoded_bytes().contains(&0) {
        return invalid(format!("process.cwd {cwd:?} is not absolute"));
    }
    check_rlimits(process.rlimits().as_deref().unwrap_or_default())?;
    if let Some(score) = process
        .oom_score_adj()
        .filter(|score| !(-1000..=1000).contains(score))
    {
        return invalid(format!(
            "process.oomScoreAdj: {score} is not between -1000 and 1000"
        ));
    }
    if let Some(umask) = process.user().umask().filter(|umask| *umask > 0o777) {
        return invalid(format!("process.user.umask: {umask:#o} is more than 0o777"));
    }
    if let Some(priority) = process.io_priority().as_ref().map(|io| io.priority())
        && !(0..=7).contains(&priority)
    {
        return invalid(format!(
            "process.ioPriority.priority: {priority} is not between 0 and 7"
        ));
    }
    process
        .scheduler()
        .as_ref()
        .map_or(Ok(()), scheduler::check)?;
    if process.user().username().is_some() || process.command_line().is_some() {
        warnings.push(
            "process.user.username and process.commandLine are ignored: they are of Windows"
                .to_owned(),
        );
    }
    if process.exec_cpu_affinity().is_some() {
        process.set_exec_cpu_affinity(None);
        warnings.push(
            "process.execCPUAffinity is ignored: the guest's CPUs are not the host's".to_owned(),
        );
    }
    Ok(())
}

fn check_rlimits(rlimits: &[PosixRlimit]) -> Checked {
    for (index, limit) in rlimits.iter().enumerate() {
        let field = format!("process.rlimits[{index}] ({})", limit.typ());
        if limit.soft() > limit.hard() {
            return invalid(format!(
                "{field}: soft {} is more than hard {}",
                limit.soft(),
                limit.hard()
            ));
        }
        if rlimits
            .iter()
            .take(index)
            .any(|other| other.typ() == limit.typ())
        {
            return invalid(format!("{field}: given twice"));
        }
    }
    Ok(())
}

/// `linux`, apart from resources, sysctls, seccomp and labels.
pub(super) fn check_linux(linux: &mut Linux) -> Checked {
    if linux.intel_rdt().is_some() {
        return unsupported("linux.intelRdt: the guest has no resource director, so it");
    }
    if linux.memory_policy().is_some() {
        return unsupported("linux.memoryPolicy: the guest has one memory node, so it");
    }
    if let Some(name) = linux
        .net_devices()
        .iter()
        .flat_map(|devices| devices.keys())
        .min()
    {
        return unsupported(format!(
            "linux.netDevices: {name:?} is a device of the host, so it"
        ));
    }
    if let Some(flags) = linux
        .personality()
        .as_ref()
        .and_then(|p| p.flags().as_ref())
        && let Some(flag) = flags.first()
    {
        return unsupported(format!("linux.personality.flags: {flag:?}"));
    }
    check_time(linux)?;
    for (name, paths) in [
        ("maskedPaths", linux.masked_paths()),
        ("readonlyPaths", linux.readonly_paths()),
    ] {
        if let Some(path) = paths
            .iter()
            .flatten()
            .find(|path| !path.starts_with('/') || path.contains('\0'))
        {
            return invalid(format!("linux.{name}: {path:?} is not absolute"));
        }
    }
    for (index, device) in linux.devices().iter().flatten().enumerate() {
        check_device(device).or_else(|what| invalid(format!("linux.devices[{index}].{what}")))?;
    }
    let propagation = match linux.rootfs_propagation().as_deref() {
        None => return Ok(()),
        Some("") => None,
        // The container's own mounts are all below its root, so with and without them is the same.
        Some(given) => match given.strip_prefix('r').unwrap_or(given) {
            known @ ("shared" | "slave" | "private" | "unbindable") => Some(known.to_owned()),
            _ => return invalid(format!("linux.rootfsPropagation: {given:?} is unknown")),
        },
    };
    linux.set_rootfs_propagation(propagation);
    Ok(())
}

fn check_time(linux: &Linux) -> Checked {
    let offsets = linux.time_offsets().iter().flatten();
    for (clock, offset) in offsets {
        if !["monotonic", "boottime"].contains(&clock.as_str()) {
            return invalid(format!(
                "linux.timeOffsets: {clock:?} is no clock of a time namespace"
            ));
        }
        if offset
            .nanosecs()
            .is_some_and(|nanos| nanos >= 1_000_000_000)
        {
            return invalid(format!(
                "linux.timeOffsets.{clock}: more than 999999999 nanoseconds"
            ));
        }
        if !has_namespace(Some(linux), LinuxNamespaceType::Time) {
            return invalid("linux.timeOffsets without a time namespace");
        }
    }
    Ok(())
}

fn check_device(device: &LinuxDevice) -> Result<(), String> {
    let path = device.path();
    let climbs = path.components().any(|part| part.as_os_str() == "..");
    if !path.is_absolute() || climbs || path.as_os_str().as_encoded_bytes().contains(&0) {
        return Err(format!(
            "path: {} is no absolute path without \"..\"",
            path.display()
        ));
    }
    match device.typ() {
        LinuxDeviceType::A => return Err("type: \"a\" is not b, c, u or p".to_owned()),
        LinuxDeviceType::P => return Ok(()),
        LinuxDeviceType::B | LinuxDeviceType::C | LinuxDeviceType::U => {}
    }
    for (name, value, most) in [
        ("major", device.major(), MAX_MAJOR),
        ("minor", device.minor(), MAX_MINOR),
    ] {
        if !(0..=most).contains(&value) {
            return Err(format!("{name}: {value} is not between 0 and {most}"));
        }
    }
    match device.file_mode().filter(|mode| *mode & !0o177_777 != 0) {
        Some(mode) => Err(format!("fileMode: {mode:#o} is no mode")),
        None => Ok(()),
    }
}
