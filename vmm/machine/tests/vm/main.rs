//! The VMM process from outside: launched, spoken to, watched, killed. Needs root, and `/dev/kvm` for all but the
//! refusals; `HUSK_SKIP_KVM=1` skips what needs KVM.
//!
//! Guests are a few instructions of machine code, so a test takes milliseconds on every host; `boot` boots the Linux
//! kernel that `HUSK_TEST_KERNEL` names.

#![allow(
    clippy::unwrap_used,
    reason = "a test that meets the unexpected has failed"
)]

mod boot;
mod control;
mod ends;
mod harness;
mod jail;
mod launch;
