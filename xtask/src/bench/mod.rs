//! `cargo xtask bench`: figures of the real thing, in one format.
//!
//! - `report`: the format, the statistics, the table that marks what misses its bar.
//! - `machine`: what the figures were taken on.
//! - `husk`: one run of `husk run --timeline=json`; `detached`: a container that runs meanwhile;
//!   `filter`: loads of a filter in one guest.
//! - `boot`, `run`: the benches.
//!
//! Guest time is counted in guest-kernel instructions (KVM's `insn_emulation`), which do not depend on the machine or its
//! load; on hardware KVM they are 0 and such measures are left out. Called by `main`.

mod boot;
mod detached;
mod filter;
mod husk;
mod machine;
mod report;
mod run;

pub(crate) use boot::bench as boot;
pub(crate) use run::bench as run;
