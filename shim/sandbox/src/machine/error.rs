//! What goes wrong with a machine.

use std::{io, path::PathBuf};

use husk_machine::api::{config::KvmKind, wire::WireError};
use thiserror::Error;

use super::progress::Stalled;

/// A machine that does not start, does not answer or is no more.
#[derive(Debug, Error)]
pub enum MachineError {
    /// A file that the machine needs cannot be opened.
    #[error("cannot open {}{}", path.display(), hint(path, source))]
    Open {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The VMM process does not start.
    #[error("cannot start {}", path.display())]
    Spawn {
        /// The binary.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No pid namespace for the VMM.
    #[error("no pid namespace for the VMM (husk must run as root)")]
    Namespace {
        /// Why not.
        source: io::Error,
    },
    /// The VMM process cannot be told or watched.
    #[error("VMM process {pid}: {what}")]
    Process {
        /// Its pid.
        pid: u32,
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A message that cannot be sent or understood.
    #[error("control socket of the VMM")]
    Wire(#[from] WireError),
    /// The control socket broke.
    #[error("control socket of the VMM")]
    Control(#[from] io::Error),
    /// The VMM ended, or nobody listens any more.
    #[error("the VMM has ended")]
    Gone,
    /// The VMM refused a command.
    #[error("the VMM refused {command}: {text}")]
    Refused {
        /// The command.
        command: &'static str,
        /// Its words.
        text: String,
    },
    /// The VMM did not answer.
    #[error("the VMM did not answer {command} within {seconds} s")]
    Silent {
        /// The command.
        command: &'static str,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The guest makes no progress.
    #[error("{what}: {stalled}")]
    Stalled {
        /// What was due.
        what: &'static str,
        /// How it showed.
        stalled: Stalled,
    },
    /// The look at the host's KVM failed.
    #[error("{} probe: {text}", path.display())]
    Probe {
        /// The binary.
        path: PathBuf,
        /// What it said.
        text: String,
    },
}

impl MachineError {
    /// Words for a kind of KVM.
    #[must_use]
    pub fn kvm_words(kind: KvmKind) -> &'static str {
        match kind {
            KvmKind::Hardware => "hardware KVM",
            KvmKind::Interpreting => {
                "KVM without hardware virtualization (interprets guest kernel code)"
            }
        }
    }
}

fn hint(path: &std::path::Path, source: &io::Error) -> &'static str {
    if path.as_os_str() != "/dev/kvm" {
        return "";
    }
    match source.kind() {
        io::ErrorKind::NotFound => {
            " (load the kvm module, or enable virtualization for this machine; see husk check)"
        }
        io::ErrorKind::PermissionDenied => {
            " (run husk as root, in a container give it the device; see husk check)"
        }
        _ => " (see husk check)",
    }
}
