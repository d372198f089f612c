//! From boot files to a machine that can start: [`load`] fills guest memory, [`Cmdline`] says what the kernel is told.
//! Called by `kvm/`; calls `arch/`, `sys/`.

mod bzimage;
mod cmdline;
mod elf;
mod error;
mod image;
mod load;
mod reader;

pub use cmdline::{Cmdline, CmdlineError, MAX_BYTES as CMDLINE_MAX_BYTES};
pub use error::BootError;
pub use image::BootImage;
pub use load::load;
