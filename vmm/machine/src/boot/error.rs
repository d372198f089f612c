//! Why a kernel or an initramfs was refused.

use thiserror::Error;

/// A boot file that cannot be loaded. `name` is the file's name in the configuration.
#[derive(Debug, Error)]
pub enum BootError {
    /// The file cannot be read.
    #[error("{name}: {source}")]
    Read {
        /// Which file.
        name: String,
        /// What the host answered.
        source: std::io::Error,
    },
    /// The file is not what the configuration promised.
    #[error("{name}: sha-256 is {found}, not {expected}")]
    Hash {
        /// Which file.
        name: String,
        /// From the configuration.
        expected: String,
        /// Of the file.
        found: String,
    },
    /// Neither ELF nor bzImage.
    #[error("{name}: neither an x86_64 ELF kernel nor a bzImage")]
    UnknownFormat {
        /// Which file.
        name: String,
    },
    /// The file's headers contradict themselves or the machine.
    #[error("{name}: {what} ({value:#x})")]
    Malformed {
        /// Which file.
        name: String,
        /// What is wrong.
        what: &'static str,
        /// The value that is.
        value: u64,
    },
    /// The file does not fit into guest memory.
    #[error("{name}: needs guest memory up to {needed:#x}, the machine has {available:#x}")]
    TooLarge {
        /// Which file.
        name: String,
        /// End of the file in guest memory.
        needed: u64,
        /// End of guest memory that it may use.
        available: u64,
    },
    /// The command line cannot be.
    #[error(transparent)]
    Cmdline(#[from] super::CmdlineError),
    /// A table of the loader does not fit.
    #[error("guest memory at {address:#x}: {source}")]
    GuestMemory {
        /// Where.
        address: u64,
        /// What was wrong with it.
        source: vm_memory::GuestMemoryError,
    },
}
