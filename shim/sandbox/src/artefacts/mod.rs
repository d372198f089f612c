//! The files that a machine is made of: the VMM, the guest kernels, the initramfs, and which kernel fits this host.
//!
//! Called by the doors and the pod's owner. Only reads.

mod files;
mod flavour;
mod sums;
#[cfg(test)]
mod tests;

pub use files::{ARTEFACTS_VARIABLE, ArtefactError, Artefacts};
pub use flavour::{Flavour, FlavourChoice};
