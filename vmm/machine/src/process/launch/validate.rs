//! The values of a configuration: a pure check, field by field.

use std::collections::HashSet;
use std::fmt::Debug;
use std::ops::RangeInclusive;

use super::error::FieldError;
use husk_devices::block::Serial;
use husk_devices::net::MacAddress;
use husk_devices::vsock::GUEST_CIDS;

use crate::api::MachineConfig;
use crate::api::config::{
    BlockSlots, BootFile, DriveConfig, HostKvm, JailConfig, KvmKind, NicConfig, SlotClass,
    VsockConfig,
};
use crate::boot::CMDLINE_MAX_BYTES;
use crate::kvm::{MAX_VCPUS, memory};

/// Block slots of both classes together: each costs a word of the kernel's command line, which is finite.
const MAX_BLOCK_SLOTS: u8 = 32;

/// Net slots: the same.
const MAX_NET_SLOTS: u8 = 8;

/// Slower than any host: 1 ms per instruction.
const MAX_NS_PER_INSTRUCTION: u32 = 1_000_000;

/// The longest path of Linux.
const MAX_NAME_BYTES: usize = 4096;

/// The least that virtio allows.
const MIN_MTU: u16 = 68;

/// What is shown of a refused value.
const SHOWN_CHARS: usize = 80;

/// Check every value of a configuration.
///
/// # Errors
/// The first field whose value cannot be.
pub fn validate(config: &MachineConfig) -> Result<(), FieldError> {
    within("vcpus", config.vcpus, 1..=MAX_VCPUS, "is not 1 to 32")?;
    let memory = memory::MIN_MIB..=memory::MAX_MIB;
    let rule = "is not 64 MiB to 1048576 MiB";
    within("memory_mib", config.memory_mib, memory, rule)?;
    host(&config.host)?;
    boot_file("kernel", &config.kernel)?;
    boot_file("initramfs", &config.initramfs)?;
    cmdline(&config.extra_cmdline)?;
    slots(config.slots)?;
    drives(&config.drives, config.slots)?;
    within(
        "net_slots",
        config.net_slots,
        0..=MAX_NET_SLOTS,
        "are more than 8 slots",
    )?;
    nics(&config.nics, config.net_slots)?;
    if let Some(device) = &config.vsock {
        vsock(device)?;
    }
    jail(&config.jail)
}

fn host(host: &HostKvm) -> Result<(), FieldError> {
    let (range, rule) = match host.kind {
        KvmKind::Hardware => (0..=0, "is not 0, as it is on hardware"),
        KvmKind::Interpreting => (1..=MAX_NS_PER_INSTRUCTION, "is not 1 to 1000000"),
    };
    within(
        "host.ns_per_instruction",
        host.ns_per_instruction,
        range,
        rule,
    )
}

fn boot_file(field: &str, file: &BootFile) -> Result<(), FieldError> {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let hash = &file.sha256;
    let rule = "is not 64 lower-case hexadecimal digits";
    check(hash.len() == 64 && hash.bytes().all(hex), || {
        error(format!("{field}.sha256"), hash, rule)
    })?;
    let name = &file.name;
    let printable = !name.is_empty() && !name.chars().any(char::is_control);
    check(printable && name.len() <= MAX_NAME_BYTES, || {
        error(format!("{field}.name"), name, "is not a printable name")
    })
}

fn cmdline(extra: &str) -> Result<(), FieldError> {
    let printable = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    let rule = "is not printable ASCII of at most 2047 bytes";
    check(
        extra.len() <= CMDLINE_MAX_BYTES && extra.bytes().all(printable),
        || error("extra_cmdline", extra, rule),
    )
}

fn slots(slots: BlockSlots) -> Result<(), FieldError> {
    let total = u16::from(slots.writable) + u16::from(slots.read_only);
    within(
        "slots",
        total,
        0..=u16::from(MAX_BLOCK_SLOTS),
        "are more than 32 slots",
    )
}

fn drives(drives: &[DriveConfig], slots: BlockSlots) -> Result<(), FieldError> {
    let (mut places, mut serials) = (HashSet::new(), HashSet::new());
    for (index, drive) in drives.iter().enumerate() {
        let field = |name: &str| format!("drives[{index}].{name}");
        let count = match drive.class {
            SlotClass::Writable => slots.writable,
            SlotClass::ReadOnly => slots.read_only,
        };
        check(drive.slot < count, || {
            error(field("slot"), &drive.slot, "is no slot of this class")
        })?;
        check(places.insert((drive.class, drive.slot)), || {
            error(field("slot"), &drive.slot, "holds another drive")
        })?;
        check(Serial::new(&drive.serial).is_ok(), || {
            let rule = "is not 1 to 20 ASCII letters, digits, '-' or '_'";
            error(field("serial"), &drive.serial, rule)
        })?;
        check(serials.insert(&drive.serial), || {
            error(field("serial"), &drive.serial, "is another drive's")
        })?;
    }
    Ok(())
}

fn nics(nics: &[NicConfig], slots: u8) -> Result<(), FieldError> {
    let (mut places, mut addresses) = (HashSet::new(), HashSet::new());
    for (index, nic) in nics.iter().enumerate() {
        let field = |name: &str| format!("nics[{index}].{name}");
        check(nic.slot < slots, || {
            error(field("slot"), &nic.slot, "is no net slot")
        })?;
        check(places.insert(nic.slot), || {
            error(field("slot"), &nic.slot, "holds another network")
        })?;
        let address: Option<MacAddress> = nic.mac.parse().ok();
        let rule = "is no address of an interface";
        let address = address.ok_or_else(|| error(field("mac"), &nic.mac, rule))?;
        check(addresses.insert(address), || {
            error(field("mac"), &nic.mac, "is another network's")
        })?;
        check(nic.mtu >= MIN_MTU, || {
            error(field("mtu"), &nic.mtu, "is not 68 to 65535")
        })?;
    }
    Ok(())
}

fn vsock(vsock: &VsockConfig) -> Result<(), FieldError> {
    within(
        "vsock.guest_cid",
        vsock.guest_cid,
        GUEST_CIDS,
        "is no context id of a guest",
    )?;
    let bells = vsock.doorbells;
    check(bells.started_port != bells.ready_port, || {
        let rule = "is the port of both doorbells";
        error("vsock.doorbells", &bells.ready_port, rule)
    })
}

fn jail(jail: &JailConfig) -> Result<(), FieldError> {
    let ids = 1..=u32::MAX - 1;
    within("jail.uid", jail.uid, ids.clone(), "is root or no user id")?;
    within("jail.gid", jail.gid, ids, "is root or no group id")
}

fn within<T: Copy + PartialOrd + Debug>(
    field: &str,
    value: T,
    range: RangeInclusive<T>,
    rule: &'static str,
) -> Result<(), FieldError> {
    check(range.contains(&value), || error(field, &value, rule))
}

fn check(holds: bool, otherwise: impl FnOnce() -> FieldError) -> Result<(), FieldError> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn error<T: Debug + ?Sized>(field: impl Into<String>, value: &T, rule: &'static str) -> FieldError {
    FieldError {
        field: field.into(),
        value: format!("{value:?}").chars().take(SHOWN_CHARS).collect(),
        rule,
    }
}
