//! Why a machine did not come to be, and whose fault it was.

use std::io;

use husk_devices::block::{AttachError, InvalidSerial, SlotEmpty};
use husk_devices::net::{InvalidMac, MacAddress, NetSlotEmpty, PlugError};
use husk_devices::virtio::mmio::SlotError;
use husk_devices::vsock::VsockError;
use thiserror::Error;

use crate::api::ExitReason;
use crate::boot::CmdlineError;
use crate::kvm::VmError;
use crate::process::jail::JailError;
use crate::process::launch::LaunchError;

/// A machine that cannot be.
#[derive(Debug, Error)]
pub(crate) enum MachineError {
    /// The configuration.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The jail.
    #[error(transparent)]
    Jail(#[from] JailError),
    /// KVM or a boot file.
    #[error(transparent)]
    Vm(#[from] VmError),
    /// Words of the configuration or of this VMM.
    #[error(transparent)]
    Cmdline(#[from] CmdlineError),
    /// A drive of the configuration.
    #[error("configuration: drives[{index}]: {source}")]
    Drive {
        /// Which.
        index: usize,
        /// Why.
        source: DriveError,
    },
    /// A network of the configuration.
    #[error("configuration: nics[{index}]: {source}")]
    Nic {
        /// Which.
        index: usize,
        /// Why.
        source: NicError,
    },
    /// The vsock device.
    #[error(transparent)]
    Vsock(#[from] VsockError),
    /// A device that fits no slot.
    #[error(transparent)]
    Slot(#[from] SlotError),
    /// The host ran out of something.
    #[error("{what}: {source}")]
    Host {
        /// What was to be made.
        what: &'static str,
        /// The host's answer.
        source: io::Error,
    },
}

/// A drive that cannot be attached or detached.
#[derive(Debug, Error)]
pub(crate) enum DriveError {
    /// There are not so many slots.
    #[error("there is no {class} slot {slot}, the machine has {count}")]
    NoSlot {
        /// Class in words.
        class: &'static str,
        /// Asked for.
        slot: u8,
        /// There are.
        count: usize,
    },
    /// By its name.
    #[error(transparent)]
    Serial(#[from] InvalidSerial),
    /// Another slot's disk has this name.
    #[error("serial {0:?} is another drive's")]
    SerialTaken(String),
    /// By its file.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// Nothing to detach.
    #[error("{class} slot {slot} is empty")]
    Empty {
        /// Class in words.
        class: &'static str,
        /// Asked for.
        slot: u8,
        /// The device's word for it.
        source: SlotEmpty,
    },
}

/// A network that cannot be attached or detached.
#[derive(Debug, Error)]
pub(crate) enum NicError {
    /// There are not so many slots.
    #[error("there is no net slot {slot}, the machine has {count}")]
    NoSlot {
        /// Asked for.
        slot: u8,
        /// There are.
        count: usize,
    },
    /// By its address.
    #[error(transparent)]
    Mac(#[from] InvalidMac),
    /// Another slot's network has this address.
    #[error("mac {0} is another network's")]
    MacTaken(MacAddress),
    /// By its tap.
    #[error(transparent)]
    Plug(#[from] PlugError),
    /// Nothing to detach.
    #[error("net slot {slot} is empty")]
    Empty {
        /// Asked for.
        slot: u8,
        /// The device's word for it.
        source: NetSlotEmpty,
    },
}

impl MachineError {
    /// For `map_err` on a call of the host.
    pub(super) fn host(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Host { what, source }
    }

    /// As the launcher hears it: refused if another configuration or file would have helped.
    pub(super) fn into_reason(self) -> ExitReason {
        let text = self.to_string();
        match self {
            Self::Launch(_) | Self::Cmdline(_) | Self::Drive { .. } | Self::Nic { .. } => {
                ExitReason::Refused(text)
            }
            Self::Vm(VmError::Boot(_) | VmError::MemorySize(_) | VmError::VcpuCount { .. }) => {
                ExitReason::Refused(text)
            }
            Self::Jail(_) | Self::Vm(_) | Self::Vsock(_) | Self::Slot(_) | Self::Host { .. } => {
                ExitReason::Failed(text)
            }
        }
    }
}
