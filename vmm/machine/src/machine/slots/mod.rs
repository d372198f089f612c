//! The machine's slots: where each device is ([`places`], pure), and what comes into block and net slots and goes again
//! ([`Blocks`], [`Nics`]). Called by `assemble` and `owner`; calls the devices.

mod blocks;
mod nics;
mod places;

pub(super) use blocks::{Blocks, device_class};
pub(super) use nics::{NewNic, Nics};
pub(super) use places::{Device, Place, places};
